"""What files are used for in the graph in front."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.models_page import choose, names
from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import show_graph
from ponystudio.graph.editing.edits import AddNode
from ponystudio.graph.model import Node

LEFT = Qt.MouseButton.LeftButton


def test_what_a_stack_of_the_graph_names_is_in_use(window, page):
    rows = [{"on": on, "file": name} for on, name in ((True, "ink.safetensors"), (False, "c.pt"))]
    stack = Node("stack", "core.apply_loras", 1, {"loras": rows})
    window.documents.current.do(AddNode(stack, {"pos": [0, 0]}), "Add")
    page.refresh()
    assert page.model.context.in_use == {"loras/ink.safetensors"}


def test_one_is_put_on_the_canvas_by_its_loader(window, page):
    choose(page, "mine")
    assert page.pane.add.isEnabled()
    QTest.mouseClick(page.pane.add, LEFT)
    assert window.page_switcher.in_front == ""
    window.drop_handler.wait()
    document = window.documents.current
    (id,) = document.graph.nodes
    node = document.graph.nodes[id]
    assert node.type == "core.load_upscaler"
    assert "mine" in str(node.params)
    assert window.page.scene.store.selected_nodes() == [id]
    card = window.page.scene.store.node_items[id].rect
    assert window.page.view.visible_rect().contains(card)
    document.undo()
    assert not document.graph.nodes


def test_the_selected_node_takes_the_file(window, page):
    window.toggle_panel("models")
    show_graph(window, text_to_picture())
    document = window.documents.current
    lora = Node("lora", "core.apply_lora", 1, {"file": "gone.safetensors"})
    document.do(AddNode(lora, {"pos": [0, 400]}), "Add")
    window.page.scene.store.select(["lora"])
    window.toggle_panel("models")
    until(lambda: "ink" in names(page), 5)
    choose(page, "mine")
    assert page.pane.use.isHidden()
    choose(page, "ink")
    assert page.pane.use.text() == "Use in Apply LoRA"
    QTest.mouseClick(page.pane.use, LEFT)
    assert window.page_switcher.in_front == ""
    assert document.graph.nodes["lora"].params["file"] == "ink.safetensors"
    document.undo()
    assert document.graph.nodes["lora"].params["file"] == "gone.safetensors"
