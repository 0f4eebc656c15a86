"""JSON of strangers is read within bounds."""

from __future__ import annotations

import gc
from time import process_time

import pytest

from ponystudio.system.json_reader import (
    MOST_CONTAINERS,
    MOST_NAMES,
    MOST_VALUES,
    JsonLimit,
    read_json,
)


def test_json_is_read():
    assert read_json('{"a": [1, 2.5, "é", null, true]}') == {"a": [1, 2.5, "é", None, True]}
    assert read_json('["é"]'.encode()) == ["é"]
    with pytest.raises(ValueError, match="Expecting"):
        read_json("{")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" + "[]," * MOST_CONTAINERS + "[]]", "lists and objects"),
        ("[" + '{"":0},' * MOST_CONTAINERS + "0]", "lists and objects"),
        ("[" + "1," * MOST_VALUES + "1,1]", "values"),
        ("{" + '"":1,' * MOST_NAMES + '"":1}', "names"),
        ("[" * 100_000, "nested"),
    ],
)
def test_what_would_fill_the_memory_is_refused_before(text, said):
    began = process_time()
    with pytest.raises(JsonLimit, match=said):
        read_json(text)
    assert process_time() - began < 2


def test_a_reader_may_bear_fewer_lists():
    assert read_json("[[], {}]", containers=3)
    with pytest.raises(JsonLimit, match="lists and objects"):
        read_json("[[], {}]", containers=2)


def test_a_reader_may_bear_fewer_names():
    assert read_json('{"a": {"b": 1}}', names=2)
    with pytest.raises(JsonLimit, match="names"):
        read_json('{"a": {"b": 1}}', names=1)


def test_garbage_is_not_looked_for_among_what_is_read():
    seen: list[str] = []

    def note(phase: str, _info: object) -> None:
        seen.append(phase)

    text = "[" + "[]," * 100_000 + "[]]"
    gc.callbacks.append(note)
    try:
        read_json(text)
    finally:
        gc.callbacks.remove(note)
    assert len(seen) <= 4  # it may be due right before and after
    assert gc.isenabled()
    with pytest.raises(ValueError, match="Expecting"):
        read_json("{")
    assert gc.isenabled()
