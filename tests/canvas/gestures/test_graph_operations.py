"""What people do to a graph, as steps of undo."""

from PySide6.QtCore import QPointF, Qt

from ponystudio.graph.model import Link


def test_a_new_node_finds_its_tools(canvas, hands):
    spec = canvas.document.catalog["core.load_image"]
    node = canvas.commands.ops.add_node(spec, QPointF(300, 1000))
    start = hands.out(node, "image")
    hands.drag(start, start + QPointF(60, -60), start + QPointF(160, 0))
    hands.write("encode", canvas.palette.search)
    hands.key(Qt.Key.Key_Return, widget=canvas.palette.search)
    assert canvas.nodes["encode"].inputs == {
        "image": Link(node, "image"),
        "vae": Link("checkpoint", "vae"),
    }
