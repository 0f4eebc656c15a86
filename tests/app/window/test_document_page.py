"""What the canvas of a document asks of the studio."""

from __future__ import annotations

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import show_graph
from ponystudio.canvas.scene.message_layout import remedies
from ponystudio.graph.editing.edits import SetMode


def test_what_was_bypassed_in_vain_is_turned_on_again_by_a_button(window):
    show_graph(window, text_to_picture(), "Ponies")
    page, document = window.page, window.documents.current
    document.do(SetMode("positive", "bypassed"), "Bypass")
    until(lambda: document.states["sampler"].faults)
    (fault,) = document.states["sampler"].faults
    item = page.scene.store.node_items["sampler"]
    assert fault.what.startswith("The link comes from Prompt, which is bypassed")
    assert remedies(item.node, item.spec, fault)[0].name == "turn_on"
    page.scene.remedy_requested.emit("sampler", fault, "turn_on")
    assert document.graph.nodes["positive"].mode == "normal"
    until(lambda: not document.states["sampler"].faults)
