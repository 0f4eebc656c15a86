"""What is in files again at the next start."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

import pytest

from helpers.frail_disk import FrailDisk, every_failure
from ponystudio.errors import PonyStudioError
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


def test_what_cannot_be_read_once_is_not_the_end_of_it(tmp_path):
    file, facts = tmp_path / "entry.json", tmp_path / "facts.json"
    write_json(file, Entry("a"))
    facts.write_text('{"one": [["seed", 7]]}')
    with FrailDisk(tmp_path) as disk:
        disk.fail_next("open")
        assert read_json(file, Entry) is None
        disk.fail_next("open")
        store = PerDocumentStore(facts, lambda key, value: [key, value], tuple)
    write_json(file, Entry("b"))
    store.note("two", {"seed": 8})
    store.save()
    assert read_json(tmp_path / "entry.damaged.json", Entry) == Entry("a")
    assert json.loads((tmp_path / "facts.damaged.json").read_text()) == {"one": [["seed", 7]]}


def test_whatever_fails_a_value_is_the_old_or_the_new_one(tmp_path):
    def scenario(number: int) -> FrailDisk:
        root = tmp_path / f"{number}" / "disk"
        root.mkdir(parents=True)
        write_json(root / "entry.json", Entry("old"))
        allowed = {"old", "new"}
        with FrailDisk(root, number) as disk:
            try:
                write_json(root / "entry.json", Entry("new"))
                allowed = {"new"}
            except PonyStudioError:
                pass
            cuts = [disk.cut_power(random.Random(n), root.parent / f"{n}") for n in range(5)]
        for after in (root, *cuts):
            found = read_json(after / "entry.json", Entry)
            assert found is not None
            assert found.name in allowed
        return disk

    every_failure(scenario)


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
