"""What errors say, and that they say it in every process."""

from __future__ import annotations

import inspect
import pickle

import pytest

from ponystudio import errors
from ponystudio.errors import (
    BadInput,
    Cancelled,
    MissingFile,
    PonyStudioError,
    RunError,
    listed,
    shortened,
)

CLASSES = [
    item
    for _, item in inspect.getmembers(errors, inspect.isclass)
    if issubclass(item, PonyStudioError)
]


def test_it_is_said_where_what_and_what_to_do():
    error = MissingFile("There is no a.png.", node="load", socket="file", remedy="Choose another.")
    assert str(error) == "load.file: There is no a.png. Choose another."
    assert str(PonyStudioError("Nothing to do.")) == "Nothing to do."
    assert PonyStudioError("No.", where="a.json", node="load").where == "a.json"
    assert PonyStudioError("No.", node="load").where == "load"


def test_what_strangers_say_is_cut():
    long = "x" * 1_000_000
    error = MissingFile(long, remedy=long, node=long, socket=long)
    assert len(str(error)) < 5000
    assert len(str(MissingFile("No.", where=long))) < 10_000
    assert shortened("a" * 10 + "b" * 10, 9) == "aaaa…bbbb"
    assert shortened("as it is") == "as it is"
    assert listed(["a", "b"]) == "a, b"
    assert listed(f"n{i}" for i in range(1005)) == "n0, n1, n2, n3, n4 and 1,000 more"
    assert len(listed([long] * 9)) < 600


@pytest.mark.parametrize("kind", CLASSES)
def test_it_is_the_same_in_another_process(kind):
    error = kind("What.", where="here", remedy="Do that.", node="n", socket="s")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert vars(again) == vars(error)


@pytest.mark.parametrize("kind", CLASSES)
def test_it_has_an_exit_code_and_a_place_among_the_others(kind):
    assert kind.exit_code == (2 if issubclass(kind, BadInput) else 1)
    assert kind is PonyStudioError or issubclass(kind, BadInput | RunError)
    assert kind.__name__ in errors.__doc__ or issubclass(kind, errors.NotANumber)


def test_a_stop_is_not_taken_for_an_error():
    assert not issubclass(Cancelled, Exception)
    assert Cancelled.exit_code == 130
