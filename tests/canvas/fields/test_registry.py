"""Which field shows which kind of param."""

from __future__ import annotations

import pytest

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.base import Field
from ponystudio.canvas.fields.number import NumberField
from ponystudio.canvas.fields.prompt import PromptField
from ponystudio.canvas.fields.registry import for_spec
from ponystudio.canvas.fields.rows import RowsField
from ponystudio.canvas.fields.swatch import ColourField
from ponystudio.canvas.fields.text import TextField


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (ParamSpec("x", "int", 1), NumberField),
        (ParamSpec("x", "text", ""), TextField),
        (ParamSpec("x", "text", "", lines=4), PromptField),
        (ParamSpec("x", "text", "#000000", colour=True), ColourField),
        (ParamSpec("x", "rows", [], fields=(ParamSpec("file", "file", ""),)), RowsField),
        (ParamSpec("x", "of a later version", None), Field),
    ],
)
def test_a_param_has_the_field_of_its_kind(qapp, spec, kind):
    assert type(for_spec(spec)) is kind
