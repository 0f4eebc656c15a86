"""Which model files are wanted, in which order, and what their rows tell."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QObject, Qt

from ponystudio.studio.models.model_list import (
    ENTRY,
    FACT,
    ModelEntry,
    ModelFilter,
    ModelList,
    ModelListContext,
)
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


class Facts:
    """What is known of the files, without looking for them."""

    def get(self, kind: str, name: str) -> ModelSummary | None:
        return FILES[ModelEntry(kind, name)]


@pytest.fixture
def listed(qapp):
    parent = QObject()
    return ModelList(Facts(), parent), parent


def test_rows_tell_of_their_files(listed):
    model, _ = listed
    entries = list(FILES)
    model.show(entries, ModelListContext(stars=frozenset({"checkpoints/pony.safetensors"})))
    assert model.rowCount() == len(entries)
    first, last = model.index(0), model.index(4)
    assert (first.data(ENTRY), first.data(FACT)) == (entries[0], FILES[entries[0]])
    assert first.data(Qt.ItemDataRole.ToolTipRole) == "pony.safetensors\nSDXL, 6 KB\nStarred"
    assert last.data(Qt.ItemDataRole.ToolTipRole) == "new.safetensors"  # it is not looked at yet
    assert [model.row_of(entry) for entry in (entries[2], ModelEntry("vae", "x"), None)] == [
        2,
        -1,
        -1,
    ]


def test_the_same_files_in_other_circumstances_are_no_other_rows(listed):
    model, _ = listed
    entries, told = list(FILES), []
    model.modelReset.connect(lambda: told.append("other rows"))
    model.dataChanged.connect(lambda *_: told.append("other data"))
    model.show(entries, ModelListContext())
    model.show(entries, ModelListContext("sdxl"))
    assert model.context.family == "sdxl"
    model.show(entries[:2], ModelListContext())
    assert told == ["other rows", "other data", "other rows"]


def test_what_is_dragged_is_the_file_where_it_is_known(listed, tmp_path, monkeypatch):
    model, _ = listed
    entry = ModelEntry("loras", "a.safetensors")
    path = tmp_path / "a.safetensors"
    monkeypatch.setitem(FILES, entry, ModelSummary(entry.name, path))
    model.show([entry, ModelEntry("loras", "new.safetensors")], ModelListContext())
    urls = model.mimeData([model.index(0), model.index(1)]).urls()
    assert [url.toLocalFile() for url in urls] == [path.as_posix()]
