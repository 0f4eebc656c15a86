"""What is said in the window can be done in the window."""

from __future__ import annotations

import pytest

from ponystudio.errors import PonyStudioError
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.documents.node_state import Problem
from ponystudio.studio.runs.run_texts import in_window, remedy_in_window


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            "Put it into /a/loras, or name a folder of models with --models DIR.",
            "Put it into /a/loras, or add a folder of models in the settings.",
        ),
        (
            "Name a folder of models with --models DIR.",
            "Add a folder of models in the settings.",
        ),
        (
            "It is in /a/loras: name the folder above, with --models /a.",
            "It is in /a/loras: add the folder above, /a, in the settings.",
        ),
        (
            "Use --device cuda, or install the ROCm build of torch.",
            "Choose cuda in the settings, or install the ROCm build of torch.",
        ),
        (
            "See `ponystudio doctor`, or use --device cpu.",
            "See `ponystudio doctor`, or choose cpu in the settings.",
        ),
        ("Choose another file.", "Choose another file."),
        ("", ""),
    ],
)
def test_options_become_settings(told, said):
    assert remedy_in_window(told) == said


def test_what_is_missing_is_told_so_too(tmp_path):
    with pytest.raises(PonyStudioError) as caught:
        ModelFolders([tmp_path]).resolve("checkpoints", "none.safetensors")
    problem = in_window(Problem.of(caught.value))
    assert problem.what
    assert "--" not in problem.remedy
    assert "settings" in problem.remedy


def test_a_problem_without_options_stays_the_same():
    problem = Problem("There is no file.", "Choose another.")
    assert in_window(problem) is problem
