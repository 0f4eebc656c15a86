"""The card below a failed node, laid out."""

from __future__ import annotations

import pytest

from helpers.scenes import SAMPLE, node
from ponystudio.canvas.scene import hit_test
from ponystudio.canvas.scene.message_layout import remedies
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


WIRED = {"latent": ("source", "latent")}


@pytest.mark.parametrize(
    ("problem", "names"),
    [
        (Problem("No.", reason="WorkerDied"), ["run", "bypass"]),
        (Problem("No.", reason="BadValue", socket="steps"), ["focus", "bypass"]),
        (Problem("No.", reason="MissingInput", socket="latent"), ["turn_on", "bypass"]),
        (Problem("No.", reason="MissingFile"), ["bypass"]),
    ],
)
def test_one_that_helps_comes_first(qapp, problem: Problem, names: list[str]) -> None:
    found = remedies(node("a", "t.sample", WIRED), SAMPLE, problem)
    assert [remedy.name for remedy in found] == names


def test_of_a_node_without_its_pack_nothing_is_known(qapp) -> None:
    assert remedies(node("a", "gone.sample"), None, Problem("No.", reason="MissingFile")) == []
