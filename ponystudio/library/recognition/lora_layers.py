"""What the tensors of a LoRA file are, by their names and shapes: of which layer, and what of it;
read without the network that they are for. What is recognised as a LoRA and what is read of one are
told by the same tables.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ponystudio.errors import DamagedFile, UnsupportedModel, WrongKind, listed
from ponystudio.library.formats.quantization import MARK, SCALES
from ponystudio.library.formats.tensor_info import FLOATS, TensorInfo

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
    ".lora_B.bias": "up_bias",
    ".lora_B.default.bias": "up_bias",
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
# Before there were names, pairs were numbered in the order of the layers; kept by files that were
# distilled from two models.
COUNTED = re.compile(r"(?P<layer>(?P<part>unet|text_encoder):\d{1,4}):(?P<role>up|down)")
# Textual inversions that a LoRA brings along.
BUNDLED = re.compile(r"bundle_emb\.(?P<word>[^.]+)\.")
# XLabs' processors of FLUX number the streams of picture and text.
NUMBERED = re.compile(r"\.processor\.(qkv|proj)_lora([12])(?=\.)")
STREAMS = {"1": "img_attn", "2": "txt_attn"}
# Kinds that are known and not computed, by what only they have.
OTHER_KINDS = {
    r"\.b?oft_": "OFT or BOFT",
    r"\.[ab][12]\.weight$": "GLoRA",
    r"\.(on_input$|ia3_l)": "IA³",
    r"\.vera_lambda": "VeRA",
    r"\.vblora_": "VB-LoRA",
    r"\.lora_E(\.|$)": "AdaLoRA",
    r"\.fourierft_": "FourierFT",
    r"\.hra_u": "HRA",
    r"\.lora_embedding_[AB]": "LoRA of tables of words",
    r"\.reshape_weight$": "LoRA that makes layers larger",
    r"\.set_weight$": "LoRA that puts layers in the place of others",
}
# How the tensors of LoRAs are named whose endings are not known.
LIKE_LORA = re.compile(
    r"(^|[._])lora[._](up|down|a|b|mid|linear_layer)\b|_lora\d?\.(up|down)", re.IGNORECASE
)
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


READ = "LoRA, LoCon, LoHa, LoKr, DoRA and whole differences are read: get it as one of those."


def is_lora(names: Iterable[str]) -> bool:
    """Whether most of these are the tensors of a LoRA or one of its kin, read or not."""
    others = re.compile("|".join(OTHER_KINDS))
    counted = [name for name in names if not name.endswith((".alpha", ".scale"))]
    # IA³ has as many tensors of a name that anything may have.
    mine = sum(
        2 if name.endswith(".on_input") else bool(_is_role(name) or others.search(name))
        for name in counted
    )
    return bool(counted) and 2 * mine > len(counted)


def _is_role(name: str) -> bool:
    return bool(
        _suffix(name) or COUNTED.fullmatch(name) or BUNDLED.match(name) or LIKE_LORA.search(name)
    )


def contents(path: Path, tensors: Mapping[str, TensorInfo]) -> LoraContents:
    """What a LoRA file holds.

    Raises WrongKind, UnsupportedModel and DamagedFile for what is no set of complete layers.
    """
    for pattern, kind in OTHER_KINDS.items():
        if strange := next((name for name in tensors if re.search(pattern, name)), None):
            raise UnsupportedModel(
                f"This is a LoRA of the kind {kind} (it holds {strange!r}), which is not computed"
                " here.",
                where=str(path),
                remedy=READ,
            )
    if packed := next((name for name in tensors if name.endswith((*SCALES, MARK))), None):
        raise UnsupportedModel(
            f"The numbers of this LoRA are packed in few bits (it holds {packed!r}).",
            where=str(path),
            remedy="Get it in numbers of 16 bits.",
        )
    layers: defaultdict[str, dict[str, str]] = defaultdict(dict)
    unknown, words = [], []
    for name in tensors:
        if bundled := BUNDLED.match(name):
            words.append(bundled["word"])
        elif counted := COUNTED.fullmatch(name):
            layers[counted["layer"]][counted["role"]] = name
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
            f" tensors is named as one of a layer ({listed(unknown, 3)}).",
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
    for role, info in roles.items():
        if info.dtype not in FLOATS and role != "alpha":
            raise UnsupportedModel(
                f"The layer {name!r} of this LoRA has numbers of {info.dtype}, and nothing says"
                " what they are to be multiplied by.",
                where=str(path),
                remedy="Get it in numbers of 16 bits.",
            )
    for role in ("diff", "bias", "up_bias", "lokr_w1", "lokr_w2", "dora"):
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
