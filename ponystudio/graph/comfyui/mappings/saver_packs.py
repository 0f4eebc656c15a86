"""Nodes of packs that save pictures, and the names of files in their words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature, signature
from ponystudio.graph.comfyui.mapping import (
    Builder,
    Carried,
    Mapped,
    NodeMapping,
    Outputs,
)
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire

_FORMATS = {"png": "png", "webp": "webp", "jpg": "jpeg", "jpeg": "jpeg"}
_WITH_QUALITY = ("webp", "jpeg")
# Letters of a form of dates that ours knows as well.
_DATE = re.compile(r"(?:%[YymdHIMSfjpAaBbUWVGuwzZ%]|[^%<>\]\[]){1,200}")
# Image Saver's names of what is known of a picture, in ours; no % ends them.
_SAVER_TOKENS: Mapping[str, str] = {
    "basemodelname": "model",
    "modelname": "model",
    "model": "model",
    "width": "width",
    "height": "height",
    "seed": "seed",
    "counter": "counter",
    "sampler_name": "sampler",
    "sampler": "sampler",
    "steps": "steps",
    "cfg": "cfg",
    "scheduler_name": "scheduler",
    "scheduler": "scheduler",
    "denoise": "denoise",
    "clip_skip": "clip_skip",
    "date": "date",
}
_SAVER_TOKEN = re.compile(
    "%(time_format<[^<>]{1,100}>|time|custom|"
    + "|".join(sorted(_SAVER_TOKENS, key=len, reverse=True))
    + ")"
)
_WAS_TIME = re.compile(r"\[time(?:\(([^()\[\]]{1,100})\))?\]")
# SaveImageExtended's keys, in our words.
_KEYS: Mapping[str, str] = {
    **{name: name for name in ("seed", "steps", "cfg", "scheduler", "denoise", "width", "height")},
    "noise_seed": "seed",
    "sampler_name": "sampler",
    "ckpt_name": "model",
    "unet_name": "model",
    "vae_name": "vae",
}
# The folder of results has other names there.
_OUTPUT = re.compile(r"\A(?:\./)?(?:ComfyUI/)?output(?:/|\Z)|\A\./")


def dated(form: str) -> str:
    """A date in a form of strftime's, as a token of ours."""
    return f"[datetime<{form}>]" if _DATE.fullmatch(form) else "%datetime%"


def saver_name(text: str, time_format: str, custom: str = "") -> str:
    """A name in Image Saver's words."""

    def ours(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("time_format<"):
            return dated(name.removeprefix("time_format<").removesuffix(">"))
        if name == "custom":
            return custom
        return dated(time_format) if name == "time" else f"%{_SAVER_TOKENS[name]}%"

    return _SAVER_TOKEN.sub(ours, text)


def was_name(text: str) -> str:
    """A name in WAS's words."""
    return _WAS_TIME.sub(lambda match: dated(match[1] or "%Y%m%d%H%M%S"), text)


def place(node: SourceNode, builder: Builder, folder: Any, name: Any, separator: str = "/") -> Any:
    """A name in a folder, within that of results; a wire alone where it brings the whole name."""
    texts = [builder.constant(part) for part in (folder, name)]
    if texts[1] is None and isinstance(name, Wire):
        if folder:
            builder.tell(node, "its folder is left out: a wire brings the name")
        return name
    if texts[0] is None and isinstance(folder, Wire):
        builder.tell(node, "its folder is left out: only a run says it")
    inside = _inside(node, builder, str(texts[0] or ""))
    return separator.join(part for part in (inside, str(texts[1] or "")) if part) or "ComfyUI"


def _inside(node: SourceNode, builder: Builder, folder: str) -> str:
    folder = _OUTPUT.sub("", folder.replace("\\", "/").strip())
    if folder.startswith(("/", "~")) or folder[1:2] == ":" or ".." in folder.split("/"):
        builder.tell(node, f"pictures are saved in the folder of results, not in {folder[:200]}")
        return ""
    return folder.strip("/.")


def saved(node: SourceNode, builder: Builder, prefix: Any, format: Any, quality: Any) -> None:
    picture = builder.output(node.inputs.get("images", node.inputs.get("image")))
    said, lossless = str(format).lower(), node.inputs.get("lossless_webp") in (True, "true")
    values = {
        "image": picture,
        "alpha": picture.alpha if picture else None,
        "prefix": prefix,
        "format": _FORMATS.get(said, "png"),
    }
    if said not in _FORMATS:
        builder.tell(node, f"pictures are saved as PNG, not as {said[:20]}")
    if values["format"] in _WITH_QUALITY:
        values["quality"] = quality
        if lossless and said == "webp":
            values["quality"] = 100
            builder.tell(node, "its WebP files are not lossless: their quality is 100")
    builder.add(node, "core.save_image", values)


def was(node: SourceNode, builder: Builder) -> Outputs:
    """WAS's; what else it says is how names are numbered, and what is shown."""
    inputs = node.inputs
    for name in (
        *("filename_delimiter", "filename_number_padding", "filename_number_start", "dpi"),
        *("optimize_image", "overwrite_mode", "show_history", "show_history_by_prefix"),
        *("embed_workflow", "show_previews"),
    ):
        inputs.get(name)
    said = [inputs.get("output_path", ""), inputs.get("filename_prefix", "ComfyUI")]
    folder, name = (was_name(part) if isinstance(part, str) else part for part in said)
    if inputs.get("overwrite_mode") == "prefix_as_filename":
        builder.tell(node, "no file is written over: names are numbered")
    prefix = place(node, builder, folder, name)
    saved(node, builder, prefix, inputs.get("extension", "png"), inputs.get("quality", 95))
    return [builder.output(inputs.get("images")), None]


def image_saver(node: SourceNode, builder: Builder) -> Outputs:
    """Image Saver's; what it writes of the picture is found in the graph here."""
    inputs = dict(node.inputs)  # all of them are looked at
    _tell_hashes(node, builder)
    if inputs.get("save_workflow_as_json") is True:
        builder.tell(node, "the graph is written into pictures, not beside them")
    form = str(builder.constant(inputs.get("time_format")) or "%Y-%m-%d-%H%M%S")
    custom = str(builder.constant(inputs.get("custom")) or "")
    said = [inputs.get("path", ""), inputs.get("filename", "%time_%basemodelname_%seed")]
    known = [builder.constant(part) for part in said]
    folder, name = (
        saver_name(text, form, custom) if isinstance(text, str) else part
        for part, text in zip(said, known, strict=True)
    )
    prefix = place(node, builder, folder, name)
    quality = inputs.get("quality_jpeg_or_webp", 100)
    saved(node, builder, prefix, inputs.get("extension", "png"), quality)
    return [None, None]


def saver_metadata(node: SourceNode, builder: Builder) -> Outputs:
    """What Image Saver is to write of a picture, which ours finds in the graph."""
    dict(node.inputs)  # all of them are looked at
    _tell_hashes(node, builder)
    return [Carried(()), None, None]


def _tell_hashes(node: SourceNode, builder: Builder) -> None:
    if node.inputs.get("additional_hashes"):
        builder.tell(node, "additional_hashes are left out: those of its own models are written")


def extended(node: SourceNode, builder: Builder) -> Outputs:
    """SaveImageExtended: names made of the values of nodes."""
    inputs = dict(node.inputs)
    delimiter = str(inputs.get("delimiter", "-"))[:5]

    def named(prefix: str, keys: str) -> str:
        found = [str(inputs.get(prefix) or "")]
        for key in str(inputs.get(keys) or "").split(",")[:50]:
            found += _key(node, builder, key.strip())
        return delimiter.join(part for part in found if part)

    folder = named("foldername_prefix", "foldername_keys")
    name = named("filename_prefix", "filename_keys")
    if inputs.get("save_job_data", "disabled") != "disabled":
        builder.tell(node, "no file of the job's data is written beside pictures")
    format = str(inputs.get("output_ext", ".png")).removeprefix(".")
    saved(node, builder, place(node, builder, folder, name), format, inputs.get("quality", 90))
    return [builder.output(node.inputs.get("images"))]


def _key(node: SourceNode, builder: Builder, key: str) -> list[str]:
    """What one key stands for: a value, a date, or a text that stands for itself."""
    bare = key.rpartition(".")[2]
    if bare in _KEYS:
        return [f"%{_KEYS[bare]}%"]
    if "%" in key:
        form = key.replace("%F", "%Y-%m-%d").replace("%T", "%H-%M-%S")
        return [dated(form)]
    if key.startswith(("/", "./")):
        return [key]
    if key:
        builder.tell(node, f"{key[:60]} in its names is not known, and left out")
    return []


MAPPINGS: dict[str, NodeMapping] = {
    "Image Save": was,
    "Image Saver": image_saver,
    "Image Saver Simple": image_saver,
    "Image Saver Metadata": saver_metadata,
    "SaveImageExtended": extended,
    "SaveImageWebsocket": Mapped(
        "core.save_image", {"images": "image"}, fixed={"prefix": "ComfyUI"}
    ),
}

SIGNATURES: dict[str, Signature] = {
    "Image Save": signature(
        "images",
        "output_path, filename_prefix, filename_delimiter, filename_number_padding, "
        "filename_number_start, extension, dpi, quality, optimize_image, lossless_webp, "
        "overwrite_mode, show_history, show_history_by_prefix, embed_workflow, show_previews",
        "images, files",
    ),
    "Image Saver": signature(
        "images",
        "filename, path, extension, steps, cfg, modelname, sampler_name, scheduler_name, "
        "positive, negative, seed_value, width, height, lossless_webp, quality_jpeg_or_webp, "
        "optimize_png, counter, denoise, clip_skip, time_format, save_workflow_as_json, "
        "embed_workflow, additional_hashes, download_civitai_data, easy_remix, show_preview, "
        "custom",
        "hashes, a1111_params",
    ),
    "Image Saver Simple": signature(
        "images, metadata",
        "filename, path, extension, lossless_webp, quality_jpeg_or_webp, optimize_png, "
        "embed_workflow, save_workflow_as_json, counter, time_format, show_preview",
        "hashes, a1111_params",
    ),
    "Image Saver Metadata": signature(
        "",
        "modelname, positive, negative, width, height, seed_value, steps, cfg, sampler_name, "
        "scheduler_name, denoise, clip_skip, additional_hashes, download_civitai_data, "
        "easy_remix, custom",
        "metadata, hashes, a1111_params",
    ),
    "SaveImageExtended": signature(
        "images, positive_text_opt, negative_text_opt",
        "filename_prefix, filename_keys, foldername_prefix, foldername_keys, delimiter, "
        "save_job_data, job_data_per_image, job_custom_text, save_metadata, counter_digits, "
        "counter_position, one_counter_per_folder, image_preview, output_ext, quality",
        "images",
    ),
    "SaveImageWebsocket": signature("images"),
}
