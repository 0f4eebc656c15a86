"""How a picture was made, out of the texts that it carries or that somebody pasted, told by what
they say and never by their names: `parameters` is A1111's text, SwarmUI's JSON or Fooocus's.

One more writer is a module with `read`, and its row in `_READERS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ponystudio.graph.comfyui.source_graph import parsed
from ponystudio.graph.generation import (
    civitai,
    fooocus,
    infotext,
    invokeai,
    novelai,
    swarmui,
)
from ponystudio.graph.generation.generation_params import GenerationParams

# Letters of a JSON text that is looked into: hundreds of times what any of them has.
LONGEST_JSON = 2**22
_READERS = (swarmui.read, fooocus.read, invokeai.read, novelai.read, civitai.read)
# Where writers put it, the likely one first; whatever else a picture carries comes after these.
_USUAL = ("parameters", "invokeai_metadata", "sd-metadata", "Dream", "Comment", "Description")
# Of all texts of a picture together.
_MOST_LETTERS = 2**23
_NOTHING: Mapping[str, str] = MappingProxyType({})
# Of a latent's side, in px.
_SMALLEST, _STEP = 64, 8


def params_in(fields: Mapping[str, str]) -> GenerationParams | None:
    """Of the texts of a picture, by name; None where none of them says it. Raises GraphFileError
    as `params_of` does."""
    for text in _texts(fields):
        if (found := params_of(text, fields)) is not None:
            return found
    return None


def of_size(params: GenerationParams, width: int, height: int) -> GenerationParams:
    """With the size of the picture in px, for writers that do not tell it, as a latent can have
    it."""
    width, height = (max(_SMALLEST, side // _STEP * _STEP) for side in (width, height))
    return replace(params, width=width, height=height)


def params_of(text: str, fields: Mapping[str, str] = _NOTHING) -> GenerationParams | None:
    """Of one text; None for one that does not say how a picture was made. `fields` are those that
    stand beside it.

    Raises GraphFileError for what is of that kind and says nothing.
    """
    document = document_of(text)
    if document is not None:
        return params_of_document(document, fields)
    if not infotext.looks_like(text):
        return invokeai.read_dream(text)
    params = infotext.read(text)
    return fooocus.amended(params) if fooocus.is_infotext(params) else params


def params_of_document(
    document: Any, fields: Mapping[str, str] = _NOTHING
) -> GenerationParams | None:
    """The same of parsed JSON."""
    for read in _READERS:
        found: GenerationParams | None = None
        if isinstance(document, Mapping) or read is civitai.read:
            found = read(document, fields)
        if found is not None:
            return found
    if isinstance(document, Mapping) and isinstance(text := document.get("Comment"), str):
        # All fields of a picture as one text.
        beside = {name: value for name, value in document.items() if isinstance(value, str)}
        inner = document_of(text)
        return novelai.read(inner, beside) if isinstance(inner, Mapping) else None
    return None


def document_of(text: str) -> Any:
    """What a JSON text of an object or a list says; None for other texts."""
    if text[:100].lstrip("\ufeff \t\r\n")[:1] not in ("{", "[") or len(text) > LONGEST_JSON:
        return None
    return parsed(text.lstrip("\ufeff"))


def _texts(fields: Mapping[str, str]) -> Iterator[str]:
    """The likely ones first, until much is read in vain."""
    left = _MOST_LETTERS
    for name in (*_USUAL, *(name for name in fields if name not in _USUAL)):
        text = fields.get(name, "")
        left -= len(text)
        if left < 0:
            return
        yield text
