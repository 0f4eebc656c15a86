"""Files of textual inversions without their numbers: which tensors hold vectors, and how many those
are. Torch-free.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from ponystudio.errors import WrongKind
from ponystudio.library.recognition.lora_layers import BUNDLED
from ponystudio.pictures.picture_reader import read_vectors

PICTURES = (".png", ".webp")
# SDXL's text encoders, each with vectors of its own.
PAIR = frozenset({"clip_l", "clip_g"})
LAYER = re.compile(r"\.(weight|bias|alpha)$")


class Bundled(NamedTuple):
    """A textual inversion in a LoRA file, of the word that it is called by there."""

    path: Path
    word: str


def bundled(path: Path) -> dict[str, Bundled]:
    """Word → textual inversion, of all that a LoRA file brings. Reads only its header."""
    from ponystudio.library.formats.weights_file import open_weights

    with open_weights(path) as file:
        found = [match["word"] for name in file.tensors if (match := BUNDLED.match(name))]
    return {word: Bundled(path, word) for word in found}


def count_vectors(source: Path | Bundled, part: str = "clip_l") -> int:
    """How many tokens' places it takes, by the shapes in the file's header.

    Raises what `read_embedding` raises for files that hold none.
    """
    from ponystudio.library.formats.weights_file import open_weights

    path, word = place_of(source)
    if path.suffix.lower() in PICTURES:
        return sum(map(len, read_vectors(path).values()))
    start = beginning(word)
    with open_weights(path) as file:
        shapes = {
            name.removeprefix(start): info.shape
            for name, info in file.tensors.items()
            if name.startswith(start) and len(info.shape) in (1, 2)
        }
    counts = [
        1 if len(shapes[name]) == 1 else shapes[name][0] for name in names_of_vectors(shapes, part)
    ]
    if not counts:
        raise no_embedding(path)
    return sum(counts)


def place_of(source: Path | Bundled) -> tuple[Path, str]:
    """Its file, and the word that it is called by there; "" where it has a file of its own."""
    return source if isinstance(source, Bundled) else (source, "")


def beginning(word: str) -> str:
    """How the names of its tensors begin."""
    return f"bundle_emb.{word}." if word else ""


def no_embedding(path: Path) -> WrongKind:
    return WrongKind(
        "There is no textual inversion in this file.",
        where=str(path),
        remedy="Choose another file, or take its name out of the prompt.",
    )


def names_of_vectors(names: Collection[str], part: str) -> list[str]:
    """What stands under `part`, else under A1111's key, else under any word."""
    for key in (part, "string_to_param"):
        if found := [name for name in names if key in name.split(".")]:
            return found
    # A file of layers is none, though some of them may have the width of a vector.
    return [] if any(map(LAYER.search, names)) else list(names)


def is_pair(names: Collection[str]) -> bool:
    """Whether it is made for both of SDXL's text encoders."""
    return {part for name in names for part in name.split(".")} >= PAIR
