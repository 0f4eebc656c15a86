"""Latents: made, encoded, decoded, scaled."""

from __future__ import annotations

from typing import Any

from ponystudio.graph.comfyui.exporting.export_mapping import (
    ExportBuilder,
    NodeExport,
    OurNode,
    Target,
    Targets,
)
from ponystudio.graph.comfyui.mapping import (
    Builder,
    Mapped,
    MappedOutput,
    NodeMapping,
    Outputs,
    file_name,
)
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
from ponystudio.graph.model import Link

_PAIR = {"samples1": "latent", "samples2": "other"}
EMPTY = Mapped(
    "core.empty_latent",
    {"width": "width", "height": "height", "batch_size": "batch"},
    ("latent",),
)


def encode(node: SourceNode, builder: Builder) -> Outputs:
    values = {"image": node.inputs.get("pixels"), "vae": node.inputs.get("vae")}
    for name in ("tile_size", "overlap", "temporal_size", "temporal_overlap"):
        if name in node.inputs and name == "tile_size":
            values["tile"] = node.inputs[name]
        node.inputs.get(name)
    return [MappedOutput(Link(builder.add(node, "core.encode_image", values), "latent"))]


def fill(node: SourceNode, builder: Builder) -> Outputs:
    """The picture with a grey hole, and where it may be painted; its mask grew before it said."""
    values = {
        "image": node.inputs.get("pixels"),
        "vae": node.inputs.get("vae"),
        "mask": node.inputs.get("mask"),
        "grow": node.inputs.get("grow_mask_by", 6),
    }
    return [MappedOutput(Link(builder.add(node, "core.fill_for_inpainting", values), "latent"))]


def rotated(value: Any) -> Any:
    return str(value).removesuffix(" degrees")


def flipped(value: Any) -> Any:
    return "vertical" if str(value).startswith("x") else "horizontal"


def rotating(value: Any) -> Any:
    return f"{value} degrees"


def flipping(value: Any) -> Any:
    return "x-axis: vertically" if value == "vertical" else "y-axis: horizontally"


MAPPINGS: dict[str, NodeMapping] = {
    "EmptyLatentImage": EMPTY,
    "EmptySD3LatentImage": EMPTY,
    "VAEDecode": Mapped("core.decode_latent", {"samples": "latent", "vae": "vae"}, ("image",)),
    "VAEDecodeTiled": Mapped(
        "core.decode_latent",
        {"samples": "latent", "vae": "vae", "tile_size": "tile"},
        ("image",),
        without=("overlap", "temporal_size", "temporal_overlap"),
    ),
    "VAEEncode": encode,
    "VAEEncodeTiled": encode,
    "VAEEncodeForInpaint": fill,
    "LatentUpscale": Mapped(
        "core.scale_latent",
        {
            "samples": "latent",
            "upscale_method": "method",
            "width": "width",
            "height": "height",
            "crop": "crop",
        },
        ("latent",),
    ),
    "LatentComposite": Mapped(
        "core.composite_latent",
        {
            "samples_to": "latent",
            "samples_from": "source",
            "x": "x",
            "y": "y",
            "feather": "feather",
        },
        ("latent",),
    ),
    "LatentCompositeMasked": Mapped(
        "core.composite_latent",
        {
            "destination": "latent",
            "source": "source",
            "mask": "mask",
            "x": "x",
            "y": "y",
            "resize_source": "resize",
        },
        ("latent",),
    ),
    "RepeatLatentBatch": Mapped(
        "core.repeat_batch", {"samples": "latent", "amount": "times"}, ("latent",)
    ),
    "LatentFromBatch": Mapped(
        "core.pick_batch",
        {"samples": "latent", "batch_index": "start", "length": "count"},
        ("latent",),
    ),
    "LatentBatch": Mapped("core.join_batches", _PAIR, ("latent",)),
    "LatentAdd": Mapped("core.add_latents", _PAIR, ("latent",)),
    "LatentSubtract": Mapped("core.subtract_latents", _PAIR, ("latent",)),
    "LatentMultiply": Mapped(
        "core.multiply_latent", {"samples": "latent", "multiplier": "factor"}, ("latent",)
    ),
    "LatentInterpolate": Mapped(
        "core.interpolate_latents", {**_PAIR, "ratio": "ratio"}, ("latent",)
    ),
    "LatentBlend": Mapped(
        "core.blend_latents",
        {**_PAIR, "blend_factor": "ratio"},
        ("latent",),
        without=("blend_mode",),
    ),
    "LatentCrop": Mapped(
        "core.crop_latent",
        {"samples": "latent", "x": "x", "y": "y", "width": "width", "height": "height"},
        ("latent",),
    ),
    "LatentUpscaleBy": Mapped(
        "core.scale_latent_by",
        {"samples": "latent", "upscale_method": "method", "scale_by": "factor"},
        ("latent",),
    ),
    "SetLatentNoiseMask": Mapped(
        "core.mask_latent", {"samples": "latent", "mask": "mask"}, ("latent",)
    ),
    "LatentFlip": Mapped(
        "core.flip_latent",
        {"samples": "latent", "flip_method": ("direction", flipped, flipping)},
        ("latent",),
    ),
    "LatentRotate": Mapped(
        "core.rotate_latent",
        {"samples": "latent", "rotation": ("degrees", rotated, rotating)},
        ("latent",),
    ),
    "RebatchLatents": Mapped(
        "core.split_batch", {"latents": "latent", "batch_size": "count"}, ("latent",)
    ),
    "LatentBatchSeedBehavior": Mapped(
        "core.set_batch_noise",
        {
            "samples": "latent",
            "seed_behavior": (
                "noise",
                lambda value: "same" if value == "fixed" else "different",
                lambda value: "fixed" if value == "same" else "random",
            ),
        },
        ("latent",),
    ),
    "LoadLatent": Mapped("core.load_latent", {"latent": ("file", file_name)}, ("latent",)),
    "SaveLatent": Mapped("core.save_latent", {"samples": "latent", "filename_prefix": "prefix"}),
}


def export_encode(node: OurNode, builder: ExportBuilder, *, beside: str = "") -> Targets:
    said = {"pixels": node["image"], "vae": node["vae"]}
    type = "VAEEncodeTiled" if node.is_wired("tile") or node.value("tile") else "VAEEncode"
    if type == "VAEEncodeTiled":
        said["tile_size"] = node["tile"]
    return {"latent": Target(Wire(builder.add(node, type, said, beside=beside), 0))}


def export_hole(node: OurNode, builder: ExportBuilder) -> Targets:
    """The picture, and where it may be painted."""
    mask = node["mask"]
    (latent,) = export_encode(node, builder, beside="picture").values()
    said = {"samples": latent.wire, "mask": mask}
    found = {"latent": Target(Wire(builder.add(node, "SetLatentNoiseMask", said), 0))}
    return {**found, "mask": Target(mask)} if mask else found


def export_fill(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {theirs: node[ours] for theirs, ours in _FILLED.items()}
    return {"latent": Target(Wire(builder.add(node, "VAEEncodeForInpaint", said), 0))}


_FILLED = {"pixels": "image", "vae": "vae", "mask": "mask", "grow_mask_by": "grow"}


EXPORTS: dict[str, NodeExport] = {
    "core.encode_image": export_encode,
    "core.encode_for_inpainting": export_hole,
    "core.fill_for_inpainting": export_fill,
}
