"""Pictures of NovelAI: JSON in `Comment`, beside it the prompt once more and the model's name.

Its weights ({ }, [ ], 1.3::x::) are translated (`weighted_text.py`). Its models are no files that
anybody has, so the picture itself cannot be made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ponystudio.graph.generation import json_values as values
from ponystudio.graph.generation.a1111_names import sampler_of, schedule_of
from ponystudio.graph.generation.generation_params import GenerationParams, Source, UsedModel
from ponystudio.graph.generation.weighted_text import from_novelai

PROGRAM = "NovelAI"
# What it calls otherwise than others do.
_SAMPLERS: Mapping[str, str] = {"ddim_v3": "ddim"}
_SCHEDULES: Mapping[str, str] = {"native": "normal"}
# Settings that change the picture and that nothing here does.
_UNMATCHED: Mapping[str, str] = {
    "sm": "SMEA",
    "sm_dyn": "SMEA's dynamic form",
    "autoSmea": "SMEA",
    "dynamic_thresholding": "dynamic thresholding",
    "skip_cfg_above_sigma": "pause of CFG above a σ",
    "reference_strength_multiple": "vibe transfer",
    "reference_strength": "vibe transfer",
    "controlnet_model": "ControlNet",
    "director_reference_strengths": "character reference",
}


def read(document: Mapping[str, Any], fields: Mapping[str, str]) -> GenerationParams | None:
    """Of a JSON object and the other texts of the picture; None for one that is not NovelAI's."""
    ours = "uc" in document and "scale" in document and "steps" in document
    if not ours and "v4_prompt" not in document:
        return None
    remarks = ["NovelAI's models are no files: choose one of yours, and the picture will differ"]
    sampler = _sampler(document, remarks)
    scheduler = _scheduler(document, remarks)
    said = values.name(document.get("sampler"))
    if said.startswith("nai_smea"):
        remarks.append("NovelAI's SMEA is not done here")
    remarks += [
        f"NovelAI's {title} is not done here"
        for name, title in _UNMATCHED.items()
        if document.get(name)
    ]
    prompt = _of_version_4(document.get("v4_prompt")) or values.words(document.get("prompt"))
    negative = _of_version_4(document.get("v4_negative_prompt")) or values.words(document.get("uc"))
    width, height = (values.pixels(document.get(side)) for side in ("width", "height"))
    scale = values.number(document.get("scale"), 0, 1000)
    return GenerationParams(
        program=PROGRAM,
        version=values.name(fields.get("Source")),
        prompt=from_novelai(prompt or values.words(fields.get("Description"))),
        negative=from_novelai(negative),
        model=UsedModel(values.name(fields.get("Source"))),
        sampler=sampler,
        scheduler=scheduler,
        steps=values.steps(document.get("steps")) or 28,
        cfg=5.0 if scale is None else scale,
        rescale=values.number(document.get("cfg_rescale"), 0, 1) or 0.0,
        seed=values.whole(document.get("seed")) or 0,
        width=width or 0,
        height=height or 0,
        source=_source(document),
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _sampler(document: Mapping[str, Any], remarks: list[str]) -> str:
    said = values.name(document.get("sampler"))
    name = said.removeprefix("k_")
    known, _ = sampler_of(_SAMPLERS.get(name, name))
    if said and not known and not said.startswith("nai_smea"):
        remarks.append(f"the sampler {said} is not known here: it is euler_ancestral now")
    return known or "euler_ancestral"


def _scheduler(document: Mapping[str, Any], remarks: list[str]) -> str:
    said = values.name(document.get("noise_schedule")) or "native"
    known = schedule_of(_SCHEDULES.get(said, said))
    if not known:
        remarks.append(f"the schedule {said} is not known here: it is normal now")
    return known or "normal"


def _of_version_4(value: Any) -> str:
    """A text for the whole, and one for each of its characters."""
    caption = values.mapping(values.mapping(value).get("caption"))
    parts = [caption.get("base_caption")]
    parts += [row.get("char_caption") for row in values.rows(caption.get("char_captions"), 100)]
    return ", ".join(text for part in parts if (text := values.words(part).strip(", \n")))


def _source(document: Mapping[str, Any]) -> Source | None:
    """Strength and noise stand in other pictures, too."""
    asked = values.name(document.get("request_type"))
    if asked not in ("Img2ImgRequest", "NativeInfillingRequest", "InfillRequest"):
        return None
    strength = values.number(document.get("strength"), 0, 1)
    return Source(denoise=0.7 if strength is None else strength, masked=asked != "Img2ImgRequest")
