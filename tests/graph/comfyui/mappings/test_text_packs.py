"""Texts of packs, in both forms, each with the whole graph that they come to."""

from __future__ import annotations

import pytest

from helpers.comfyui_graphs import api, told, ui, written_out
from ponystudio.graph.comfyui.importer import import_document


def one(value):
    return {"text_1": ("core.text", {"value": value}, {})}


@pytest.mark.parametrize(
    ("type", "values", "inputs", "text"),
    [
        ("StringConstant", ["a"], {"string": "a"}, "a"),
        ("StringConstantMultiline", ["a\nb", False], {"string": "a\nb"}, "a\nb"),
        ("Text Multiline", ["a\n# note\nb\n #x"], {"text": "a\n# note\nb\n #x"}, "a\nb"),
        ("Text Multiline (Code Compatible)", ["#a"], {"text": "#a"}, "#a"),
        ("CR Prompt Text", ["a"], {"prompt": "a"}, "a"),
        ("CR Text", ["a"], {"text": "a"}, "a"),
        ("String Literal", ["a"], {"string": "a"}, "a"),
        ("String Literal (Image Saver)", ["a"], {"string": "a"}, "a"),
        ("easy string", ["a"], {"value": "a"}, "a"),
        ("easy positive", ["a"], {"positive": "a"}, "a"),
        ("easy negative", ["a"], {"negative": "a"}, "a"),
        (
            "ImpactWildcardProcessor",
            ["{a|b}", "a", "populate", 7, "randomize", "Select the Wildcard to add to the text"],
            {"wildcard_text": "{a|b}", "populated_text": "a", "mode": True, "seed": 7},
            "a",
        ),
        ("ShowText|pysssss", [["a"]], {"text_0": "a"}, "a"),
    ],
)
def test_a_text(type, values, inputs, text):
    for document in (ui(n1=(type, values)), api(n1=(type, inputs))):
        assert written_out(document) == one(text)
        assert told(document) == []


def test_wildcards_that_were_not_filled_in_are_told():
    document = ui(n1=("ImpactWildcardProcessor", ["a {b|c}", "", "populate", 7, "fixed", ""]))
    assert written_out(document) == one("a {b|c}")
    assert told(document) == ["its wildcards were not filled in when the graph was saved"]


def test_lines_that_newer_versions_join_are_told():
    document = ui(n1=("StringConstantMultiline", ["a\nb", True]))
    assert written_out(document) == one("a\nb")
    assert told(document) == ["its lines are kept; newer versions of it make one of them"]


def test_a_text_is_shown_and_passes_on():
    expected = {
        "text_1": ("core.text", {"value": "pony"}, {}),
        "show_value_2": ("core.show_value", {}, {"value": "text_1.text"}),
        "encode_prompt_3": (
            "core.encode_prompt",
            {"dialect": "comfyui", "empty": "encode"},
            {"text": "text_1.text"},
        ),
    }
    document = ui(
        n1=("StringConstant", ["pony"]),
        n2=("ShowText|pysssss", ["an older one"], {"text": (1, 0)}),
        n3=("CLIPTextEncode", [], {"text": (2, 0)}),
    )
    assert written_out(document) == expected
    other = api(
        n1=("StringConstant", {"string": "pony"}),
        n2=("ShowText|pysssss", {"text": (1, 0), "text_0": "an older one"}),
        n3=("CLIPTextEncode", {"text": (2, 0)}),
    )
    assert written_out(other) == expected
    assert told(document) == told(other) == []


@pytest.mark.parametrize("values", [["a pony"], [["a pony"]]])
def test_a_shown_text_of_an_unknown_node_is_that_of_its_last_run(values):
    document = ui(
        n1=("Tagger", []),
        n2=("ShowText|pysssss", values, {"text": (1, 0)}),
        n3=("CLIPTextEncode", [], {"text": (2, 0)}),
    )
    found = written_out(document)
    assert found["text_2"] == ("core.text", {"value": "a pony"}, {})
    assert found["encode_prompt_3"][2] == {"text": "text_2.text"}
    assert told(document) == [
        "it brings the text of its last run: what led to it is not known here"
    ]


JOINED = {"a": "x", "b": "y", "separator": ", ", "skip_empty": True}


@pytest.mark.parametrize(
    ("type", "values", "inputs", "params"),
    [
        (
            "Text Concatenate",
            [", ", "true", "x ", "", "y"],
            {"delimiter": ", ", "clean_whitespace": "true", "text_a": "x ", "text_c": "y"},
            JOINED,
        ),
        (
            "Text Concatenate",
            ["\\n", "false", "x ", "y"],
            {"delimiter": "\\n", "clean_whitespace": "false", "text_a": "x ", "text_b": "y"},
            {**JOINED, "a": "x ", "separator": "\n"},
        ),
        (
            "JoinStrings",
            ["x", "y", " "],
            {"string1": "x", "string2": "y", "delimiter": " "},
            {**JOINED, "separator": " ", "skip_empty": False},
        ),
        (
            "CR Text Concatenate",
            ["x", "", "-"],
            {"text1": "x", "text2": "", "separator": "-"},
            {"a": "x", "b": "", "separator": "-", "skip_empty": False},
        ),
    ],
)
def test_texts_put_together(type, values, inputs, params):
    for document in (ui(n1=(type, values)), api(n1=(type, inputs))):
        assert written_out(document) == {"join_texts_1": ("core.join_texts", params, {})}
        assert told(document) == []


def test_several_texts_are_joined_one_after_the_other():
    wires = {"text_a": (1, 0), "text_b": (2, 0), "text_c": (3, 0)}
    document = ui(
        n1=("StringConstant", ["a"]),
        n2=("StringConstant", [" b"]),
        n3=("StringConstant", ["c"]),
        n4=("Text Concatenate", [", ", "true"], wires),
        n5=("JoinStringMulti", [2, "-", False], {"string_1": (1, 0), "string_2": (4, 0)}),
    )
    found = written_out(document)
    assert found["join_texts_4_1"] == (
        "core.join_texts",
        {"separator": ", ", "skip_empty": True},
        {"a": "text_1.text", "b": "text_2.text"},
    )
    assert found["join_texts_4"] == (
        "core.join_texts",
        {"separator": ", ", "skip_empty": True},
        {"a": "join_texts_4_1.text", "b": "text_3.text"},
    )
    assert found["join_texts_5"] == (
        "core.join_texts",
        {"separator": "-", "skip_empty": False},
        {"a": "text_1.text", "b": "join_texts_4.text"},
    )
    assert told(document) == ["spaces at the ends of texts that wires bring are kept"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["append", "yes", "a  b ,", "c", "", ""], "a b,, c"),
        (["append", "no", "a", "b", "c", ""], "abc"),
        (["append", "yes", "a", "", "c", ""], "a, c"),
    ],
)
def test_a_function_of_texts_that_are_known(values, text):
    names = ("action", "tidy_tags", "text_a", "text_b", "text_c")
    expected = one(text.replace(",,", ","))
    for document in (
        ui(n1=("StringFunction|pysssss", values)),
        api(n1=("StringFunction|pysssss", dict(zip(names, values[:5], strict=True)))),
    ):
        assert written_out(document) == expected
        assert told(document) == []


def test_a_function_of_texts_that_wires_bring():
    document = ui(
        n1=("Tagger", []),
        n2=("StringFunction|pysssss", ["append", "yes", "", "hat", ""], {"text_a": (1, 0)}),
        n3=("StringFunction|pysssss", ["replace", "no", "", "hat", "cap"], {"text_a": (2, 0)}),
    )
    found = written_out(document)
    assert found["join_texts_2"] == (
        "core.join_texts",
        {"b": "hat", "separator": ", ", "skip_empty": True},
        {"a": "Tagger_1.output 0"},
    )
    assert found["replace_text_3"] == (
        "core.replace_text",
        {"find": "hat", "replace": "cap"},
        {"text": "join_texts_2.text"},
    )
    assert told(document) == ["spaces and commas that are there twice are not tidied up"]


def test_a_pattern_is_not_run():
    document = ui(n1=("StringFunction|pysssss", ["replace", "no", "aaa", "/(a+)+$/", "b"]))
    assert list(import_document(document).placeholders.values()) == ["StringFunction|pysssss"]
    assert told(document) == ["it replaces by a pattern, which is not done here"]
