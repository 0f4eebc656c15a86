"""How large cards are, as it is worked out without a canvas and as the canvas knows it."""

from __future__ import annotations

import pytest

from helpers.drops import CATALOG
from ponystudio.canvas.fields.registry import for_spec
from ponystudio.canvas.scene.card_layout import layout
from ponystudio.graph.editing.card_sizes import card_size, card_width
from ponystudio.graph.model import Link, Node
from ponystudio.widgets import metrics

TEXT = "masterpiece, best quality, a pony in the rain, " * 6


def sizes(node, looks=(), outputs=()):
    spec = CATALOG.get(node.type)
    fields = {}
    laid_out = layout(
        node, spec, dict(looks), lambda param: fields.setdefault(param.name, for_spec(param)),
        outputs,
    ).size  # fmt: skip
    return card_size(node, spec, dict(looks), len(outputs)), (laid_out.width(), laid_out.height())


@pytest.mark.parametrize("looks", [{}, {"width": 400}, {"collapsed": True}])
def test_every_card_is_as_large_as_was_thought(qapp, looks):
    for type in CATALOG:
        thought, real = sizes(Node("a", type), looks)
        assert thought == pytest.approx(real, abs=1), type


def test_cards_with_texts_are_about_so_large(qapp):
    for text in ("", "a pony", TEXT, TEXT * 9, "a\nb\nc\nd\ne"):
        node = Node("a", "core.encode_prompt", params={"text": text})
        thought, real = sizes(node)
        assert thought[1] == pytest.approx(real[1], abs=3 * 18), text


def test_cards_of_nodes_that_are_not_known(qapp):
    node = Node("a", "comfyui.Strange", inputs={"x": Link("b", "y"), "z": Link("b", "y")})
    for outputs in ((), ("a", "b", "c")):
        thought, real = sizes(node, outputs=outputs)
        assert thought == pytest.approx(real, abs=1)


def test_rows_grow_with_what_is_in_them(qapp):
    rows = [{"on": True}] * 3
    thought, real = sizes(Node("a", "core.apply_loras", params={"loras": rows}))
    assert thought == pytest.approx(real, abs=1)


@pytest.mark.parametrize("said", [None, True, "wide", float("nan"), 1e300, -5, 200, 241, 300.5])
def test_widths_are_those_of_the_canvas(said):
    assert card_width(said) == metrics.card_width(said)
