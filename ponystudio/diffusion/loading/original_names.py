"""What the tensors of a part are called in files of the original's layout, and of which of ours,
or of which rows of theirs, each is made. Torch-free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ponystudio.diffusion.architectures import architecture
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights import tensor_names
from ponystudio.diffusion.weights.name_table import FusedSlice
from ponystudio.diffusion.weights.text_tensor_names import originals as text_originals

# What stands before their names in a checkpoint.
DENOISER = "model.diffusion_model."


class OriginalPiece(NamedTuple):
    """One of our tensors, and what of the original one it is: all of it, or a cut."""

    ours: str
    cut: FusedSlice | None = None


Originals = Mapping[str, tuple[OriginalPiece, ...]]


def original_names(part: str, family: Family, ours: Iterable[str]) -> Originals:
    """The original's name of each tensor in a checkpoint → its pieces in their order.

    `ours` are our names of all tensors of the part.
    """
    named = {"model": _denoiser, "clip": text_originals, "vae": _autoencoder}
    pieces: defaultdict[str, list[OriginalPiece]] = defaultdict(list)
    for theirs, name, cut in named[part](family, list(ours)):
        pieces[theirs].append(OriginalPiece(name, cut))
    return {
        theirs: tuple(sorted(found, key=lambda piece: piece.cut.first if piece.cut else 0))
        for theirs, found in pieces.items()
    }


def vae_prefix(family: Family) -> str:
    """What stands before the names of an autoencoder in a checkpoint of a family."""
    return "vae." if family.name in ("auraflow", "flux") else "first_stage_model."


def _autoencoder(family: Family, ours: list[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    for theirs, mine in tensor_names.ldm_vae(ours).items():
        yield vae_prefix(family) + theirs, mine, None


def _denoiser(family: Family, ours: list[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    aliases: dict[str, tuple[str, FusedSlice | None]] = {}
    # Of several names for one of ours the first is the original's.
    for theirs, mine, cut in architecture(family.architecture).aliases(ours):
        aliases.setdefault(mine, (theirs, cut))
    for name in ours:
        module, _, leaf = name.rpartition(".")
        if name in aliases:
            yield DENOISER + aliases[name][0], name, aliases[name][1]
        elif module in aliases:
            theirs, cut = aliases[module]
            yield f"{DENOISER}{theirs}.{leaf}", name, cut
        else:
            yield DENOISER + name, name, None
