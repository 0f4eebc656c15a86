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
        activation_text=_text(said.get("activation text")),
        trained_words=tuple(map(_text, words[:MOST_WORDS])) if isinstance(words, list) else (),
    )


def _text(value: Any) -> str:
    """Without halves of surrogate pairs, which no encoding can carry."""
    if not isinstance(value, str):
        return ""
    return value[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
