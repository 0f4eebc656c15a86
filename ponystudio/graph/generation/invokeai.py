"""Pictures of InvokeAI: `invokeai_metadata`, the older `sd-metadata`, and the oldest's command line
in `Dream`.

Its weights (`word+`) are translated (`weighted_text.py`); noise is torch's, as in ComfyUI, so are
its rules, but what samplers draw between steps comes from a seed of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ponystudio.graph.generation import json_values as values
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    Refiner,
    SecondPass,
    Source,
    UsedLora,
    UsedModel,
)
from ponystudio.graph.generation.weighted_text import from_invokeai
from ponystudio.graph.model_facts import hexadecimal

PROGRAM = "InvokeAI"
_PLAIN, _KARRAS = "ddim_uniform", "karras"
# Sampler of ours by scheduler of InvokeAI's; _k behind it means Karras' levels, else they are
# those of diffusers: a step of the table after the other from its second entry on.
_SAMPLERS: Mapping[str, str] = {
    "ddim": "ddim",
    "ddpm": "ddpm",
    "deis": "deis",
    "lms": "lms",
    "heun": "heun",
    "euler": "euler",
    "euler_a": "euler_ancestral",
    "kdpm_2": "dpm_2",
    "kdpm_2_a": "dpm_2_ancestral",
    "dpm_2": "dpm_2",
    "dpm_2_a": "dpm_2_ancestral",
    "dpmpp_2": "dpmpp_2m",
    "dpmpp_2m": "dpmpp_2m",
    "dpmpp_2m_sde": "dpmpp_2m_sde",
    "dpmpp_2s": "dpmpp_2s_ancestral",
    "dpmpp_3m_sde": "dpmpp_3m_sde",
    "dpmpp_sde": "dpmpp_sde",
    "unipc": "uni_pc",
    "lcm": "lcm",
    "tcd": "tcd",
}
# The nearest of ours for those that we have not.
_NEAREST: Mapping[str, str] = {"pndm": "ipndm", "plms": "ipndm", "dpmpp_3m": "dpmpp_2m"}
# DPM++ 2S is the ancestral one that draws nothing.
_WITHOUT_NOISE = ("dpmpp_2s",)
_DRAWING = re.compile(r"ancestral|sde|lcm|tcd|ddpm")
# The oldest names.
_OLD_PREFIX = "k_"
_TRIGGER = re.compile(r"<([\w.-]{1,100})>")
_CONJUNCTION = re.compile(r"\.(and|blend|swap)\(")
_NEGATIVE = re.compile(r"\[([^\[\]]*+)\]")
_FLOW = ("flux", "sd3", "cogview", "z_image")
# Params that change the picture and that no node made here says.
_UNMATCHED: Mapping[str, str] = {
    "controlnets": "ControlNets",
    "ipAdapters": "IP adapters",
    "t2iAdapters": "T2I adapters",
    "control_layers": "control layers",
    "canvas_v2_metadata": "canvas layers",
    "regions": "regions",
    "seamless_x": "seamless x",
    "seamless_y": "seamless y",
    "freeu": "FreeU",
    "threshold": "threshold",
    "perlin": "Perlin noise",
    "cfg_scale_start_step": "first step of CFG",
    "positive_style_prompt": "style prompt",
    "negative_style_prompt": "negative style prompt",
    "refiner_positive_aesthetic_score": "refiner's aesthetic score",
}


def read(document: Mapping[str, Any], _fields: Mapping[str, str]) -> GenerationParams | None:
    """Of a JSON object; None for one that is not InvokeAI's."""
    if "positive_prompt" in document and (
        "app_version" in document
        or "generation_mode" in document
        or isinstance(document.get("model"), Mapping)
        or "rand_device" in document
    ):
        return _read_new(document)
    image = document.get("image")
    if isinstance(image, Mapping) and "InvokeAI" in values.name(document.get("app_id")):
        return _read_old(document, image)
    return None


def _read_new(said: Mapping[str, Any]) -> GenerationParams:
    flow = values.name(said.get("generation_mode")).startswith(_FLOW)
    sampler, scheduler, eta, remarks = _sampling(said.get("scheduler"))
    prompt, negative = (
        _translated(said.get(name), remarks) for name in ("positive_prompt", "negative_prompt")
    )
    styles = ("positive_style_prompt", "negative_style_prompt")
    same = {name for name in styles if said.get(name) in (said.get(name.replace("_style", "")), "")}
    width, height = (values.pixels(said.get(side)) for side in ("width", "height"))
    cfg = values.number(said.get("cfg_scale"), 0, 1000)
    guidance = values.number(said.get("guidance"), 0, 100)
    skip = values.whole(said.get("clip_skip"), 0, 11)
    for name, title in _UNMATCHED.items():
        if name not in same and (value := said.get(name)) not in (None, False, 0, "", [], {}):
            told = "" if isinstance(value, list | Mapping) else f" {values.plainly(value)}"
            if name != "refiner_positive_aesthetic_score" or said.get("refiner_model"):
                remarks.append(f"left out: InvokeAI's {title}{told}")
    by_card = values.name(said.get("rand_device")).startswith("cuda")
    if by_card:
        remarks.append(
            "its noise was drawn on a graphics card of which the text says nothing: that of large"
            " pictures depends on how many threads it runs at once"
        )
    encoders = (_model(said.get(name)) for name in ("clip_embed_model", "t5_encoder"))
    return GenerationParams(
        program=PROGRAM,
        version=values.name(said.get("app_version")),
        prompt=prompt,
        negative=negative,
        dialect="comfyui",
        model=_model(said.get("model")),
        text_encoders=tuple(encoder for encoder in encoders if encoder),
        family=_family(said),
        vae=_model(said.get("vae")),
        loras=tuple(_loras(said)),
        sampler=sampler,
        scheduler="auto" if flow else scheduler,
        eta=eta,
        steps=values.steps(said.get("steps")) or 30,
        cfg=(1.0 if flow else 7.5) if cfg is None else cfg,
        guidance=guidance if flow else None,
        rescale=values.number(said.get("cfg_rescale_multiplier"), 0, 1) or 0.0,
        clip_skip=skip + 1 if skip else 0,
        seed=values.whole(said.get("seed")) or 0,
        noise="nvidia" if by_card else "cpu",
        threads=None if by_card else 0,
        width=width or 512,
        height=height or width or 512,
        source=_source(said),
        hires=_second_pass(said),
        refiner=_refiner(said),
        other=_other(said),
        remarks=tuple(remarks),
    )


def _family(said: Mapping[str, Any]) -> str:
    """Where text encoders are told: whose they are."""
    base = values.name(values.mapping(said.get("model")).get("base"))
    return {"flux": "flux", "sd-3": "sd3"}.get(base, "")


def _model(value: Any) -> UsedModel:
    """By name, or where the oldest had none by path. Their hashes are BLAKE3."""
    said = values.mapping(value)
    name = values.name(said.get("name")) or values.name(said.get("model_name"))
    hash = values.name(said.get("hash")).lower()
    whole = hash.startswith(("blake3:", "sha256:")) and len(hexadecimal(hash)) == 64
    return UsedModel(name, hash.removeprefix("sha256:") if whole else "")


def _other(said: Mapping[str, Any]) -> dict[str, str]:
    hash = values.name(values.mapping(said.get("model")).get("hash"))
    return {"Model hash": hash} if hash else {}


def _loras(said: Mapping[str, Any]) -> list[UsedLora]:
    found = []
    for row in values.rows(said.get("loras")):
        used = _model(row.get("model") or row.get("lora"))
        weight = values.number(row.get("weight"), -100, 100)
        if used:
            strength = 1.0 if weight is None else weight
            found.append(UsedLora(used.name, strength, strength, used.hash))
    return found


def _source(said: Mapping[str, Any]) -> Source | None:
    mode = values.name(said.get("generation_mode"))
    file = values.name(said.get("init_image"))
    if not file and not mode.endswith(("img2img", "inpaint", "outpaint")):
        return None
    strength = values.number(said.get("strength"), 0, 1)
    return Source(
        file=file,
        denoise=0.75 if strength is None else strength,
        masked=mode.endswith(("inpaint", "outpaint")),
    )


def _second_pass(said: Mapping[str, Any]) -> SecondPass | None:
    """What made small pictures large until version 5."""
    width, height = (values.pixels(said.get(side)) for side in ("hrf_width", "hrf_height"))
    if not said.get("hrf_enabled"):
        return None
    strength = values.number(said.get("hrf_strength"), 0, 1)
    return SecondPass(
        scale=2.0 if not (width and height) else 0.0,
        width=width or 0,
        height=height or 0,
        space="picture",
        method="bilinear",
        upscaler=UsedModel("RealESRGAN_x4plus.pth")
        if values.name(said.get("hrf_method")) == "ESRGAN"
        else UsedModel(),
        denoise=0.45 if strength is None else strength,
    )


def _refiner(said: Mapping[str, Any]) -> Refiner | None:
    model = _model(said.get("refiner_model"))
    start = values.number(said.get("refiner_start"), 0, 1)
    return Refiner(model, 0.8 if start is None else start) if model else None


def _sampling(value: Any) -> tuple[str, str, float | None, list[str]]:
    """Sampler, schedule and η, and what is to be said of them."""
    named = values.name(value).lower() or "euler"
    name = named.removeprefix(_OLD_PREFIX)
    karras = name.endswith("_k")
    name = name.removesuffix("_k")
    scheduler = _KARRAS if karras else _PLAIN
    eta = 0.0 if name in _WITHOUT_NOISE else None
    if name in _NEAREST:
        near = _NEAREST[name]
        return near, scheduler, None, [f"there is no sampler {named} here, {near} is the nearest"]
    if name not in _SAMPLERS:
        return "euler", scheduler, None, [f"the sampler {named} is not known here: it is euler now"]
    sampler, remarks = _SAMPLERS[name], []
    if eta is None and _DRAWING.search(sampler):
        remarks.append(f"the noise that {named} draws between steps is another one in InvokeAI")
    return sampler, scheduler, eta, remarks


def _translated(value: Any, remarks: list[str]) -> str:
    text = values.words(value)
    if found := _CONJUNCTION.search(text):
        remarks.append(f"InvokeAI's .{found[1]}() is read as words")
    return _TRIGGER.sub(r"embedding:\1", from_invokeai(text))


# --- Before version 3 -----------------------------------------------------------------------------


def _read_old(document: Mapping[str, Any], image: Mapping[str, Any]) -> GenerationParams:
    prompt = image.get("prompt")
    parts = [values.words(row.get("prompt")) for row in values.rows(prompt)]
    text = " ".join(parts) or values.words(prompt)
    return _of_old(
        text,
        image,
        values.name(document.get("app_version")),
        values.name(document.get("model_weights")) or values.name(document.get("model")),
        values.name(document.get("model_hash")),
    )


_OPTION = re.compile(r"\s-{1,2}([A-Za-z][\w.]{0,30})(?:[ =]([^\s\"-][^\s\"]{0,200}))?")
_OPTIONS: Mapping[str, str] = {
    "s": "steps",
    "steps": "steps",
    "S": "seed",
    "seed": "seed",
    "W": "width",
    "width": "width",
    "H": "height",
    "height": "height",
    "C": "cfg_scale",
    "cfg_scale": "cfg_scale",
    "A": "sampler",
    "sampler": "sampler",
    "f": "strength",
    "I": "init_image",
}
_DREAM = re.compile(r"\s*\"((?:[^\"\\]|\\.){0,20000})\"(?=\s-)")


def read_dream(text: str) -> GenerationParams | None:
    """Of a command line: `"a prompt" -s 50 -S 7 -W512 -H512 -C7.5 -A k_lms`; None for others."""
    quoted = _DREAM.match(text)
    if quoted is None:
        return None
    said: dict[str, Any] = {}
    for found in _OPTION.finditer(text[quoted.end() - 1 :][:10_000]):
        letter, rest = found[1], found[2] or ""
        if letter[:1] in _OPTIONS and letter not in _OPTIONS:  # -W512
            letter, rest = letter[:1], letter[1:] + rest
        if letter in _OPTIONS:
            said.setdefault(_OPTIONS[letter], rest)
    if not {"steps", "seed"} <= said.keys():
        return None
    return _of_old(quoted[1].replace('\\"', '"'), said, "", "", "")


def _of_old(
    text: str, image: Mapping[str, Any], version: str, model: str, hash: str
) -> GenerationParams:
    """What is in brackets is not wanted."""
    sampler, scheduler, eta, remarks = _sampling(image.get("sampler") or "k_lms")
    negative = ", ".join(_NEGATIVE.findall(text))
    sides = [values.pixels(image.get(name)) for name in ("width", "height")]
    cfg = values.number(image.get("cfg_scale"), 0, 1000)
    strength = values.number(image.get("strength"), 0, 1)
    remarks += [
        f"left out: InvokeAI's {title}" for name, title in _UNMATCHED.items() if image.get(name)
    ]
    variations = image.get("variations")
    if variations:
        remarks.append("left out: InvokeAI's variations")
    over_picture = image.get("init_image") or image.get("type") == "img2img"
    return GenerationParams(
        program=PROGRAM,
        version=version,
        prompt=_translated(_NEGATIVE.sub("", text).strip(), remarks),
        negative=_translated(negative, remarks),
        dialect="comfyui",
        model=UsedModel(model, hash if len(hash) == 64 else ""),
        sampler=sampler,
        scheduler=scheduler,
        eta=eta,
        steps=values.steps(image.get("steps")) or 50,
        cfg=7.5 if cfg is None else cfg,
        seed=values.whole(image.get("seed")) or 0,
        width=sides[0] or 512,
        height=sides[1] or 512,
        source=Source(denoise=0.75 if strength is None else strength) if over_picture else None,
        remarks=tuple(remarks),
    )
