"""Which gesture a press begins, and how it ends."""

from PySide6.QtCore import QMimeData, QPointF, Qt
from PySide6.QtGui import QDropEvent

from helpers.hands import CTRL, SHIFT
from helpers.studio import Canvas
from ponystudio.canvas.gestures.controller import NODE_MIME
from ponystudio.graph.model import Graph, Link, Node

ESC = Qt.Key.Key_Escape


def test_a_refused_drop_says_why_and_its_link_helps(canvas, hands):
    start, end = hands.out("checkpoint", "clip"), hands.into("sampler", "positive")
    before = canvas.graph
    hands.drag(start, start + QPointF(30, 30), end)
    refusal = canvas.scene.overlay.refusal
    assert refusal.text == "Conditioning does not take Clip"
    assert refusal.remedy == "Put Prompt between"
    assert canvas.graph == before
    from ponystudio.canvas.painting.paint_overlay import refusal_rects

    _, link = refusal_rects(canvas.view, refusal)
    hands.click(canvas.view.to_scene(link.center()))
    assert canvas.nodes["sampler"].inputs["positive"] == Link("prompt", "conditioning")
    assert canvas.nodes["prompt"].inputs["clip"] == Link("checkpoint", "clip")
    assert canvas.scene.overlay.refusal is None
    assert canvas.steps == 1


def test_a_refusal_goes_with_the_next_press(canvas, hands):
    start, end = hands.out("checkpoint", "clip"), hands.into("sampler", "positive")
    hands.drag(start, start + QPointF(30, 30), end)
    hands.click(QPointF(780, 760))
    assert canvas.scene.overlay.refusal is None


def test_double_click_on_nothing_opens_the_palette(canvas, hands):
    hands.double_click(QPointF(780, 760))
    assert canvas.palette.isVisible()
    hands.key(ESC, widget=canvas.palette.search)
    assert not canvas.palette.isVisible()
    assert canvas.view.window().focusWidget() is canvas.view


def test_a_click_outside_closes_the_palette(canvas, hands):
    hands.double_click(QPointF(780, 760))
    hands.click(QPointF(100, 760))
    assert not canvas.palette.isVisible()


def test_double_click_on_a_title_renames(canvas, hands):
    hands.double_click(hands.header("positive"))
    edit = canvas.view.editors.widget
    edit.setText("Subject")
    hands.key(Qt.Key.Key_Return, widget=edit)
    assert canvas.nodes["positive"].title == "Subject"


def test_ctrl_shift_click_views_an_output(canvas, hands, qtbot):
    ran = []
    canvas.scene.run_to_requested.connect(ran.append)
    hands.click(hands.header("sampler"), CTRL | SHIFT)
    assert ran == ["preview"]
    assert canvas.nodes["preview"].inputs["image"].source == "decode"
    hands.click(hands.header("sampler"), CTRL | SHIFT)
    assert ran == ["preview", "preview"]
    assert sum(n.type == "core.preview_image" for n in canvas.nodes.values()) == 1


def test_far_away_gestures_still_work(qtbot):
    from ponystudio.canvas.view.camera_view import Camera

    canvas = Canvas(qtbot, Graph.of(Node("a", "core.load_image"), Node("b", "core.save_image")))
    canvas.view.set_camera(Camera(QPointF(200, 100), 0.1))
    start = canvas.scene.store.node_items["b"].rect.center()
    canvas.hands.drag(start, start + QPointF(400, 400))
    assert canvas.steps == 1


def test_a_kind_of_node_is_dropped_from_a_panel(canvas):
    data = QMimeData()
    data.setData(NODE_MIME, b"core.load_image")
    event = QDropEvent(
        QPointF(400, 700),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    canvas.view.dropEvent(event)
    assert event.isAccepted()
    assert canvas.nodes["image"].type == "core.load_image"


def test_other_drops_are_handed_on(canvas, qtbot):
    data = QMimeData()
    data.setText("hello")
    got = []
    canvas.commands.gestures.dropped.connect(lambda mime, at: got.append((mime.text(), at)))
    event = QDropEvent(
        QPointF(400, 700),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    canvas.view.dropEvent(event)
    assert got[0][0] == "hello"
