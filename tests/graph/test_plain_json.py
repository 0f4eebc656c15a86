"""Values that may stand in a graph, each in one spelling."""

from __future__ import annotations

import math

import pytest

from ponystudio.errors import ParamRange, ParamType
from ponystudio.graph.plain_json import DEPTH, plain, plain_text, shown


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_equal_values_have_one_spelling():
    given = {"a": (1, True, None), "b": {"c": -0.0, "d": "x\ud800"}}
    found = plain(given)
    assert found == {"a": [1, True, None], "b": {"c": 0.0, "d": "x\ufffd"}}
    assert math.copysign(1, found["b"]["c"]) == 1
    assert type(found["a"]) is list


@pytest.mark.parametrize("number", [2**64 - 1, -(2**64) + 1, 1e300])
def test_numbers_that_others_can_carry(number):
    assert plain(number) == number


@pytest.mark.parametrize("number", [2**64, math.nan, math.inf, -math.inf])
def test_numbers_that_they_cannot(number):
    with pytest.raises(ParamRange):
        plain([number])


@pytest.mark.parametrize(
    ("value", "words"),
    [({1: 2}, "names in a mapping"), (b"x", "type bytes"), ({"a": {1, 2}}, "type set")],
)
def test_what_json_cannot_say(value, words):
    with pytest.raises(ParamType, match=words):
        plain(value)


def test_how_deep_a_value_may_be():
    assert plain(nested(DEPTH)) == nested(DEPTH)
    with pytest.raises(ParamType, match="deeper than 100"):
        plain(nested(DEPTH + 1))


def test_whole_characters_stay():
    assert plain_text("é🦄") == "é🦄"


def test_what_a_message_shows_is_short():
    assert [shown(value) for value in (None, True, "a", 1.5)] == ["null", "true", "'a'", "1.5"]
    assert shown("x" * 100) == "'" + "x" * 58 + "…"
    assert shown(10**5000) == "a very large int"
