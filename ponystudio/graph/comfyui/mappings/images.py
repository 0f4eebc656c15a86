"""Pictures and masks: loaded, saved, changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ponystudio.graph.comfyui.exporting.export_mapping import (
    ExportBuilder,
    NodeExport,
    OurNode,
    Target,
    Targets,
    Unsaid,
    one_of,
)
from ponystudio.graph.comfyui.mapping import (
    Builder,
    Mapped,
    MappedOutput,
    NodeMapping,
    Outputs,
    file_name,
)
from ponystudio.graph.comfyui.mappings.latents import flipped, flipping, rotated, rotating
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
from ponystudio.graph.model import Link
from ponystudio.graph.plain_json import shown

_MASK = {"mask": "mask"}
_EDGES = {name: name for name in ("left", "top", "right", "bottom")}


def load(node: SourceNode, builder: Builder) -> Outputs:
    """Its mask is where the picture is transparent; ours is where it is opaque."""
    node.inputs.get("upload"), node.inputs.get("choose file to upload")  # a button
    id = builder.add(node, "core.load_image", {"file": file_name(node.inputs.get("image", ""))})
    outputs = [MappedOutput(Link(id, "image"))]
    if builder.is_used(node, 1):
        outputs.append(_inverted(node, builder, Link(id, "mask")))
    return outputs


def load_mask(node: SourceNode, builder: Builder) -> Outputs:
    """A channel of a picture; alpha is inverted, the others are not."""
    channel = node.inputs.get("channel", "alpha")
    values = {"file": file_name(node.inputs.get("image", "")), "channel": channel}
    mask = Link(builder.add(node, "core.load_mask", values), "mask")
    return [_inverted(node, builder, mask) if channel == "alpha" else MappedOutput(mask)]


def _inverted(node: SourceNode, builder: Builder, mask: Link) -> MappedOutput:
    id = builder.add(node, "core.invert_mask", {"mask": mask}, beside="mask")
    return MappedOutput(Link(id, "mask"))


def join_alpha(node: SourceNode, builder: Builder) -> Outputs:
    """Theirs is one picture of four channels; of ours the mask goes beside it."""
    values = {"image": node.inputs.get("image"), "mask": node.inputs.get("alpha")}
    id = builder.add(node, "core.join_alpha", values)
    return [MappedOutput(Link(id, "image"), alpha=Link(id, "alpha"))]


def split_alpha(node: SourceNode, builder: Builder) -> Outputs:
    """The mask is where the picture is transparent."""
    picture = builder.output(node.inputs.get("image"))
    values = {"image": picture, "alpha": picture.alpha if picture else None}
    id = builder.add(node, "core.split_alpha", values)
    return [MappedOutput(Link(id, "image")), MappedOutput(Link(id, "mask"))]


def save(node: SourceNode, builder: Builder) -> Outputs:
    """A picture with alpha has it beside it here."""
    picture = builder.output(node.inputs.get("images"))
    values: dict[str, Any] = {"image": picture, "alpha": picture.alpha if picture else None}
    if node.type == "PreviewImage":
        builder.add(node, "core.preview_image", values)
        return []
    values["prefix"] = node.inputs.get("filename_prefix", "ComfyUI")
    builder.add(node, "core.save_image", values)
    return []


def compare(node: SourceNode, builder: Builder) -> Outputs:
    """Each of its pictures is shown by itself."""
    node.inputs.get("widgets_values"), node.inputs.get("rgthree_comparer")  # what it showed last
    for name, beside in (("image_a", "a"), ("image_b", "b")):
        if picture := builder.output(node.inputs.get(name)):
            values = {"image": picture, "alpha": picture.alpha}
            builder.add(node, "core.preview_image", values, beside=beside)
    return []


def flip(node: SourceNode, builder: Builder) -> Outputs:
    values = {
        "image": node.inputs.get("image"),
        "direction": flipped(node.inputs.get("flip_method")),
    }
    return [MappedOutput(Link(builder.add(node, "core.flip_image", values), "image"))]


def turn(node: SourceNode, builder: Builder) -> Outputs:
    degrees = rotated(node.inputs.get("rotation"))
    if degrees == "none":
        return [builder.output(node.inputs.get("image"))]
    values = {"image": node.inputs.get("image"), "degrees": degrees}
    return [MappedOutput(Link(builder.add(node, "core.rotate_image", values), "image"))]


def rebatch(node: SourceNode, builder: Builder) -> Outputs:
    """What follows works on all pictures of a batch here, or on as many as there is memory for."""
    node.inputs.get("batch_size")
    builder.tell(node, "its pictures stay one batch")
    return [builder.output(node.inputs.get("images"))]


COLOURS = {
    "white": "#ffffff",
    "black": "#000000",
    "red": "#ff0000",
    "green": "#00ff00",
    "blue": "#0000ff",
}


def colour(value: Any) -> Any:
    """0xRRGGBB as #rrggbb."""
    return f"#{value & 0xFFFFFF:06x}" if isinstance(value, int) else value


def colour_number(value: Any) -> Any:
    """The way back."""
    try:
        return int(str(value).removeprefix("#"), 16)
    except ValueError:
        raise Unsaid(f"{shown(value)} is no colour", 0) from None


_COLOUR = ("colour", colour, colour_number)

MAPPINGS: dict[str, NodeMapping] = {
    "LoadImage": load,
    "LoadImageMask": load_mask,
    "SaveImage": save,
    "PreviewImage": save,
    "Image Comparer (rgthree)": compare,
    "ImageScale": Mapped(
        "core.scale_image",
        {
            "image": "image",
            "upscale_method": "method",
            "width": "width",
            "height": "height",
            "crop": "crop",
        },
        ("image",),
    ),
    "ImageScaleBy": Mapped(
        "core.scale_image_by",
        {"image": "image", "upscale_method": "method", "scale_by": "factor"},
        ("image",),
    ),
    "ImageScaleToTotalPixels": Mapped(
        "core.scale_to_megapixels",
        {"image": "image", "upscale_method": "method", "megapixels": "megapixels"},
        ("image",),
        without=("resolution_steps",),
    ),
    "GetImageSize": Mapped("core.image_size", {"image": "image"}, ("width", "height", "batch")),
    "ImageUpscaleWithModel": Mapped(
        "core.upscale_image", {"upscale_model": "upscaler", "image": "image"}, ("image",)
    ),
    "ImagePadForOutpaint": Mapped(
        "core.pad_image",
        {"image": "image", **_EDGES, "feathering": "feather"},
        ("image", "mask"),
        fixed={"fill": "grey"},
    ),
    "ImageInvert": Mapped("core.invert_image", {"image": "image"}, ("image",)),
    "ImageBatch": Mapped("core.join_images", {"image1": "image", "image2": "other"}, ("image",)),
    "ImageBlend": Mapped(
        "core.blend_images",
        {
            "image1": "image",
            "image2": "other",
            "blend_factor": "factor",
            # Their difference is not without its sign.
            "blend_mode": (
                "mode",
                lambda value: "subtract" if value == "difference" else value,
                lambda value: {"subtract": "difference", "difference": "none"}.get(value, value),
            ),
        },
        ("image",),
    ),
    "ImageBlur": Mapped(
        "core.blur_image",
        {"image": "image", "blur_radius": "radius", "sigma": "sigma"},
        ("image",),
    ),
    "ImageSharpen": Mapped(
        "core.sharpen_image",
        {
            "image": "image",
            "sharpen_radius": "radius",
            "sigma": "sigma",
            "alpha": (
                "strength",
                lambda value: round(value * 10, 6),
                lambda value: round(value / 10, 7),
            ),
        },
        ("image",),
    ),
    "ImageQuantize": Mapped(
        "core.quantize_image",
        {"image": "image", "colors": "colours", "dither": "dither"},
        ("image",),
    ),
    "ImageCompositeMasked": Mapped(
        "core.composite_image",
        {
            "destination": "image",
            "source": "source",
            "mask": "mask",
            "x": "x",
            "y": "y",
            "resize_source": "resize",
        },
        ("image",),
    ),
    "ImageCrop": Mapped(
        "core.crop_image",
        {"image": "image", "x": "x", "y": "y", "width": "width", "height": "height"},
        ("image",),
    ),
    "EmptyImage": Mapped(
        "core.empty_image",
        {"width": "width", "height": "height", "batch_size": "batch", "color": _COLOUR},
        ("image",),
    ),
    "JoinImageWithAlpha": join_alpha,
    "SplitImageWithAlpha": split_alpha,
    "ImageFlip": flip,
    "ImageRotate": turn,
    "ImageStitch": Mapped(
        "core.stitch_images",
        {
            "image1": "image",
            "image2": "other",
            "direction": "direction",
            "match_image_size": "match",
            "spacing_width": "spacing",
            "spacing_color": (
                "colour",
                lambda value: COLOURS.get(str(value), value),
                one_of(COLOURS, "the colour"),
            ),
        },
        ("image",),
    ),
    "RepeatImageBatch": Mapped(
        "core.repeat_images", {"image": "image", "amount": "times"}, ("image",)
    ),
    "RebatchImages": rebatch,
    "ImageFromBatch": Mapped(
        "core.pick_images",
        {"image": "image", "batch_index": "start", "length": "count"},
        ("image",),
    ),
    "ImageScaleToMaxDimension": Mapped(
        "core.scale_to_side",
        {"image": "image", "upscale_method": "method", "largest_size": "pixels"},
        ("image",),
        fixed={"side": "longer"},
    ),
    "Canny": Mapped(
        "core.find_edges",
        {"image": "image", "low_threshold": "low", "high_threshold": "high"},
        ("image",),
    ),
    # Masks
    "InvertMask": Mapped("core.invert_mask", _MASK, ("mask",)),
    "GrowMask": Mapped(
        "core.grow_mask", {**_MASK, "expand": "grow", "tapered_corners": "tapered"}, ("mask",)
    ),
    "ThresholdMask": Mapped("core.threshold_mask", {**_MASK, "value": "value"}, ("mask",)),
    "FeatherMask": Mapped(
        "core.feather_mask", {**_MASK, **_EDGES}, ("mask",), fixed={"rule": "comfyui"}
    ),
    "MaskComposite": Mapped(
        "core.combine_masks",
        {
            "destination": "mask",
            "source": "other",
            "x": "x",
            "y": "y",
            "operation": "operation",
        },
        ("mask",),
    ),
    "CropMask": Mapped(
        "core.crop_mask",
        {**_MASK, "x": "x", "y": "y", "width": "width", "height": "height"},
        ("mask",),
    ),
    "SolidMask": Mapped(
        "core.solid_mask", {"value": "value", "width": "width", "height": "height"}, ("mask",)
    ),
    "ImageToMask": Mapped(
        "core.mask_from_image", {"image": "image", "channel": "channel"}, ("mask",)
    ),
    "MaskToImage": Mapped("core.image_from_mask", _MASK, ("image",)),
    "ImageColorToMask": Mapped(
        "core.mask_by_colour",
        {"image": "image", "color": _COLOUR},
        ("mask",),
        fixed={"tolerance": 0},
    ),
}


def export_load(node: OurNode, builder: ExportBuilder) -> Targets:
    id = builder.add(node, "LoadImage", {"image": node["file"]})
    return {"image": Target(Wire(id, 0)), "mask": Target(Wire(id, 1), turned=True)}


def export_load_mask(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {"image": node["file"], "channel": _channel(node, builder)}
    id = builder.add(node, "LoadImageMask", said)
    return {"mask": Target(Wire(id, 0), turned=node["channel"] == "alpha")}


def export_channel(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {"image": node["image"], "channel": _channel(node, builder)}
    return {"mask": Target(Wire(builder.add(node, "ImageToMask", said), 0))}


def _channel(node: OurNode, builder: ExportBuilder) -> Any:
    if node["channel"] != "brightness":
        return node["channel"]
    builder.tell(node, "a mask is made of one channel there: red, in place of brightness")
    return "red"


def export_invert(node: OurNode, builder: ExportBuilder) -> Targets:
    """What was turned round by what made it is taken as it is; not where this is passed over, or
    gives nothing."""
    target = node.target("mask")
    if target and target.turned and node.node.mode == "normal":
        return {"mask": Target(target.wire)}
    return {"mask": Target(Wire(builder.add(node, "InvertMask", {"mask": node["mask"]}), 0))}


def export_join_alpha(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {"image": node["image"], "alpha": node["mask"]}
    wire = Wire(builder.add(node, "JoinImageWithAlpha", said), 0)
    return {"image": Target(wire), "alpha": Target(wire, seen_through=True)}


def _with_alpha(node: OurNode, builder: ExportBuilder) -> Wire | None:
    """The picture of a node, with its transparency in it."""
    image: Wire | None = node["image"]
    alpha = node.target("alpha")
    if alpha is None or image is None or (alpha.seen_through and alpha.wire == image):
        return image
    if alpha.seen_through:
        said: dict[str, Any] = {"image": alpha.wire}
        mask = Wire(builder.add(node, "SplitImageWithAlpha", said, beside="alpha"), 1)
    else:  # opaque here, transparent there
        mask = builder.wire(replace(alpha, turned=not alpha.turned))
    said = {"image": image, "alpha": mask}
    return Wire(builder.add(node, "JoinImageWithAlpha", said, beside="picture"), 0)


def export_split_alpha(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {"image": _with_alpha(node, builder)}
    id = builder.add(node, "SplitImageWithAlpha", said)
    return {"image": Target(Wire(id, 0)), "mask": Target(Wire(id, 1))}


def export_save(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {"images": _with_alpha(node, builder), "filename_prefix": node["prefix"]}
    builder.add(node, "SaveImage", said)
    return {}


def export_preview(node: OurNode, builder: ExportBuilder) -> Targets:
    builder.add(node, "PreviewImage", {"images": _with_alpha(node, builder)})
    return {}


def export_flip(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {"image": node["image"], "flip_method": flipping(node["direction"])}
    return {"image": Target(Wire(builder.add(node, "ImageFlip", said), 0))}


def export_turn(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {"image": node["image"], "rotation": rotating(node["degrees"])}
    return {"image": Target(Wire(builder.add(node, "ImageRotate", said), 0))}


def on_masks(type: str, **names: str) -> NodeExport:
    """What theirs does to pictures alone: the mask as a picture, and back."""

    def exported(node: OurNode, builder: ExportBuilder) -> Targets:
        picture = builder.add(node, "MaskToImage", {"mask": node["mask"]}, beside="picture")
        said = {theirs: node[ours] for theirs, ours in names.items()}
        changed = builder.add(node, type, {"image": Wire(picture, 0), **said}, beside="changed")
        said = {"image": Wire(changed, 0), "channel": "red"}
        return {"mask": Target(Wire(builder.add(node, "ImageToMask", said), 0))}

    return exported


EXPORTS: dict[str, NodeExport] = {
    "core.load_image": export_load,
    "core.load_mask": export_load_mask,
    "core.mask_from_image": export_channel,
    "core.invert_mask": export_invert,
    "core.join_alpha": export_join_alpha,
    "core.split_alpha": export_split_alpha,
    "core.save_image": export_save,
    "core.preview_image": export_preview,
    "core.flip_image": export_flip,
    "core.rotate_image": export_turn,
    "core.blur_mask": on_masks("ImageBlur", blur_radius="radius", sigma="sigma"),
    "core.scale_mask": on_masks(
        "ImageScale", upscale_method="method", width="width", height="height"
    ),
}
