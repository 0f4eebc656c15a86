"""What can be pressed about a problem."""

import pytest

from helpers.scenes import SAMPLE, node
from ponystudio.canvas.scene.message_layout import remedies
from ponystudio.studio.documents.editable_graph import Problem

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
