"""What the tensors of a LoRA file are, by their names and shapes: of which layer, and what of it;
read without the network that they are for. Torch-free.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ponystudio.diffusion.weights.embedding_tensors import BUNDLED
from ponystudio.errors import DamagedFile, UnsupportedModel, WrongKind

if TYPE_CHECKING:
    from ponystudio.library.formats.weights_file import TensorInfo

# Flattened layer name → role ("up", "down", "alpha", ...) → name of the stored tensor.
Layers = Mapping[str, Mapping[str, str]]

# What stands after a layer's name, and the role it plays.
ROLES = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora_A": "down",
    ".lora_B": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".alpha": "alpha",
    ".dora_scale": "dora",
    ".lora_magnitude_vector": "dora",
    ".lora_magnitude_vector.weight": "dora",
    ".lora_magnitude_vector.default.weight": "dora",
    ".diff": "diff",
    ".diff_b": "bias",
    ".w_norm": "diff",
    ".b_norm": "bias",
    **{f".hada_{name}": f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
    **{
        f".lokr_{name}": f"lokr_{name}"
        for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t1", "t2")
    },
}
# XLabs' processors of FLUX number the streams of picture and text.
NUMBERED = re.compile(r"\.processor\.(qkv|proj)_lora([12])(?=\.)")
STREAMS = {"1": "img_attn", "2": "txt_attn"}
# Kinds that are not read, by what only they have.
OTHER_KINDS = {
    r"\.oft_": "OFT",
    r"\.[ab][12]\.weight$": "GLoRA",
    r"\.on_input$": "IA³",
}
KIN = re.compile(r"lora|loha|hada|lokr|lycoris|adapter", re.IGNORECASE)
# What must stand together.
COMPLETE = (
    {"up", "down"},
    {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"},
    {"diff"},
    {"bias"},
    *(
        first | second
        for first in ({"lokr_w1"}, {"lokr_w1_a", "lokr_w1_b"})
        for second in ({"lokr_w2"}, {"lokr_w2_a", "lokr_w2_b"})
    ),
)


@dataclass(frozen=True)
class LoraContents:
    """The layers; the tensors of suffixes that are not known; the words of textual inversions."""

    layers: Layers
    unknown: tuple[str, ...]
    words: tuple[str, ...]


def contents(path: Path, tensors: Mapping[str, TensorInfo]) -> LoraContents:
    """What a LoRA file holds.

    Raises WrongKind, UnsupportedModel and DamagedFile for what is no set of complete layers.
    """
    for pattern, kind in OTHER_KINDS.items():
        if strange := next((name for name in tensors if re.search(pattern, name)), None):
            raise UnsupportedModel(
                f"This is a LoRA of the kind {kind} (it holds {strange!r}).",
                where=str(path),
                remedy="LoRA, LoCon, LoHa, LoKr, DoRA and whole differences are read.",
            )
    layers: defaultdict[str, dict[str, str]] = defaultdict(dict)
    unknown, words = [], []
    for name in tensors:
        if bundled := BUNDLED.match(name):
            words.append(bundled["word"])
        elif suffix := _suffix(plain := NUMBERED.sub(_stream, name)):
            layers[flat(plain.removesuffix(suffix))][ROLES[suffix]] = name
        else:
            unknown.append(name)
    if not layers:
        raise _no_layers(path, unknown)
    # A layer may have nothing but an alpha, which then is of no layer that was trained.
    whole = {name: roles for name, roles in layers.items() if roles.keys() != {"alpha"}}
    for name, roles in whole.items():
        if not any(needed <= roles.keys() for needed in COMPLETE):
            raise DamagedFile(f"The layer {name!r} lacks one of its matrices.", where=str(path))
        _check_layer(name, {role: tensors[key] for role, key in roles.items()}, path)
    return LoraContents(whole, tuple(unknown), tuple(dict.fromkeys(words)))


def _stream(numbered: re.Match[str]) -> str:
    layer, number = numbered.groups()
    return f".{STREAMS[number]}.{layer}_lora"


def _suffix(name: str) -> str:
    """What stands after the layer in a tensor's name, "" where that is unknown."""
    return max((suffix for suffix in ROLES if name.endswith(suffix)), key=len, default="")


def _no_layers(path: Path, unknown: list[str]) -> WrongKind | UnsupportedModel:
    if any(map(KIN.search, unknown)):
        return UnsupportedModel(
            f"This LoRA is written in a dialect that is not known here: none of its {len(unknown)}"
            f" tensors is named as one of a layer ({listed(unknown)}).",
            where=str(path),
            remedy="Look for the file in the naming of kohya, LyCORIS, PEFT or diffusers.",
        )
    return WrongKind(
        "There is no LoRA in this file.",
        where=str(path),
        remedy="Choose another file; a checkpoint is opened by Load checkpoint.",
    )


def _check_layer(name: str, roles: Mapping[str, TensorInfo], path: Path) -> None:
    """Raise DamagedFile for matrices that have no product, and an alpha that is no number."""
    pairs = [("up", "down", "mid"), ("lokr_w1_a", "lokr_w1_b", "lokr_t1")]
    pairs += [("lokr_w2_a", "lokr_w2_b", "lokr_t2")]
    pairs += [(f"hada_w{n}_a", f"hada_w{n}_b", f"hada_t{n}") for n in (1, 2)]
    for left, right, core in pairs:
        if left in roles and right in roles:
            middle = roles[core].shape if core in roles else None
            if not _have_product(roles[left].shape, roles[right].shape, middle, core == "mid"):
                raise DamagedFile(
                    f"The matrices of the layer {name!r}, {list(roles[left].shape)} and"
                    f" {list(roles[right].shape)}, have no product.",
                    where=str(path),
                )
    for role in ("diff", "bias", "lokr_w1", "lokr_w2", "dora"):
        if role in roles and not (roles[role].shape and roles[role].numel):
            raise DamagedFile(f"The layer {name!r} is empty.", where=str(path))
    if "alpha" in roles and roles["alpha"].numel != 1:
        raise DamagedFile(f"The alpha of the layer {name!r} is not one number.", where=str(path))


def _have_product(
    left: tuple[int, ...],
    right: tuple[int, ...],
    core: tuple[int, ...] | None,
    is_lora: bool,
) -> bool:
    """Whether left·right, or the sum over a core, exists. LoRA's left is [out,rank] either way."""
    if min(len(left), len(right)) < 2 or 0 in (*left, *right):
        return False
    if core is None:
        return left[1] == right[0]
    rank = left[1] if is_lora else left[0]
    return len(core) == 4 and 0 not in core and (rank, right[0]) == core[:2]


def flat(name: str) -> str:
    """What a layer is called in every naming alike."""
    return name.replace(".processor.", ".").replace(".", "_")


def listed(names: Sequence[str]) -> str:
    """The first few of them."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
