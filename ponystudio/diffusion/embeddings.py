"""Textual inversion: files that hold the vectors of a word of their own.

Read are: A1111's `.pt` (`string_to_param`), diffusers' `learned_embeds` (`{"<word>": vector}`) as
pickle or safetensors, lists of those, `emb_params`, SDXL pairs (`clip_l`, `clip_g`), A1111
pictures that carry one in a text field, and those that kohya bundles into LoRA files
(`bundle_emb.<word>.…`). Pickles go through the reader that executes nothing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ponystudio.errors import DamagedFile, MismatchedValues, WrongKind

if TYPE_CHECKING:
    from torch import Tensor

PICTURES = (".png", ".webp")
PICTURE_FIELD = "sd-ti-embedding"
BUNDLED = re.compile(r"bundle_emb\.(?P<word>[^.]+)\.")
LAYER = re.compile(r"\.(weight|bias|alpha)$")
# No word has more vectors than the longest prompts have places.
MOST_VECTORS = 75 * 64

WIDTHS = {768: "SD1 (or SDXL's first text encoder)", 1024: "SD2", 1280: "SDXL"}


class Bundled(NamedTuple):
    """A textual inversion in a LoRA file, of the word that it is called by there."""

    path: Path
    word: str


def bundled(path: Path) -> dict[str, Bundled]:
    """Word → textual inversion, of all that a LoRA file brings. Reads only its header."""
    from ponystudio.library.weights import open_weights

    with open_weights(path) as file:
        found = [match["word"] for name in file.tensors if (match := BUNDLED.match(name))]
    return {word: Bundled(path, word) for word in found}


def count_vectors(source: Path | Bundled, part: str = "clip_l") -> int:
    """How many tokens' places it takes, by the shapes in the file's header: torch-free.

    Raises what `read_embedding` raises for files that hold none.
    """
    from ponystudio.library.weights import open_weights

    path, word = _of(source)
    if path.suffix.lower() in PICTURES:
        return sum(map(len, _rows_of_picture(path).values()))
    start = _start(word)
    with open_weights(path) as file:
        shapes = {
            name.removeprefix(start): info.shape
            for name, info in file.tensors.items()
            if name.startswith(start) and len(info.shape) in (1, 2)
        }
    counts = [1 if len(shapes[name]) == 1 else shapes[name][0] for name in _names(shapes, part)]
    if not counts:
        raise _no_embedding(path)
    return sum(counts)


def read_embedding(source: Path | Bundled, width: int, part: str = "clip_l") -> Tensor:
    """The vectors of a textual inversion, float32 [n,width] on the CPU.

    `part` says whose vectors to take where a file holds those of several text encoders.
    Raises WrongKind for a file without vectors, MismatchedValues for another width, and what
    `library.open_weights` raises for damaged and unsafe files.
    """
    import torch

    path, word = _of(source)
    is_picture = path.suffix.lower() in PICTURES
    tensors = _from_picture(path) if is_picture else _from_weights(path, word)
    found = _vectors_among(tensors, part)
    if not found:
        raise _no_embedding(path)
    fitting = [tensor for tensor in found if tensor.shape[1] == width]
    if not fitting:
        other = found[0].shape[1]
        raise MismatchedValues(
            f"This embedding has {other} numbers a vector and is made for "
            f"{WIDTHS.get(other, 'another model')}; the text encoder reads {width}.",
            where=str(path),
            remedy="Use it with a model of its own family.",
        )
    vectors = torch.cat(fitting).float()
    if len(vectors) > MOST_VECTORS or not bool(vectors.isfinite().all()):
        raise DamagedFile("The vectors of this embedding make no sense.", where=str(path))
    return vectors


def _of(source: Path | Bundled) -> tuple[Path, str]:
    return source if isinstance(source, Bundled) else (source, "")


def _start(word: str) -> str:
    """How the names of its tensors begin."""
    return f"bundle_emb.{word}." if word else ""


def _no_embedding(path: Path) -> WrongKind:
    return WrongKind(
        "There is no textual inversion in this file.",
        where=str(path),
        remedy="Choose another file, or take its name out of the prompt.",
    )


def _vectors_among(tensors: Mapping[str, Tensor], part: str) -> list[Tensor]:
    """[n,width] each."""
    found = (tensors[name] for name in _names(tensors, part))
    return [tensor.reshape(-1, tensor.shape[-1]) for tensor in found if tensor.ndim in (1, 2)]


def _names(names: Collection[str], part: str) -> list[str]:
    """What stands under `part`, else under A1111's key, else under any word."""
    for key in (part, "string_to_param"):
        if found := [name for name in names if key in name.split(".")]:
            return found
    # A file of layers is none, though some of them may have the width of a vector.
    return [] if any(map(LAYER.search, names)) else list(names)


def _from_weights(path: Path, word: str) -> dict[str, Tensor]:
    """All tensors; in a LoRA file those of a word, by what stands behind it."""
    from ponystudio.diffusion.weights import tensor
    from ponystudio.library.weights import open_weights

    start = _start(word)
    with open_weights(path) as file:
        return {
            name.removeprefix(start): tensor(file, name).clone()
            for name in file.tensors
            if name.startswith(start)
        }


def _from_picture(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        return {
            f"string_to_param.{name}": torch.tensor(rows, dtype=torch.float32)
            for name, rows in _rows_of_picture(path).items()
        }
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise _damaged_picture(path, error) from None


def _rows_of_picture(path: Path) -> dict[str, list[Any]]:
    """A1111 writes base64 of JSON, tensors as {"TORCHTENSOR": rows}, into a text field."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "WEBP")) as picture:
            field = picture.info.get(PICTURE_FIELD)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DamagedFile(f"This picture cannot be read ({error}).", where=str(path)) from None
    if field is None:
        return {}
    try:
        params: dict[str, Any] = json.loads(base64.b64decode(field))["string_to_param"]
        return {name: list(rows["TORCHTENSOR"]) for name, rows in params.items()}
    # JSON that is nested without end raises RecursionError.
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged_picture(path, error) from None


def _damaged_picture(path: Path, error: Exception) -> DamagedFile:
    return DamagedFile(f"The embedding in this picture is damaged ({error}).", where=str(path))
