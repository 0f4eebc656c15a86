"""The notes that A1111 and Civitai's helpers keep beside a model file, out of their JSON.

For the reader's process alone: whatever stands in such a file, little and short comes out of it.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from ponystudio.pictures.reader_protocol import SidecarNotes
from ponystudio.system.json_reader import read_json

# Bytes of a file that are read.
LONGEST = 4 * 2**20
# Letters of anything that is said, far above what authors write; and how many words.
LONGEST_TEXT, MOST_WORDS = 20_000, 200


def notes_in(file: BinaryIO) -> SidecarNotes:
    """What the file says; nothing, where it is too long or no JSON object."""
    file.seek(0)
    data = file.read(LONGEST + 1)
    try:
        said = read_json(data.decode("utf-8")) if len(data) <= LONGEST else None
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return SidecarNotes()
    model, words = said.get("model"), said.get("trainedWords")
    return SidecarNotes(
        model_name=_text(model.get("name")) if isinstance(model, dict) else "",
        notes=_text(said.get("notes")),
        description=_text(said.get("description")),
        base=_text(said.get("baseModel")) or _text(said.get("sd version")),
        licence=_licence(said, model if isinstance(model, dict) else {}),
        activation_text=_text(said.get("activation text")),
        trained_words=tuple(map(_text, words[:MOST_WORDS])) if isinstance(words, list) else (),
    )


# What Civitai's flags, where they say so, ask of those who use a model.
_TERMS = (
    ("allowNoCredit", "its maker is to be credited"),
    ("allowDerivatives", "no merges of it"),
    ("allowDifferentLicense", "merges under the same terms"),
)


def _licence(said: dict[str, Any], model: dict[str, Any]) -> str:
    """A licence by its name, and the terms that are flags of Civitai's, in words."""
    found = [_text(said.get("license")) or _text(model.get("license"))]
    found += [words for flag, words in _TERMS if model.get(flag) is False]
    if "allowCommercialUse" in model:
        uses = model["allowCommercialUse"]
        uses = uses if isinstance(uses, list) else [uses]
        # Of older notes one word that includes those before it.
        if not {"Image", "Rent", "RentCivit", "Sell"} & {use for use in uses if _text(use)}:
            found.append("pictures are not to be sold")
    return "; ".join(filter(None, found))


def _text(value: Any) -> str:
    """Without halves of surrogate pairs, which no encoding can carry."""
    if not isinstance(value, str):
        return ""
    return value[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
