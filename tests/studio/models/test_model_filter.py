"""Which model files are wanted, and in which order."""

from __future__ import annotations

import pytest

from ponystudio.studio.models.model_list import ModelEntry, ModelFilter
from ponystudio.studio.models.model_summary import ModelSummary

FILES = {
    ModelEntry("checkpoints", "pony.safetensors"): ModelSummary(
        "pony.safetensors", family="sdxl", size=6_500, modified=20.0, sha256="67ab2fd8ec" + "0" * 54
    ),
    ModelEntry("loras", "styles/Ink.safetensors"): ModelSummary(
        "styles/Ink.safetensors", family="sd1", size=3, modified=30.0, words=("sumi-e", "rice")
    ),
    ModelEntry("loras", "clay.safetensors"): ModelSummary(
        "clay.safetensors", family="sdxl", modified=10.0
    ),
    ModelEntry("vae", "torn.pt"): ModelSummary("torn.pt", problem="Damaged", size=9),
    ModelEntry("loras", "new.safetensors"): None,
}


def names(**wish: object) -> list[str]:
    found = ModelFilter(**wish).of(FILES, FILES.__getitem__)
    return [entry.name.rpartition("/")[2].partition(".")[0] for entry, _ in found]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("name", ["clay", "Ink", "new", "pony", "torn"]),
        ("newest", ["Ink", "pony", "clay", "new", "torn"]),
        ("largest", ["pony", "torn", "Ink", "clay", "new"]),
        ("family", ["Ink", "clay", "pony", "new", "torn"]),
    ],
)
def test_order(order, expected):
    assert names(order=order) == expected


def test_words_are_of_names_triggers_and_hashes():
    assert names(words=("styles", "ink")) == ["Ink"]
    assert names(words=("sumi",)) == ["Ink"]
    assert names(words=("67ab2fd8",)) == ["pony"]
    assert names(words=("ab2fd8",)) == []  # a hash is known by its beginning


def test_chips_narrow_it():
    assert names(kind="loras", family="sdxl") == ["clay"]
    assert names(starred=True, stars=frozenset({"vae/torn.pt"})) == ["torn"]
    assert names(starred=True) == []


def test_what_fits_is_of_the_family_or_of_no_family():
    assert names(fits="sd1") == ["Ink", "pony"]  # a checkpoint brings a family of its own
    assert names(fits="sdxl") == ["clay", "pony"]
