"""Which field shows which kind of param."""

from __future__ import annotations

from collections.abc import Callable

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.base import Field
from ponystudio.canvas.fields.choice import ChoiceField
from ponystudio.canvas.fields.file import FileField
from ponystudio.canvas.fields.number import NumberField
from ponystudio.canvas.fields.prompt import PromptField
from ponystudio.canvas.fields.rows import RowsField
from ponystudio.canvas.fields.seed import SeedField
from ponystudio.canvas.fields.swatch import ColourField
from ponystudio.canvas.fields.text import TextField
from ponystudio.canvas.fields.toggle import ToggleField

_MAKERS: dict[str, Callable[[ParamSpec], Field]] = {
    "int": NumberField,
    "float": NumberField,
    "seed": SeedField,
    "choice": ChoiceField,
    "bool": ToggleField,
    "file": FileField,
    "rows": lambda spec: RowsField(spec, for_spec),
    "text": lambda spec: _text_field(spec)(spec),
}


def _text_field(spec: ParamSpec) -> type[Field]:
    if spec.colour:
        return ColourField
    return PromptField if spec.lines > 1 else TextField


def for_spec(spec: ParamSpec) -> Field:
    """A field for params of this spec; keep it, it serves all nodes of the kind."""
    return _MAKERS.get(spec.type, Field)(spec)
