"""What tells the families of denoisers apart: names and shapes of tensors, those of LoRAs that were
trained for them, and words of metadata. One more family is its rows here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isqrt

from ponystudio.library.formats.tensor_info import TensorInfo

Tensors = Mapping[str, TensorInfo]

# Under what a denoiser's names may stand, the most specific first.
PREFIXES = (
    "model.diffusion_model.",
    "diffusion_model.",
    "unet.",
    "transformer.",
    "model.",
    "",
)
READS_PROMPT = "transformer_blocks.0.attn2.to_k.weight"
LDM_ROOT = "input_blocks.0.0.weight"
DIFFUSERS_ROOT = "conv_in.weight"
# The width of the prompt that the cross attention reads.
CONTEXTS = {768: "sd1", 1024: "sd2", 1280: "sdxl_refiner", 2048: "sdxl"}
# What models were made for that take in more than a latent, by the channels of it all.
PURPOSES = {8: "edits by instruction", 9: "inpainting", 32: "control pictures", 96: "inpainting"}
# What the refiner of SDXL has and SDXL has not.
FOURTH_LEVEL = ("input_blocks.9.0.op.weight", "down_blocks.3.resnets.0.norm1.weight")
# Pixels a side that a place of the position grid stands for: two latent cells of 8.
PLACE = 16


@dataclass(frozen=True)
class DenoiserSignature:
    """Where the denoiser stands and what it is.

    `channels` is what it takes in for each cell of a latent, 0 where that cannot be told. `flow`:
    it predicts flow. `guided`: guidance is one of its inputs. `largest`: pixels a side that its
    position grid reaches, 0 without one. `pictured`: how wide the features of a picture are that it
    is told (unCLIP), 0 for none. `why` tells the family, `notes` what else is known.
    """

    prefix: str
    family: str
    channels: int
    why: str
    flow: bool = False
    guided: bool = False
    largest: int = 0
    pictured: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How the tensors of a transformer are named.

    `markers` are this family's alone. `entry` takes in `cells` cells of a latent at once; `grid`
    has a row for every place; `guidance` is there where guidance is an input.
    """

    family: str
    markers: tuple[str, ...]
    entry: str
    cells: int
    grid: str = ""
    guidance: str = ""


# Of each family the original names, then those of diffusers.
LAYOUTS = (
    Layout(
        "auraflow",
        ("double_layers.0.attn.w1q.weight",),
        "init_x_linear.weight",
        cells=4,
        grid="positional_encoding",
    ),
    Layout(
        "auraflow",
        ("joint_transformer_blocks.0.attn.to_q.weight",),
        "pos_embed.proj.weight",
        cells=4,
        grid="pos_embed.pos_embed",
    ),
    Layout(
        "flux",
        # The second is what some tools call the first.
        (
            "double_blocks.0.img_attn.norm.key_norm.scale",
            "double_blocks.0.img_attn.norm.key_norm.weight",
        ),
        "img_in.weight",
        cells=4,
        guidance="guidance_in.in_layer.weight",
    ),
    Layout(
        "flux",
        ("single_transformer_blocks.0.attn.norm_k.weight",),
        "x_embedder.weight",
        cells=4,
        guidance="time_text_embed.guidance_embedder.linear_1.weight",
    ),
    Layout(
        "sd3",
        ("joint_blocks.0.context_block.attn.qkv.weight",),
        "x_embedder.proj.weight",
        cells=1,
        grid="pos_embed",
    ),
    Layout(
        "sd3",
        ("transformer_blocks.0.attn.add_q_proj.weight",),
        "pos_embed.proj.weight",
        cells=1,
        grid="pos_embed.pos_embed",
    ),
)
# How names of other transformers begin, some of which share the markers above.
OTHERS = {
    "distilled_guidance_layer.": "chroma",
    "double_stream_modulation_img.": "flux2",
    "txt_in.individual_token_refiner.": "hunyuan_video",
    "context_embedder.token_refiner.": "hunyuan_video",
    "txt_norm.": "qwen_image",
    "x_pad_token": "z_image",
    "noise_refiner.": "lumina2",
    "llm_adapter.": "anima",
    "head.modulation": "wan",
}
# What people call the families that are recognised and not run.
OTHER_TITLES = {
    "chroma": "Chroma",
    "flux2": "FLUX.2",
    "hunyuan_video": "Hunyuan Video",
    "qwen_image": "Qwen Image",
    "z_image": "Z-Image",
    "lumina2": "Lumina 2",
    "anima": "Anima",
    "wan": "Wan",
}
# Layers that only the LoRAs of one family change, under its original names and diffusers', the
# special first.
LORA_LAYERS = (
    (re.compile(r"joint_transformer_blocks|(double|single)_layers"), "auraflow"),
    (re.compile(r"single_transformer_blocks[._]\d+[._](ff|norm1|attn[._]to_out)"), "auraflow"),
    (re.compile(r"joint_blocks"), "sd3"),
    (re.compile(r"(double|single)_blocks"), "flux"),
    (re.compile(r"single_transformer_blocks[._]\d+[._](norm[._]|proj_)"), "flux"),
    (re.compile(r"(^|[._])transformer_blocks[._]\d+[._](img|txt)_m(lp|od)"), "qwen_image"),
)
# What the metadata of LoRAs call the families they were trained for, the special first.
LORA_BASES = {
    "sd_v1": "sd1",
    "sd_v2": "sd2",
    "sdxl": "sdxl",
    "stable-diffusion-v1": "sd1",
    "stable-diffusion-v2": "sd2",
    "stable-diffusion-xl": "sdxl",
    "stable-diffusion-3": "sd3",
    "sd3": "sd3",
    "auraflow": "auraflow",
    "flux2": "flux2",
    "flux-2": "flux2",
    "flux": "flux",
}


def denoiser(tensors: Tensors) -> DenoiserSignature | None:
    """The denoiser among these tensors."""
    for prefix in PREFIXES:
        inside = {
            name.removeprefix(prefix): info
            for name, info in tensors.items()
            if name.startswith(prefix)
        }
        for find in (_other, _transformer, _unet):
            if found := find(prefix, inside):
                return found
    return None


def _other(prefix: str, inside: Tensors) -> DenoiserSignature | None:
    starts = tuple(OTHERS)
    if not any(name.startswith(starts) for name in inside):
        return None
    start = next(start for start in OTHERS if any(name.startswith(start) for name in inside))
    why = f"the tensors {start} are {OTHERS[start]}'s alone"
    return DenoiserSignature(prefix, OTHERS[start], 0, why, flow=True)


def _transformer(prefix: str, inside: Tensors) -> DenoiserSignature | None:
    for layout in LAYOUTS:
        for marker in layout.markers:
            if marker in inside:
                return _laid_out(prefix, inside, layout, marker)
    return None


def _laid_out(prefix: str, inside: Tensors, layout: Layout, marker: str) -> DenoiserSignature:
    entry, grid = inside.get(layout.entry), inside.get(layout.grid)
    channels = entry.shape[1] // layout.cells if entry and len(entry.shape) > 1 else 0
    places = grid.shape[1] if grid and len(grid.shape) == 3 else 0
    guided, largest = layout.guidance in inside, isqrt(places) * PLACE
    return DenoiserSignature(
        prefix,
        layout.family,
        channels,
        f"the tensor {marker} is {layout.family}'s alone",
        flow=True,
        guided=guided,
        largest=largest,
        notes=tuple(_notes(layout.family, channels, guided, largest)),
    )


def _notes(
    family: str, channels: int, guided: bool, largest: int, pictured: int = 0
) -> Iterator[str]:
    if family == "flux":
        yield (
            "guidance is one of its inputs, as FLUX.1 dev has it"
            if guided
            else "guidance is none of its inputs, as FLUX.1 schnell has it"
        )
    if largest:
        yield f"its grid of positions reaches {largest} pixels a side"
    if pictured:
        yield f"it is told {pictured} features of a picture (unCLIP)"
    if channels in PURPOSES:
        yield f"its denoiser takes in {channels} channels: it was made for {PURPOSES[channels]}"


def _unet(prefix: str, inside: Tensors) -> DenoiserSignature | None:
    for root in (LDM_ROOT, DIFFUSERS_ROOT):
        first = inside.get(root)
        # An autoencoder has a conv_in of its own, one level deeper.
        is_unet = root == LDM_ROOT or "time_embedding.linear_1.weight" in inside
        if first is not None and len(first.shape) == 4 and is_unet:
            family, why = unet_family(inside, first.shape[0])
            channels = first.shape[1]
            pictured = _pictured(inside)
            notes = tuple(_notes(family, channels, guided=False, largest=0, pictured=pictured))
            return DenoiserSignature(prefix, family, channels, why, pictured=pictured, notes=notes)
    return None


def _pictured(inside: Tensors) -> int:
    """How wide the features of a picture are that an unCLIP model is told, as wide as the level of
    noise beside them; 0 for one that is told none.

    Alone among models that are told a vector, they attend at their first level.
    """
    vector = inside.get("class_embedding.linear_1.weight")
    if f"input_blocks.1.1.{READS_PROMPT}" in inside:
        vector = inside.get("label_emb.0.0.weight")
    return vector.shape[1] // 2 if vector is not None and len(vector.shape) == 2 else 0


def gligen_family(tensors: Tensors) -> tuple[str, str]:
    """The family that GLIGEN's layers were made for, and why: its prompts are as wide as they read
    places; "" if that is no known width."""
    shapes = (info.shape for name, info in tensors.items() if name.endswith(".fuser.linear.weight"))
    width = next((shape[1] for shape in shapes if len(shape) == 2), 0)
    return CONTEXTS.get(width, ""), f"its layers read {width} numbers a place"


def unet_family(inside: Tensors, width: int) -> tuple[str, str]:
    """The family of a UNet whose first layer is so wide, and what tells it."""
    for name in ("label_emb.0.0.weight", "add_embedding.linear_1.weight"):
        vector = inside.get(name)
        if vector is not None and not _pictured(inside) and len(vector.shape) == 2:
            refiner = width == 384 or vector.shape[1] == 2560
            if refiner or any(level in inside for level in FOURTH_LEVEL):
                return "sdxl_refiner", f"{name} is {vector.shape[1]} wide, of four levels"
            return "sdxl", f"{name} is {vector.shape[1]} wide"
    context = _context_width(inside)
    if context in CONTEXTS:
        return CONTEXTS[context], f"its cross attention reads {context} numbers a token"
    projection = next((info for name, info in inside.items() if ".proj_in.w" in name), None)
    if projection is None:
        return "", "it has no cross attention"
    family = "sd1" if len(projection.shape) == 4 else "sd2"
    return family, (
        f"its cross attention reads {context} numbers a token, as no known family's does; "
        f"its projections are laid out as {family}'s"
    )


def _context_width(inside: Tensors) -> int:
    """How wide the prompt is that the first cross attention reads; 0 without one."""
    found = (info.shape for name, info in inside.items() if name.endswith(".attn2.to_k.weight"))
    return next((shape[1] for shape in found if len(shape) == 2), 0)
