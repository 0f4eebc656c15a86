"""Latents: made, encoded, decoded, scaled."""

from __future__ import annotations

from ponystudio.graph.comfyui.mapping import Builder, Mapped, MappedOutput, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode
from ponystudio.graph.model import Link

_PAIR = {"samples1": "latent", "samples2": "other"}
EMPTY = Mapped(
    "core.empty_latent",
    {"width": "width", "height": "height", "batch_size": "batch"},
    ("latent",),
)


def encode(node: SourceNode, builder: Builder) -> Outputs:
    links = {
        "image": builder.link(node.inputs.get("pixels")),
        "vae": builder.link(node.inputs.get("vae")),
    }
    id = builder.add(node, "core.encode_image", {}, links)
    return [MappedOutput(Link(id, "latent"))]


def fill(node: SourceNode, builder: Builder) -> Outputs:
    """The picture with a grey hole, and where it may be painted."""
    links = {
        "image": builder.link(node.inputs.get("pixels")),
        "vae": builder.link(node.inputs.get("vae")),
        "mask": builder.link(node.inputs.get("mask")),
    }
    grow = builder.link(node.inputs.get("grow_mask_by"))
    params = {} if grow else {"grow": node.inputs.get("grow_mask_by", 6)}
    id = builder.add(node, "core.fill_for_inpainting", params, {**links, "grow": grow})
    return [MappedOutput(Link(id, "latent"))]


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
    "SaveLatent": Mapped("core.save_latent", {"samples": "latent", "filename_prefix": "prefix"}),
}
