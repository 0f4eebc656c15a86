"""YAML of others: texts alone, and nothing that takes for ever."""

from __future__ import annotations

import os

import pytest

from ponystudio.library.formats.yaml_file import LONGEST, is_true, read_yaml


def written(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    return path


def test_every_scalar_is_a_text(tmp_path):
    path = written(tmp_path, "a: yes\nb: [1, 2.5, 2026-11-21, ~]\nc: {<<: 1}\n")
    assert read_yaml(path) == {"a": "yes", "b": ["1", "2.5", "2026-11-21", "~"], "c": {"<<": "1"}}


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "\t",
        "a: !!python/object/apply:os.system [x]\n",
        "- " * 20_000,
        "[" * 4000,
        "{" * 4000,
        "x" * (LONGEST + 1),
    ],
    ids=["torn", "tab", "code", "deep", "lists", "mappings", "long"],
)
def test_what_makes_no_sense_or_makes_things_is_refused(tmp_path, text):
    path = written(tmp_path, text)
    try:
        found = read_yaml(path)
    except (ValueError, OSError):
        return
    assert found in (None, "", {"a": ["x"]})  # tags are passed over, and nothing is run


def test_what_is_no_file_is_not_waited_for(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "gone.yaml")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="a pipe"):
            read_yaml(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("value", "meant"), [("Yes", True), ("1", True), ("no", False), ("", False), (["yes"], False)]
)
def test_what_means_yes(value, meant):
    assert is_true(value) is meant
