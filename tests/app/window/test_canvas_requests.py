"""What inspector, node panel and results ask of the canvas in front."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import CTRL, picture, press, show_graph
from ponystudio.graph.editing.edits import AddNode
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio_resources import path as resource


def said(window) -> list[str]:
    return [toast.title for toast in window.toasts.shown]


def test_f8_walks_through_what_is_wrong(window):
    show_graph(window, text_to_picture())
    states = window.documents.current.states
    for node in ("decode", "sampler"):
        states.update(node, faults=(Problem("Wrong", "Wrong here"),))
    seen = []
    for _ in range(3):
        press(window.page.view, Qt.Key.Key_F8)
        seen += window.page.scene.store.selected_nodes()
    assert seen[0] == seen[2]
    assert set(seen) == {"decode", "sampler"}


def test_a_seed_that_belongs_nowhere_is_said(window, home):
    path = picture(home / "plain.png")
    window.results.actions.use_seed_requested.emit(2**63 + 1, path, None)
    assert said(window) == ["No seed was changed"]
    window.results.actions.apply_values_requested.emit(path, None)
    assert said(window)[-1] == "Nothing to take over"


def test_the_only_seed_takes_a_large_one(window, home):
    show_graph(window, text_to_picture())
    path = picture(home / "plain.png")
    window.results.actions.use_seed_requested.emit(2**64 - 1, path, None)
    assert window.documents.current.graph.nodes["sampler"].params["seed"] == 2**64 - 1
    assert not said(window)


def test_a_chosen_node_is_added_where_one_looks(window):
    window.nodes.search.setText("decode")
    press(window.nodes.search, Qt.Key.Key_Return)
    (node,) = window.documents.current.graph.nodes.values()
    assert node.type == "core.decode_latent"
    assert window.page.view.hasFocus()
    press(window.page.view, Qt.Key.Key_Z, CTRL)
    assert not window.documents.current.graph.nodes


def test_its_help_opens_the_panel_on_that_node(window):
    show_graph(window, text_to_picture())
    window.inspector.help_requested.emit("sampler")
    assert window.shell.panel == "help"
    assert window.rail.buttons["help"].isChecked()
    assert window.shell.panels.currentWidget().choice.currentData() == "core.sample"


def test_bypass_is_a_step_that_can_be_undone(window):
    show_graph(window, text_to_picture())
    window.inspector.bypass_requested.emit("sampler")
    assert window.documents.current.graph.nodes["sampler"].mode == "bypassed"
    window.documents.current.undo()
    assert window.documents.current.graph.nodes["sampler"].mode == "normal"


def test_what_is_added_from_beside_the_canvas_covers_nothing(window):
    show_graph(window, text_to_picture(), "Ponies")
    page, document = window.page, window.documents.current
    before = set(document.graph.nodes)
    window.canvas_requests.add_node(window.documents.catalog["core.load_vae"])
    upscaler = resource("models", "upscale_models", "realesrgan-x4plus-anime.safetensors")
    window.canvas_requests.open_files([upscaler, upscaler])
    window.drop_handler.wait()
    until(lambda: len(document.graph.nodes) == len(before) + 3)
    cards = {id: item.rect for id, item in page.scene.store.node_items.items()}
    for id in cards.keys() - before:
        assert [other for other in cards if cards[other].intersects(cards[id])] == [id]
    (shown,) = page.scene.store.selected_nodes()
    until(lambda: page.view.visible_rect().contains(cards[shown]))


def test_a_graph_that_comes_into_an_empty_document_is_shown_whole(window):
    document = window.documents.current
    graph = text_to_picture()
    document.do_all(
        [
            AddNode(node, {"pos": [900 * i, 0]})
            for i, node in enumerate(replace(node, inputs={}) for node in graph.nodes.values())
        ],
        "Paste",
    )
    window.drop_handler.added.emit(document, list(document.graph.nodes))
    view = window.page.view
    until(lambda: view.visible_rect().contains(window.page.scene.store.bounds()))
