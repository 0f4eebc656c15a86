"""Which text encoders are among the tensors of a file, and what theirs are called there.

Ours are transformers': CLIPTextModel's, with `text_model.` before them where it is projected, and
those of the stack that a T5 encoder is. Torch-free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ponystudio.diffusion.families import tower_prefix
from ponystudio.diffusion.families.text_encoder_specs import (
    TOWERS,
    ClipEncoderSpec,
    T5EncoderSpec,
    TextEncoderSpec,
)
from ponystudio.diffusion.weights.name_table import THIRDS, TRANSPOSED, FusedSlice, Naming, renamed
from ponystudio.diffusion.weights.tensor_names import below, count

if TYPE_CHECKING:
    from ponystudio.diffusion.families import Family
    from ponystudio.library.formats.tensor_info import TensorInfo

Tensors = Mapping[str, "TensorInfo"]

CLIP, OPEN_CLIP, T5, LLAMA_CPP = "CLIP", "open_clip", "T5", "llama.cpp"
# Layouts by the tensor that tells each: the first layer of its MLP, as wide as the states.
MARKS = {
    "encoder.layers.0.mlp.fc1.weight": CLIP,
    "transformer.resblocks.0.mlp.c_fc.weight": OPEN_CLIP,
    "encoder.block.0.layer.1.DenseReluDense.wi_1.weight": T5,
    "enc.blk.0.ffn_up.weight": LLAMA_CPP,
}
# Beside which these stand, as they do not with the encoders of pictures.
ROOTS = {CLIP: "embeddings.token_embedding.weight", OPEN_CLIP: "token_embedding.weight"}
BRANCHES = {
    CLIP: ("embeddings.", "encoder.layers.", "final_layer_norm."),
    OPEN_CLIP: (
        *("token_embedding.", "positional_embedding", "transformer.resblocks.", "ln_final."),
        "text_projection",
    ),
    T5: ("shared.", "encoder."),
    LLAMA_CPP: ("token_embd.", "enc."),
}
# What stands before the distances of the second block, in which UMT5 has some too.
SECOND = {
    T5: ("encoder.block.1.", "layer.0.SelfAttention.relative_attention_bias.weight"),
    LLAMA_CPP: ("enc.blk.1.", "attn_rel_b.weight"),
}
PROJECTION = "text_projection.weight"
EMBEDDED = "embed_tokens.weight"
# A folder of diffusers', or a file that is named as such.
IN_FOLDER = re.compile(r"(^|/)text_encoder(_\d)?\.")

# What open_clip calls the layers of a text encoder; its q, k and v are one tensor.
OPEN_CLIP_LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
# What stands before and behind its layers.
OPEN_CLIP_ENDS = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
# Where the towers of a family stand in its checkpoints, and in which layout; the others' stand
# where ComfyUI puts them.
PLACES = {
    ("sd1", "clip_l"): ("cond_stage_model.transformer.", CLIP),
    ("sd2", "clip_h"): ("cond_stage_model.model.", OPEN_CLIP),
    ("sdxl", "clip_l"): ("conditioner.embedders.0.transformer.", CLIP),
    ("sdxl", "clip_g"): ("conditioner.embedders.1.model.", OPEN_CLIP),
    ("sdxl_refiner", "clip_g"): ("conditioner.embedders.0.model.", OPEN_CLIP),
}
QKV = ("q_proj", "k_proj", "v_proj")
LLAMA_CPP_LAYERS = {
    "attn_norm": "layer.0.layer_norm",
    "attn_q": "layer.0.SelfAttention.q",
    "attn_k": "layer.0.SelfAttention.k",
    "attn_v": "layer.0.SelfAttention.v",
    "attn_o": "layer.0.SelfAttention.o",
    "attn_rel_b": "layer.0.SelfAttention.relative_attention_bias",
    "ffn_norm": "layer.1.layer_norm",
    "ffn_gate": "layer.1.DenseReluDense.wi_0",
    "ffn_up": "layer.1.DenseReluDense.wi_1",
    "ffn_down": "layer.1.DenseReluDense.wo",
}


@dataclass(frozen=True)
class TextEncoderTensors:
    """A text encoder among stored tensors: its `layout`, what stands before its names, and how wide
    its states are. `biased`: whether it is UMT5's; None where one cannot tell."""

    layout: str
    prefix: str
    width: int
    biased: bool | None = None

    def may_be(self, tower: TextEncoderSpec) -> bool:
        """Whether it is of a tower's kind, of whatever width."""
        if self.layout in (CLIP, OPEN_CLIP):
            return isinstance(tower, ClipEncoderSpec)
        return isinstance(tower, T5EncoderSpec) and self.biased in (tower.biased, None)

    def is_exactly(self, tower: TextEncoderSpec) -> bool:
        return self.may_be(tower) and self.width == tower.width

    @property
    def noun(self) -> str:
        """What to call it."""
        known = (tower.noun for tower in TOWERS if self.is_exactly(tower))
        return next(known, f"a text encoder of {self.width} numbers a token")


def text_encoders(tensors: Tensors) -> list[TextEncoderTensors]:
    """All that there are, in whatever layout and under whatever prefix."""
    found = []
    for name, info in tensors.items():
        mark = next((mark for mark in MARKS if name.endswith(mark)), None)
        if mark is None or len(info.shape) != 2:
            continue
        layout, prefix = MARKS[mark], name.removesuffix(mark)
        whole_words = not prefix or prefix[-1] in "./"
        if whole_words and prefix + ROOTS.get(layout, mark) in tensors:
            found.append(
                TextEncoderTensors(layout, prefix, info.shape[1], _biased(tensors, layout, prefix))
            )
    return found


def of_towers(
    found: Sequence[TextEncoderTensors], towers: Iterable[TextEncoderSpec]
) -> dict[str, TextEncoderTensors]:
    """Which of them is which tower, by its name.

    Known widths tell; of smaller relatives, whose widths are nobody's, the narrower are the towers
    that are narrower.
    """
    placed: dict[str, TextEncoderTensors] = {}
    free = []
    for tower in towers:
        if exact := next((one for one in found if one.is_exactly(tower)), None):
            placed[tower.name] = exact
        else:
            free.append(tower)
    relatives = [one for one in found if not any(map(one.is_exactly, TOWERS))]
    for kind in (ClipEncoderSpec, T5EncoderSpec):
        mine = [tower for tower in free if isinstance(tower, kind)]
        placed |= _by_order([one for one in relatives if any(map(one.may_be, mine))], mine)
    return placed


def _by_order(
    found: Sequence[TextEncoderTensors], towers: Sequence[TextEncoderSpec]
) -> dict[str, TextEncoderTensors]:
    if not found:
        return {}
    nearest = sorted(towers, key=lambda tower: min(abs(tower.width - one.width) for one in found))
    there = sorted(nearest[: len(found)], key=lambda tower: tower.width)
    pairs = zip(there, sorted(found, key=lambda one: one.width), strict=False)
    return {tower.name: one for tower, one in pairs}


def naming(tensors: Iterable[str], found: TextEncoderTensors, tower: TextEncoderSpec) -> Naming:
    """Where our tensors of a tower stand, which is one of those that were found."""
    listed = list(tensors)
    part = below(listed, found.prefix, BRANCHES[found.layout])
    if found.layout == LLAMA_CPP:
        return renamed(part, _llama_cpp(part))
    if found.layout == T5:
        stack = {name.removeprefix("encoder."): key for name, key in part.items()}
        if shared := stack.pop("shared.weight", None):
            stack[EMBEDDED] = shared  # which may stand there a second time
        return Naming(stack)
    assert isinstance(tower, ClipEncoderSpec)
    if found.layout == OPEN_CLIP:
        return _open_clip(part, tower)
    return _clip(part, tower, found.prefix, set(listed))


def originals(family: Family, ours: Iterable[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    """(theirs, ours, what of theirs ours is) in a checkpoint of a family in the original's layout;
    theirs with the prefix of their tower."""
    listed = list(ours)
    for tower in family.towers:
        prefix = tower_prefix(family, tower)
        place, layout = PLACES.get((family.name, tower.name), ("", ""))
        place = place or f"text_encoders.{tower.name}.transformer."
        for name in listed:
            if name.startswith(prefix):
                theirs, cut = _original(name.removeprefix(prefix), tower, layout)
                yield place + theirs, name, cut


def _original(name: str, tower: TextEncoderSpec, layout: str) -> tuple[str, FusedSlice | None]:
    if isinstance(tower, T5EncoderSpec):
        return ("shared.weight" if name == EMBEDDED else f"encoder.{name}"), None
    bare = name.removeprefix("text_model.")
    if layout != OPEN_CLIP:
        return (name if name == PROJECTION else f"text_model.{bare}"), None
    if name == PROJECTION:
        return "text_projection", TRANSPOSED
    if match := re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", bare):
        layer, inner, leaf = match.groups()
        root = f"transformer.resblocks.{layer}"
        kind = inner.removeprefix("self_attn.")
        if kind in QKV:
            return f"{root}.attn.in_proj_{leaf}", THIRDS[QKV.index(kind)]
        theirs = {mine: there for there, mine in OPEN_CLIP_LAYERS.items()}
        return f"{root}.{theirs.get(inner, inner)}.{leaf}", None
    theirs = {mine: there for there, mine in OPEN_CLIP_ENDS.items()}
    return theirs.get(bare, bare), None


def _biased(tensors: Tensors, layout: str, prefix: str) -> bool | None:
    if layout not in SECOND:
        return None
    block, bias = (prefix + SECOND[layout][0], SECOND[layout][1])
    if not any(name.startswith(block) for name in tensors):
        return None
    return block + bias in tensors


def _clip(part: Mapping[str, str], tower: ClipEncoderSpec, prefix: str, stored: set[str]) -> Naming:
    # Fixed positions are kept by some.
    part = {name: key for name, key in part.items() if not name.endswith(".position_ids")}
    projection = prefix.removesuffix("text_model.") + PROJECTION
    there = projection in stored
    if not tower.projected or (tower.may_lack and not (there and IN_FOLDER.search(prefix))):
        return Naming(part)
    part = {f"text_model.{name}": key for name, key in part.items()}
    return Naming({**part, PROJECTION: projection} if there else part)


def _open_clip(part: Mapping[str, str], tower: ClipEncoderSpec) -> Naming:
    names = dict(_open_clip_names(part, tower.projected and not tower.may_lack))
    fused: dict[str, FusedSlice] = {}
    for ours, stored in names.items():
        if stored.endswith((".in_proj_weight", ".in_proj_bias")):
            fused[ours] = THIRDS[QKV.index(ours.rsplit(".", 2)[1])]
        elif ours == PROJECTION:
            # open_clip multiplies from the other side, and stores a parameter, not a layer.
            fused[ours] = TRANSPOSED
    return Naming(names, fused)


def _open_clip_names(part: Mapping[str, str], projected: bool) -> Iterator[tuple[str, str]]:
    """(ours, stored)."""
    root = "text_model." if projected else ""
    for name, key in part.items():
        if name in OPEN_CLIP_ENDS:
            yield root + OPEN_CLIP_ENDS[name], key
        elif name == "text_projection":
            if projected:
                yield PROJECTION, key
        elif match := re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)\.(weight|bias)", name):
            layer, inner, leaf = match.groups()
            yield f"{root}encoder.layers.{layer}.{OPEN_CLIP_LAYERS.get(inner, inner)}.{leaf}", key
        elif match := re.fullmatch(
            r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)", name
        ):
            for projection in QKV:
                yield f"{root}encoder.layers.{match[1]}.self_attn.{projection}.{match[2]}", key
        else:
            yield root + name, key


def _llama_cpp(part: Iterable[str]) -> Iterator[tuple[str, str, None]]:
    """(llama.cpp's, ours, None), for as many blocks as there are."""
    yield "token_embd", "embed_tokens", None
    yield "enc.output_norm", "final_layer_norm", None
    for n in range(count(part, r"enc\.blk\.(\d{1,4})\.")):
        for theirs, ours in LLAMA_CPP_LAYERS.items():
            yield f"enc.blk.{n}.{theirs}", f"block.{n}.{ours}", None
