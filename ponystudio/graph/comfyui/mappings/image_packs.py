"""Pictures of packs: scaled and measured."""

from __future__ import annotations

from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature, signature
from ponystudio.graph.comfyui.mapping import Builder, MappedOutput, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
from ponystudio.graph.model import Link

# KJNodes' ways to keep proportions, in our words: how, and what is on a border.
_WAYS = {
    "stretch": ("stretch", "colour"),
    "resize": ("inside", "colour"),
    "total_pixels": ("same area", "colour"),
    "crop": ("cut off", "colour"),
    "pad": ("border", "colour"),
    "pad_edge": ("border", "edge"),
    "pad_edge_pixel": ("border", "edge"),
}
# Pillow's names, in ours.
_METHODS = {"nearest": "nearest-exact"}


def colour(value: Any) -> Any:
    """Red, green and blue as "255, 128, 0", or one number for all three, as #ff8000."""
    if not isinstance(value, str) or value.startswith("#"):
        return value
    parts = [int(float(part)) for part in value.split(",") if part.strip()]
    red, green, blue = (parts * 3)[:3] if len(parts) == 1 else parts[:3]
    return "#" + bytes(min(max(part, 0), 255) for part in (red, green, blue)).hex()


def resize(node: SourceNode, builder: Builder) -> Outputs | None:
    """KJNodes': every way but blurred pillars at the sides."""
    inputs = node.inputs
    said = inputs.get("keep_proportion", "stretch")
    if said not in _WAYS:
        builder.tell(node, f"{said} is no way in which pictures are fitted here")
        return None
    if said == "pad_edge":
        builder.tell(node, "its border repeats the outermost pixels, where theirs has their mean")
    way, fill = _WAYS[said]
    inputs.get("device")
    values = {
        "image": inputs.get("image"),
        "width": inputs.get("width", 512),
        "height": inputs.get("height", 512),
        "way": way,
        "anchor": inputs.get("crop_position", "center"),
        "multiple": max(1, inputs["divisible_by"]) if _whole(inputs.get("divisible_by")) else 1,
        "fill": fill,
        "colour": colour(inputs.get("pad_color", "0, 0, 0")),
        "method": inputs.get("upscale_method", "nearest-exact"),
    }
    id = builder.add(node, "core.fit_image", values)
    outputs = [MappedOutput(Link(id, name)) for name in ("image", "width", "height", "border")]
    if isinstance(inputs.get("mask"), Wire):
        builder.tell(node, "the mask that it scales too is left out")
        outputs.pop()
    return outputs


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def rescale(node: SourceNode, builder: Builder) -> Outputs:
    """WAS's, by a factor or to a size of multiples of eight."""
    inputs = node.inputs
    method = inputs.get("resampling", "lanczos")
    values: dict[str, Any] = {
        "image": inputs.get("image"),
        "method": _METHODS.get(str(method), method),
    }
    if inputs.get("supersample", "true") == "true":
        builder.tell(node, "it scales in one step, not by way of a picture eight times as large")
    sides = {name: inputs.get(f"resize_{name}", 1024) for name in ("width", "height")}
    factor = inputs.get("rescale_factor", 2.0)
    if inputs.get("mode", "rescale") == "rescale":
        id = builder.add(node, "core.scale_image_by", {**values, "factor": factor})
    else:
        eighths = {
            name: side + -side % 8 if isinstance(side, int) else side
            for name, side in sides.items()
        }
        id = builder.add(node, "core.scale_image", {**values, **eighths, "crop": "disabled"})
    return [MappedOutput(Link(id, "image"))]


def size_and_count(node: SourceNode, builder: Builder) -> Outputs:
    """The picture passes on."""
    picture = builder.output(node.inputs.get("image"))
    id = builder.add(node, "core.image_size", {"image": picture})
    return [picture, *(MappedOutput(Link(id, name)) for name in ("width", "height", "batch"))]


MAPPINGS: dict[str, NodeMapping] = {
    "ImageResizeKJv2": resize,
    "Image Resize": rescale,
    "Image Rescale": rescale,
    "GetImageSizeAndCount": size_and_count,
}

_RESCALED = signature(
    "image", "mode, supersample, resampling, rescale_factor, resize_width, resize_height", "image"
)
SIGNATURES: dict[str, Signature] = {
    "ImageResizeKJv2": signature(
        "image, mask",
        "width, height, upscale_method, keep_proportion, pad_color, crop_position, divisible_by, "
        "device",
        "IMAGE, width, height, mask",
    ),
    "Image Resize": _RESCALED,
    "Image Rescale": _RESCALED,
    "GetImageSizeAndCount": signature("image", "", "image, width, height, count"),
}
