"""What is in files again at the next start."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from ponystudio.studio.json_store import (
    MOST_DOCUMENTS,
    PerDocumentStore,
    read_json,
    save_text,
    write_json,
)


@dataclass(frozen=True)
class Entry:
    name: str
    size: int = 0


def test_values_come_back_whatever_their_names_are(tmp_path):
    file = tmp_path / "folder" / "entries.json"
    entries = (Entry("é\udc80", 3), Entry(""))
    write_json(file, entries)
    assert file.read_bytes().isascii()
    assert read_json(file, tuple[Entry, ...]) == entries


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 3}', "[" * 100_000])
def test_what_is_of_another_type_is_nothing(tmp_path, text):
    file = tmp_path / "entry.json"
    file.write_text(text)
    assert read_json(file, Entry) is None
    assert read_json(tmp_path / "none.json", Entry) is None


def test_a_text_that_cannot_be_saved_is_not_missed(tmp_path):
    (tmp_path / "file").write_text("")
    save_text(tmp_path / "file" / "in" / "a.txt", "text")
    save_text(None, "text")
    save_text(tmp_path / "folder" / "a.txt", "text")
    assert (tmp_path / "folder" / "a.txt").read_text() == "text"


def test_facts_of_the_latest_documents_are_there_again(tmp_path):
    file = tmp_path / "facts.json"

    def store() -> PerDocumentStore[str, int]:
        return PerDocumentStore(file, lambda key, value: [key, value], tuple)

    facts = store()
    assert facts.text() is None
    for number in range(MOST_DOCUMENTS + 1):
        facts.note(f"document {number}", {"seed": number})
    facts.save()
    assert len(json.loads(file.read_text())) == MOST_DOCUMENTS
    assert store().of("document 7") == {"seed": 7}
    assert store().of("document 0") == {}
