"""Pictures of SwarmUI: JSON with `sui_image_params`, and what its prompts say in < >.

SwarmUI has ComfyUI sample, so dialect, noise and names are ComfyUI's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ponystudio.graph.editing import lora_tags
from ponystudio.graph.generation import json_values as values
from ponystudio.graph.generation.comfyui_names import known_names
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    Refiner,
    SecondPass,
    Source,
    UsedLora,
    UsedModel,
)
from ponystudio.system.file_names import model_name

PROGRAM = "SwarmUI"
_PARAMS, _EXTRA, _MODELS = "sui_image_params", "sui_extra_data", "sui_models"
_TAG = re.compile(r"<(\w{1,40})(?:\[[^\[\]<>]{0,200}\])?(?::([^<>]{0,2000}))?>")
# What follows them is said of a part of the picture, or of another pass.
_SECTIONS = frozenset(("segment", "object", "region", "refiner", "video", "videoswap", "extend"))
# What stands for nothing by itself.
_PLAIN = frozenset(("comment", "base"))
# How a picture is scaled between two passes, where no model does it.
_METHODS: Mapping[str, tuple[str, str]] = {
    "pixel-lanczos": ("picture", "lanczos"),
    "pixel-bicubic": ("picture", "bicubic"),
    "pixel-area": ("picture", "area"),
    "pixel-bilinear": ("picture", "bilinear"),
    "pixel-nearest-exact": ("picture", "nearest-exact"),
    "latent-bislerp": ("latent", "bislerp"),
    "latent-bicubic": ("latent", "bicubic"),
    "latent-area": ("latent", "area"),
    "latent-bilinear": ("latent", "bilinear"),
    "latent-nearest-exact": ("latent", "nearest-exact"),
}
# Params that change the picture and that no node made here says.
_UNMATCHED = (
    "controlnetmodel",
    "controlnetimageinput",
    "ipadapter",
    "ipadaptermodel",
    "promptimages",
    "seamlesstileable",
    "freeuapplyto",
    "dynamicthresholding",
    "teacache",
    "regionalobjectcleanupfactor",
    "torchcompile",
    "zeronegative",
    "endstepsearly",
    "samplersigmamin",
    "samplersigmamax",
)


@dataclass(frozen=True)
class _Prompt:
    """A prompt without what stands in < >: the LoRAs of those, and the kinds of the others."""

    text: str
    loras: tuple[UsedLora, ...] = ()
    left_out: tuple[str, ...] = ()


def read(document: Mapping[str, Any], _fields: Mapping[str, str]) -> GenerationParams | None:
    """Of a JSON object; None for one that is not SwarmUI's."""
    said = document.get(_PARAMS)
    if not isinstance(said, Mapping):
        return None
    hashes = dict(_hashes(document))
    prompt, negative = (_without_tags(said.get(name)) for name in ("prompt", "negativeprompt"))
    width, height = (values.pixels(said.get(side)) for side in ("width", "height"))
    guidance = values.number(said.get("fluxguidancescale"), 0, 100)
    model = values.name(said.get("model"))
    cfg = values.number(said.get("cfgscale"), 0, 1000)
    skip = values.whole(said.get("clipstopatlayer"), -24, -1)
    remarks = [f"SwarmUI's <{kind}:…> is left out" for kind in prompt.left_out + negative.left_out]
    remarks += [
        f"SwarmUI's {name} {values.plainly(said[name])} is left out"
        for name in _UNMATCHED
        if said.get(name) not in (None, False, "", "None", "false")
    ]
    vae = "" if said.get("automaticvae") else values.name(said.get("vae"))
    encoders = (values.name(said.get(name)) for name in ("cliplmodel", "clipgmodel", "t5xxlmodel"))
    sampler, scheduler = known_names(
        values.name(said.get("sampler")) or "euler",
        values.name(said.get("scheduler")) or ("simple" if guidance else "normal"),
        remarks,
    )
    asked = values.steps(said.get("steps")) or 20
    source, steps = _over_picture(said, asked)
    params = GenerationParams(
        program=PROGRAM,
        version=values.name(said.get("swarm_version")),
        prompt=prompt.text,
        negative=negative.text,
        dialect="comfyui",
        model=UsedModel(model, hashes.get(model, "")),
        text_encoders=tuple(UsedModel(name) for name in encoders if name),
        vae=UsedModel("" if vae.lower() == "automatic" else vae, hashes.get(vae, "")),
        loras=tuple(_loras(said, prompt.loras, hashes)),
        sampler=sampler,
        scheduler=scheduler,
        steps=steps,
        cfg=7.0 if cfg is None else cfg,
        guidance=guidance,
        shift=values.number(said.get("sigmashift"), 0, 100) or None,
        rescale=values.number(said.get("rescalecfgmultiplier"), 0, 1) or 0.0,
        clip_skip=-skip if skip else 0,
        seed=values.whole(said.get("seed")) or 0,
        variation_seed=values.whole(said.get("variationseed")) or 0,
        variation=values.number(said.get("variationseedstrength"), 0, 1) or 0.0,
        width=width or 1024,
        height=height or width or 1024,
        source=source,
        other=_other(document),
        remarks=tuple(remarks),
    )
    return _refined(params, said, hashes, asked)


def _without_tags(value: Any) -> _Prompt:
    text = values.words(value)
    loras = [
        UsedLora(tag.name, tag.strength, tag.clip_strength)
        for tag in lora_tags.tags(text)
        if tag.kind == "loras"
    ]
    text = lora_tags.strip_tags(text)
    left_out: dict[str, None] = {}
    kept: list[str] = []
    place = 0
    for found in _TAG.finditer(text):
        kind, inside = found[1].lower(), found[2] or ""
        kept.append(text[place : found.start()])
        place = found.end()
        if kind in _SECTIONS:
            left_out[kind] = None
            place = len(text)
            break
        if kind in ("embed", "embedding"):
            kept.append(f"embedding:{inside}")
        elif kind not in _PLAIN:
            left_out[kind] = None
    kept.append(text[place:])
    return _Prompt("".join(kept).strip(), tuple(loras), tuple(left_out))


def _loras(
    said: Mapping[str, Any], tagged: tuple[UsedLora, ...], hashes: Mapping[str, str]
) -> list[UsedLora]:
    """Those of the list, and those of the prompt that are not in it."""
    names = [values.name(name) for name in values.texts(said.get("loras")) if values.name(name)]
    weights, clip_weights = (
        _numbers(said.get(name)) for name in ("loraweights", "loratencweights")
    )
    found = []
    for number, name in enumerate(names):
        strength = weights[number] if number < len(weights) else 1.0
        clip = clip_weights[number] if number < len(clip_weights) else strength
        found.append(UsedLora(name, strength, clip, hashes.get(name, "")))
    known = {_bare(lora.name) for lora in found}
    return found + [lora for lora in tagged if _bare(lora.name) not in known]


def _numbers(value: Any) -> list[float]:
    listed = value.split(",") if isinstance(value, str) and value else value
    found = listed[:1000] if isinstance(listed, list) else []
    return [1.0 if (n := values.number(each, -100, 100)) is None else n for each in found]


def _bare(name: str) -> str:
    return model_name(name).lower()


def _hashes(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of the tensors alone, by name; twelve letters, as others write them."""
    found = []
    for row in values.rows(document.get(_MODELS)):
        file = values.name(row.get("name"))
        hash = values.name(row.get("hash")).lower().removeprefix("0x")
        if file and len(hash) >= 12:
            found += [(name, hash[:12]) for name in (file, file.removesuffix(".safetensors"))]
    return found


def _over_picture(said: Mapping[str, Any], steps: int) -> tuple[Source | None, int]:
    """The picture that it was made from, and how many of the steps were done over it."""
    if not said.get("initimage"):
        return None, steps
    creativity = values.number(said.get("initimagecreativity"), 0, 1)
    done = steps - round(steps * (1 - (0.6 if creativity is None else creativity)))
    # A little less, so that these are so many of the steps again, whatever is rounded.
    share = max(done / steps - 1e-9, 0.0)
    masked = bool(said.get("maskimage"))
    return Source(denoise=share, counted="done", masked=masked), max(done, 1)


def _refined(
    params: GenerationParams, said: Mapping[str, Any], hashes: Mapping[str, str], steps: int
) -> GenerationParams:
    """With the second pass, which SwarmUI calls refining, whether by another model or the same."""
    share = values.number(said.get("refinercontrolpercentage"), 0, 1)
    upscale = values.number(said.get("refinerupscale"), 0.1, 8) or 1.0
    name = values.name(said.get("refinermodel"))
    model = UsedModel(name, hashes.get(name, "")) if name else UsedModel()
    if not share or not (name or upscale != 1 or "refinermethod" in said):
        return params
    if values.name(said.get("refinermethod")).startswith("StepSwap") and upscale == 1:
        return replace(params, refiner=Refiner(model or params.model, 1 - share))
    how = values.name(said.get("refinerupscalemethod")) or "pixel-lanczos"
    space, method = _METHODS.get(how, ("picture", "lanczos"))
    remarks = list(params.remarks)
    upscaler = UsedModel()
    if how.startswith("model-"):
        upscaler = UsedModel(how.removeprefix("model-"))
    elif how not in _METHODS:
        remarks.append(f"SwarmUI's way to enlarge {how} is not known here")
    steps = values.steps(said.get("refinersteps")) or steps
    sampler, scheduler = known_names(
        values.name(said.get("refinersampler")) or params.sampler,
        values.name(said.get("refinerscheduler")) or params.scheduler,
        remarks,
    )
    second = SecondPass(
        scale=upscale,
        space="latent" if space == "latent" else "picture",
        method=method,
        upscaler=upscaler,
        denoise=share,
        # Of so many steps the last ones are done.
        steps=max(1, steps - round(steps * (1 - share))),
        sampler=sampler,
        scheduler=scheduler,
        cfg=values.number(said.get("refinercfgscale"), 0, 1000),
        seed=(params.seed + 1) % 2**64,
        model=model,
    )
    return replace(params, hires=second, remarks=tuple(remarks))


def _other(document: Mapping[str, Any]) -> dict[str, str]:
    said = values.mapping(document.get(_EXTRA))
    return {name: values.plainly(said[name]) for name in ("date", "notes") if said.get(name)}
