"""What the same tensor is called in an LDM file, in a diffusers folder and in our networks.

Our networks are diffusers' UNet2DConditionModel and AutoencoderKL, so their names are the
reference. A mapping is never guessed name by name: the topology is read off the names that are
there (levels, blocks a level, where attention stands), and from it follow the pairs of module
names, in both directions. Torch-free.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Pairs = Iterator[tuple[str, str]]

# Where each part stands in a single file, the most specific first; "" is a file of the part alone.
UNET_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "unet.", "model.", "")
TRANSFORMER_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.", "model.", "")
VAE_PREFIXES = ("first_stage_model.", "vae.", "")
UNET_ROOTS = ("input_blocks.0.0.weight", "conv_in.weight")
VAE_ROOT = "decoder.conv_in.weight"
# All that is a UNet's, of any family: what a network lacks then shows as a tensor too many.
UNET_BRANCHES = (
    *("input_blocks.", "middle_block.", "output_blocks.", "time_embed.", "out.", "label_emb."),
    *("conv_in.", "down_blocks.", "mid_block.", "up_blocks.", "conv_norm_out.", "conv_out."),
    *("time_embedding.", "class_embedding.", "add_embedding.", "encoder_hid_proj."),
)
WAYS = {"encoder": "down", "decoder": "up"}
CONTROL_PREFIXES = ("control_model.", "controlnet.", "")
CONTROL_ROOTS = ("input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight")
CONTROL_BRANCHES = (
    *UNET_BRANCHES,
    *("input_hint_block.", "zero_convs.", "middle_block_out.", "controlnet_"),
    *("task_embedding", "transformer_layes.", "spatial_ch_projs.", "control_add_embedding."),
)
VAE_BRANCHES = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")

RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
VAE_ATTENTION = {
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out.0",
}
# diffusers before 0.17 named the VAE's attention thus.
OLD_VAE_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


@dataclass(frozen=True)
class Level:
    """One resolution of a UNet: how many residual blocks, and whether attention follows each."""

    blocks: int
    attention: bool


@dataclass(frozen=True)
class Topology:
    """The levels of a UNet on the way down and on the way up, and what stands between them.

    `middle`: None for no middle block, else whether it holds attention.
    """

    down: tuple[Level, ...]
    middle: bool | None
    up: tuple[Level, ...]


def unet(keys: Iterable[str]) -> dict[str, str]:
    """Our name → stored name of every tensor of the denoiser; empty where there is none.

    What is no tensor of this architecture keeps its name, so that a strict load reports it.
    """
    part = part_of(keys, UNET_PREFIXES, UNET_ROOTS, UNET_BRANCHES)
    if "input_blocks.0.0.weight" in part:
        return _renamed(part, _ldm_unet_pairs(_ldm_topology(part)))
    return part


def controlnet(keys: Iterable[str], base: Iterable[str] = ()) -> dict[str, str]:
    """Our name → stored name of every tensor of a UNet's ControlNet; empty where there is none.

    `base`: our names of the UNet that it was taken from, where it has not all of its layers.
    """
    part = part_of(keys, CONTROL_PREFIXES, CONTROL_ROOTS, CONTROL_BRANCHES)
    if "input_hint_block.0.weight" not in part:
        return part
    levels = topology(base) if base else _ldm_topology(part)
    return _renamed(part, (*_ldm_unet_pairs(levels), *_ldm_control_pairs(part)))


def vae(keys: Iterable[str]) -> dict[str, str]:
    """Our name → stored name of every tensor of the autoencoder; empty where there is none."""
    part = part_of(keys, VAE_PREFIXES, (VAE_ROOT,), VAE_BRANCHES)
    if any(name.startswith("decoder.up.") for name in part):
        levels = _vae_levels(part, r"\.", "block")
        levels["decoder"].reverse()
        return _renamed(part, _ldm_vae_pairs(levels))
    old = (
        (f"{half}.mid_block.attentions.0.{theirs}", f"{half}.mid_block.attentions.0.{ours}")
        for half in ("encoder", "decoder")
        for theirs, ours in OLD_VAE_ATTENTION.items()
    )
    return _renamed(part, old)


def ldm_vae(ours: Iterable[str]) -> dict[str, str]:
    """LDM name → our name of tensors of an autoencoder."""
    listed = list(ours)
    levels = _vae_levels(listed, r"_blocks\.", "resnets")
    ldm_of = {here: there for there, here in _ldm_vae_pairs(levels)}
    return _renamed({name: name for name in listed}, ldm_of.items())


def averaged(part: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """The same names with the averaged weights (`model_ema.*`) where the file has them."""
    stored = set(keys)
    averages = {name: _ema_name(key) for name, key in part.items()}
    return {name: averages[name] if averages[name] in stored else part[name] for name in part}


def ldm_modules(modules: Iterable[str]) -> dict[str, str]:
    """LDM module name → our module name for a UNet whose modules have `modules` as names."""
    ours = list(modules)
    ldm_of = {here: there for there, here in _ldm_unet_pairs(topology(ours))}
    return _renamed({name: name for name in ours}, ldm_of.items())


def topology(names: Iterable[str]) -> Topology:
    """The levels of a UNet, read off our names of its modules or tensors."""
    ours = list(names)

    def levels(way: str) -> tuple[Level, ...]:
        inside: defaultdict[str, list[str]] = defaultdict(list)
        for name in ours:
            if match := re.match(rf"{way}_blocks\.(\d{{1,4}})\.(.*)", name):
                inside[match[1]].append(match[2])
        return tuple(
            Level(
                count(inside[str(b)], r"resnets\.(\d{1,4})"),
                count(inside[str(b)], r"attentions\.(\d{1,4})") > 0,
            )
            for b in range(count(ours, rf"{way}_blocks\.(\d{{1,4}})\."))
        )

    middle = count(ours, r"mid_block\.resnets\.(\d{1,4})") > 0
    middle_attention = count(ours, r"mid_block\.attentions\.(\d{1,4})") > 0
    return Topology(levels("down"), middle_attention if middle else None, levels("up"))


def count(names: Iterable[str], pattern: str) -> int:
    """How many of 0, 1, 2, … stand, without a gap, where the pattern has its group."""
    found, n = _numbers(names, pattern), 0
    while n in found:
        n += 1
    return n


def _numbers(names: Iterable[str], pattern: str) -> set[int]:
    return {int(match[1]) for name in names if (match := re.match(pattern, name))}


def part_of(
    keys: Iterable[str], prefixes: Iterable[str], roots: Iterable[str], branches: tuple[str, ...]
) -> dict[str, str]:
    """Name after the prefix → stored name, of what stands in `branches`.

    The prefix is the first under which one of the roots stands; nothing without one.
    """
    listed = list(keys)
    stored = set(listed)
    for prefix in prefixes:
        if any(prefix + root in stored for root in roots):
            return below(listed, prefix, branches)
    return {}


def below(keys: Iterable[str], prefix: str, branches: tuple[str, ...]) -> dict[str, str]:
    """Name after the prefix → name, of what stands in `branches` there."""
    names = {key[len(prefix) :]: key for key in keys if key.startswith(prefix)}
    return {name: key for name, key in names.items() if name.startswith(branches)}


def _renamed(part: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Replaces the longest leading module name that has a pair."""
    ours_of = dict(pairs)
    renamed = {}
    for name, key in part.items():
        for head, tail in _cuts(name):
            if head in ours_of:
                name = f"{ours_of[head]}.{tail}" if tail else ours_of[head]
                break
        renamed[name] = key
    return renamed


def _cuts(name: str) -> Pairs:
    """Every way to cut a dotted name in two, the longest head first."""
    yield name, ""
    at = len(name)
    while (at := name.rfind(".", 0, at)) > 0:
        yield name[:at], name[at + 1 :]


def _ema_name(key: str) -> str:
    """Lightning's LitEma drops every dot below the model it averages."""
    return "model_ema." + key.removeprefix("model.").replace(".", "")


def _ldm_topology(part: Iterable[str]) -> Topology:
    """Reads levels off `input_blocks.N.M…`: a level ends with a downsampler (`.op`)."""
    names = set(part)

    def level_ends(blocks: str, ending: str) -> Iterator[tuple[bool, bool]]:
        inside: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            if name.startswith(f"{blocks}."):
                inside[name.split(".", 2)[1]].append(name)
        n = 1 if blocks == "input_blocks" else 0
        while found := inside.get(str(n)):
            attention = any(".transformer_blocks." in name for name in found)
            yield attention, any(re.search(ending, name) for name in found)
            n += 1

    down, up, blocks = [], [], 0
    attention = False
    for has_attention, ends in level_ends("input_blocks", r"\.0\.op\."):
        if ends:
            down.append(Level(blocks, attention))
            blocks, attention = 0, False
        else:
            blocks, attention = blocks + 1, attention or has_attention
    down.append(Level(blocks, attention))
    blocks, attention = 0, False
    for has_attention, ends in level_ends("output_blocks", r"^output_blocks\.\d+\.\d+\.conv\."):
        blocks, attention = blocks + 1, attention or has_attention
        if ends:
            up.append(Level(blocks, attention))
            blocks, attention = 0, False
    up.append(Level(blocks, attention))
    middle = any(name.startswith("middle_block.") for name in names)
    middle_attention = any(name.startswith("middle_block.1.transformer_blocks.") for name in names)
    return Topology(tuple(down), middle_attention if middle else None, tuple(up))


def _ldm_unet_pairs(topology: Topology) -> Pairs:
    """(LDM, ours) for every module of the UNet below which the names agree or are RESNET's."""
    yield "time_embed.0", "time_embedding.linear_1"
    yield "time_embed.2", "time_embedding.linear_2"
    # Those that attend on their first level are older than SDXL: their vector is a picture's.
    unclip = topology.down and topology.down[0].attention
    vector = "class_embedding" if unclip else "add_embedding"
    yield "label_emb.0.0", f"{vector}.linear_1"
    yield "label_emb.0.2", f"{vector}.linear_2"
    yield "input_blocks.0.0", "conv_in"
    yield "out.0", "conv_norm_out"
    yield "out.2", "conv_out"
    n = 1
    for b, level in enumerate(topology.down):
        for i in range(level.blocks):
            yield from _resnet(f"input_blocks.{n}.0", f"down_blocks.{b}.resnets.{i}")
            if level.attention:
                yield f"input_blocks.{n}.1", f"down_blocks.{b}.attentions.{i}"
            n += 1
        if b < len(topology.down) - 1:
            yield f"input_blocks.{n}.0.op", f"down_blocks.{b}.downsamplers.0.conv"
            n += 1
    if topology.middle is not None:
        yield from _resnet("middle_block.0", "mid_block.resnets.0")
        if topology.middle:
            yield "middle_block.1", "mid_block.attentions.0"
        yield from _resnet(f"middle_block.{1 + topology.middle}", "mid_block.resnets.1")
    n = 0
    for b, level in enumerate(topology.up):
        for i in range(level.blocks):
            yield from _resnet(f"output_blocks.{n}.0", f"up_blocks.{b}.resnets.{i}")
            if level.attention:
                yield f"output_blocks.{n}.1", f"up_blocks.{b}.attentions.{i}"
            n += 1
        if b < len(topology.up) - 1:
            last = f"output_blocks.{n - 1}.{1 + level.attention}.conv"
            yield last, f"up_blocks.{b}.upsamplers.0.conv"


def _ldm_control_pairs(part: Iterable[str]) -> Pairs:
    """(LDM, ours) for what a ControlNet has beside the layers of a UNet: a convolution after each
    of its blocks, and in front those that read the picture, with an activation after each."""
    names = list(part)
    hint, here = (
        sorted(_numbers(names, r"input_hint_block\.(\d{1,4})\.")),
        "controlnet_cond_embedding",
    )
    for place, n in enumerate(hint):
        end = {0: "conv_in", len(hint) - 1: "conv_out"}.get(place, f"blocks.{place - 1}")
        yield f"input_hint_block.{n}", f"{here}.{end}"
    for n in range(count(names, r"zero_convs\.(\d{1,4})\.")):
        yield f"zero_convs.{n}.0", f"controlnet_down_blocks.{n}"
    yield "middle_block_out.0", "controlnet_mid_block"


def _resnet(theirs: str, ours: str) -> Pairs:
    yield theirs, ours
    for inner_theirs, inner_ours in RESNET.items():
        yield f"{theirs}.{inner_theirs}", f"{ours}.{inner_ours}"


def _vae_levels(names: Iterable[str], between: str, block: str) -> dict[str, list[int]]:
    """How many residual blocks each level of a half has, of names in one of the two layouts."""
    listed = list(names)

    def blocks(start: str) -> Iterator[int]:
        for b in range(count(listed, rf"{start}(\d{{1,4}})\.")):
            yield count(listed, rf"{start}{b}\.{block}\.(\d{{1,4}})\.")

    return {half: [*blocks(rf"{half}\.{way}{between}")] for half, way in WAYS.items()}


def _ldm_vae_pairs(levels: Mapping[str, Sequence[int]]) -> Pairs:
    """(LDM, ours) for every module of the autoencoder below which the names agree.

    `levels`: of each half, how many residual blocks its levels have, in our order.
    """
    for half, way in WAYS.items():
        yield f"{half}.norm_out", f"{half}.conv_norm_out"
        for b, blocks in enumerate(levels[half]):
            # LDM counts the decoder's levels from the picture, we from the latent.
            there = f"{half}.{way}.{b if half == 'encoder' else len(levels[half]) - 1 - b}"
            here = f"{half}.{way}_blocks.{b}"
            for i in range(blocks):
                yield f"{there}.block.{i}", f"{here}.resnets.{i}"
                yield f"{there}.block.{i}.nin_shortcut", f"{here}.resnets.{i}.conv_shortcut"
            yield f"{there}.{way}sample", f"{here}.{way}samplers.0"
        yield f"{half}.mid.block_1", f"{half}.mid_block.resnets.0"
        yield f"{half}.mid.block_2", f"{half}.mid_block.resnets.1"
        for inner_theirs, inner_ours in VAE_ATTENTION.items():
            attention = f"{half}.mid_block.attentions.0.{inner_ours}"
            yield f"{half}.mid.attn_1.{inner_theirs}", attention
