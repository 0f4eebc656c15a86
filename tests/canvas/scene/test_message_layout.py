"""The card below a failed node, laid out."""

from __future__ import annotations

from ponystudio.canvas.scene import hit_test
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.studio.documents.editable_graph import NodeState, Problem


def test_a_failed_node_has_a_message_that_takes_the_mouse(scene: GraphScene, qtbot) -> None:
    problem = Problem("The file is missing.", "Choose another.", "MissingFile", "", "trace")
    scene.document.states.set("sample", NodeState("failed", problem=problem))
    message = scene.store.node_items["sample"].message
    assert message.rect.top() == scene.store.node_items["sample"].rect.bottom() + 12
    button = next(item for item in message.buttons if item.name == "details")
    hit = hit_test.hit(scene.store, message.rect.topLeft() + button.rect.center())
    assert (hit.part, hit.node, hit.button) == ("message", "sample", "details")
