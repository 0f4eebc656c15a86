"""What a model file, and the notes that others keep beside it, say of it to people.

Read are the metadata of the file (modelspec.* and the training log ss_*) and the sidecars of A1111
(`<name>.json`) and of Civitai's helpers (`<name>.civitai.info`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from ponystudio.errors import DamagedFile, MissingFile
from ponystudio.pictures.picture_reader import read_sidecar
from ponystudio.pictures.reader_protocol import SidecarNotes
from ponystudio.system.json_reader import read_json

SIDECARS = (".civitai.info", ".json")
LONGEST = 4 << 20
"""Letters of a training log that are read."""
LONGEST_TEXT = 20_000
"""Letters of anything that is said; far above what authors write."""
MOST_TAGS = 24
MOST_WORDS = 200
_MARKUP = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class ModelNotes:
    """`words` trigger what the file was trained on; `tags` are (tag, pictures that had it), the
    most frequent first; `base` is the model that it was trained on or belongs to."""

    title: str = ""
    author: str = ""
    licence: str = ""
    notes: str = ""
    base: str = ""
    resolution: str = ""
    pictures: str = ""
    words: tuple[str, ...] = ()
    tags: tuple[tuple[str, int], ...] = ()


def said_of(path: Path, metadata: Mapping[str, str]) -> ModelNotes:
    """All that is said of the file at `path`; what makes no sense is passed over."""
    beside = [_sidecar(path.with_suffix(suffix)) for suffix in SIDECARS]

    def first(*values: Any) -> str:
        return next((text for value in values if (text := _text(value))), "")

    return ModelNotes(
        title=first(metadata.get("modelspec.title"), *(each.model_name for each in beside)),
        author=first(metadata.get("modelspec.author")),
        licence=first(
            metadata.get("modelspec.license"),
            metadata.get("license"),
            *(each.licence for each in beside),
        ),
        notes=first(
            *(each.notes for each in beside),
            metadata.get("modelspec.usage_hint"),
            *(each.description for each in beside),
            metadata.get("modelspec.description"),
            metadata.get("ss_training_comment"),
        ),
        base=first(
            *(each.base for each in beside),
            metadata.get("ss_sd_model_name"),
            metadata.get("ss_base_model_version"),
            metadata.get("modelspec.architecture"),
        ),
        resolution=first(metadata.get("modelspec.resolution"), metadata.get("ss_resolution")),
        pictures=first(metadata.get("ss_num_train_images")),
        words=_words(metadata, beside),
        tags=_tags(metadata.get("ss_tag_frequency", "")),
    )


def _words(metadata: Mapping[str, str], beside: Iterable[SidecarNotes]) -> tuple[str, ...]:
    found = [metadata.get("modelspec.trigger_phrase", "")]
    for each in beside:
        found += map(_text, (*each.trained_words, each.activation_text))
    words = (word.strip() for phrase in found for word in phrase[:LONGEST_TEXT].split(","))
    return tuple(dict.fromkeys(word for word in words if word))[:MOST_WORDS]


def _tags(log: str) -> tuple[tuple[str, int], ...]:
    """From kohya's training log: tags by folder of the pictures, with how often each stood."""
    if len(log) > LONGEST:
        return ()
    counts: Counter[str] = Counter()
    for folder in _mapping(_parsed(log)).values():
        for tag, count in _mapping(folder).items():
            if isinstance(count, int) and tag.strip():
                counts[tag.strip()] += count
    return tuple(counts.most_common(MOST_TAGS))


def _sidecar(path: Path) -> SidecarNotes:
    """Read by the process that reads what strangers write."""
    try:
        return read_sidecar(path) if path.is_file() else SidecarNotes()
    except (DamagedFile, MissingFile, OSError):
        return SidecarNotes()


def _parsed(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """As plain text: Civitai's descriptions are HTML, and "None" is how trainers say nothing."""
    if not isinstance(value, str):
        return ""
    text = _MARKUP.sub(" ", value[:LONGEST_TEXT])
    with suppress(ValueError):  # a number of thousands of digits
        text = unescape(text)
    return "" if text.strip() == "None" else text.strip()
