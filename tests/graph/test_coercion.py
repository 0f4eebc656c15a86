from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.graphs import CATALOG, STACK
from ponystudio.api import ParamSpec
from ponystudio.errors import GraphError, ParamChoice, ParamRange, ParamType
from ponystudio.graph.validation import coerce

SAMPLE = CATALOG["t.sample"].param_by_name
FREE_FLOAT, FREE_INT = ParamSpec("x", "float", 0.0), ParamSpec("n", "int", 0)


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        (SAMPLE["cfg"], 7, 7.0),
        (SAMPLE["cfg"], 0, 0.0),
        (SAMPLE["cfg"], 100, 100.0),
        (SAMPLE["seed"], 2**64 - 1, 2**64 - 1),
        (SAMPLE["steps"], 1, 1),
        (SAMPLE["sampler"], "heun", "heun"),
        (SAMPLE["verbose"], True, True),
        (FREE_INT, -(2**64) + 1, -(2**64) + 1),
        (ParamSpec("t", "text", ""), "ponies 🦄 \ud83e", "ponies 🦄 \ufffd"),
        (ParamSpec("f", "file", ""), "a/b.safetensors", "a/b.safetensors"),
        (STACK, [], []),
        (STACK, ({"file": "a"},), [{"file": "a", "strength": 1.0, "on": True}]),
        (STACK, [{"strength": 2, "on": False}], [{"file": "", "strength": 2.0, "on": False}]),
    ],
)
def test_accepts(spec, value, expected):
    found = coerce(spec, value)
    assert found == expected
    assert type(found) is type(expected)


def test_minus_zero_is_zero():
    assert math.copysign(1, coerce(FREE_FLOAT, -0.0)) == 1


def test_numbers_in_rows_are_coerced_too():
    strength = coerce(STACK, [{"strength": 1}])[0]["strength"]
    assert isinstance(strength, float)


@pytest.mark.parametrize(
    ("spec", "value", "error"),
    [
        (SAMPLE["steps"], True, ParamType),
        (SAMPLE["steps"], 7.0, ParamType),
        (SAMPLE["steps"], "7", ParamType),
        (SAMPLE["steps"], None, ParamType),
        (SAMPLE["steps"], 0, ParamRange),
        (SAMPLE["steps"], 1001, ParamRange),
        (SAMPLE["seed"], -1, ParamRange),
        (SAMPLE["seed"], 2**64, ParamRange),
        (SAMPLE["cfg"], False, ParamType),
        (SAMPLE["cfg"], "7", ParamType),
        (SAMPLE["cfg"], math.nan, ParamRange),
        (SAMPLE["cfg"], math.inf, ParamRange),
        (SAMPLE["cfg"], 100.1, ParamRange),
        (FREE_FLOAT, -math.inf, ParamRange),
        (FREE_FLOAT, 10**400, ParamRange),
        pytest.param(FREE_INT, 10**5000, ParamRange, id="thousands of digits"),
        (SAMPLE["sampler"], "hen", ParamChoice),
        (SAMPLE["sampler"], 3, ParamType),
        (SAMPLE["verbose"], 1, ParamType),
        (ParamSpec("t", "text", ""), 3, ParamType),
        (STACK, {}, ParamType),
        (STACK, [3], ParamType),
        (STACK, [{"weight": 1}], ParamType),
        (STACK, [{}, {"strength": 3}], ParamRange),
    ],
)
def test_refuses(spec, value, error):
    with pytest.raises(error) as caught:
        coerce(spec, value, node="sampler")
    assert type(caught.value) is error
    assert caught.value.node == "sampler"
    assert caught.value.socket.startswith(spec.name)
    assert len(str(caught.value)) < 300


def test_a_row_is_named_with_its_column():
    with pytest.raises(ParamRange) as caught:
        coerce(STACK, [{}, {"strength": 3}], node="lora")
    assert caught.value.where == "lora.stack[1].strength"


def test_remedies_name_the_range_and_near_choices():
    with pytest.raises(ParamRange, match="Use 1 to 1000"):
        coerce(SAMPLE["steps"], 0)
    with pytest.raises(ParamChoice, match="Did you mean euler"):
        coerce(SAMPLE["sampler"], "eular")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.sampled_from([*SAMPLE.values(), STACK, FREE_FLOAT, FREE_INT]), PLAIN)
def test_any_json_value_is_taken_or_refused_and_taking_is_idempotent(spec, value):
    try:
        once = coerce(spec, value)
    except GraphError:
        return
    assert coerce(spec, once) == once


@pytest.mark.parametrize("value", [-1, 2**64])
def test_there_is_no_random_seed_yet(value):
    with pytest.raises(ParamRange) as caught:
        coerce(SAMPLE["seed"], value)
    assert "0 to 2^64-1" in caught.value.remedy
    assert "random" in caught.value.remedy


@pytest.mark.parametrize(("value", "word"), [(None, "null"), (True, "true")])
def test_messages_speak_json(value, word):
    with pytest.raises(ParamType, match=f"^[^:]*: {word} is not a whole number"):
        coerce(SAMPLE["steps"], value, node="sampler")
