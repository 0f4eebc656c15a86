"""Textual inversion: files that hold the vectors of a word of their own.

Read are: A1111's `.pt` (`string_to_param`), diffusers' `learned_embeds` (`{"<word>": vector}`) as
pickle or safetensors, lists of those, `emb_params`, SDXL pairs (`clip_l`, `clip_g`), A1111
pictures that carry one in a text field, and those that kohya bundles into LoRA files
(`bundle_emb.<word>.…`). Pickles go through the reader that executes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ponystudio.diffusion.weights.embedding_tensors import (
    PAIR,
    PICTURES,
    Bundled,
    beginning,
    is_pair,
    names_of_vectors,
    no_embedding,
    place_of,
)
from ponystudio.errors import DamagedFile, MismatchedValues
from ponystudio.pictures.picture_reader import read_vectors

if TYPE_CHECKING:
    from torch import Tensor

# No word has more vectors than the longest prompts have places.
MOST_VECTORS = 75 * 64

OWN_FAMILY = "Use it with a model of its own family."
WIDTHS = {768: "SD1 (or SDXL's first text encoder)", 1024: "SD2", 1280: "SDXL"}


def read_embedding(
    source: Path | Bundled, width: int, part: str = "clip_l", towers: Collection[str] = PAIR
) -> Tensor:
    """The vectors of a textual inversion, float32 [n,width] on the CPU.

    `part` says whose vectors to take where a file holds those of several text encoders; `towers`
    are all that the model has.
    Raises WrongKind for a file without vectors, MismatchedValues for another width or for a pair
    of which the model could read one half, and what `library.open_weights` raises for damaged and
    unsafe files.
    """
    import torch

    path, word = place_of(source)
    is_picture = path.suffix.lower() in PICTURES
    tensors = _from_picture(path) if is_picture else _from_weights(path, word)
    found = _vectors_among(tensors, part)
    if not found:
        raise no_embedding(path)
    if not PAIR.issubset(towers) and is_pair(tensors):
        # One half was never trained to do without the other: A1111 leaves such files out, too.
        raise MismatchedValues(
            "This embedding is a pair for SDXL's two text encoders, and this model has not both.",
            where=str(path),
            remedy=OWN_FAMILY,
        )
    fitting = [tensor for tensor in found if tensor.shape[1] == width]
    if not fitting:
        other = found[0].shape[1]
        raise MismatchedValues(
            f"This embedding has {other} numbers a vector and is made for "
            f"{WIDTHS.get(other, 'another model')}; the text encoder reads {width}.",
            where=str(path),
            remedy=OWN_FAMILY,
        )
    vectors = torch.cat(fitting).float()
    if not bool(vectors.isfinite().all()):
        raise DamagedFile(
            "The vectors of this embedding make no sense: there is a not-a-number or an infinite"
            " one among them.",
            where=str(path),
            remedy="Get the file again, or take its name out of the prompt.",
        )
    if len(vectors) > MOST_VECTORS:
        raise DamagedFile("The vectors of this embedding make no sense.", where=str(path))
    return vectors


def _vectors_among(tensors: Mapping[str, Tensor], part: str) -> list[Tensor]:
    """[n,width] each."""
    found = (tensors[name] for name in names_of_vectors(tensors, part))
    return [
        tensor.reshape(-1, tensor.shape[-1])
        for tensor in found
        if tensor.ndim in (1, 2) and tensor.is_floating_point()
    ]


def _from_weights(path: Path, word: str) -> dict[str, Tensor]:
    """All tensors; in a LoRA file those of a word, by what stands behind it."""
    from ponystudio.diffusion.weights.weights import tensor
    from ponystudio.library.formats.weights_file import open_weights

    start = beginning(word)
    with open_weights(path) as file:
        return {
            name.removeprefix(start): tensor(file, name).clone()
            for name in file.tensors
            if name.startswith(start)
        }


def _from_picture(path: Path) -> dict[str, Tensor]:
    import torch

    return {
        f"string_to_param.{name}": torch.from_numpy(rows.copy())
        for name, rows in read_vectors(path).items()
    }
