"""Pictures of Fooocus: its own JSON, its log's JSON with labels, and what it adds to A1111's text.

Fooocus is ComfyUI's sampling with rules of its own around it (sharpness, guidance of the sizes),
which no node here has: they are told. Each of its prompts is encoded by itself and weighed as in
A1111, so they come as one in that dialect, with BREAK between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ponystudio.graph.generation import json_values as values
from ponystudio.graph.generation.comfyui_names import known_names
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    Refiner,
    RuleDetails,
    UsedLora,
    UsedModel,
)

PROGRAM = "Fooocus"
# What the log calls the same.
_LABELS: Mapping[str, str] = {
    "Prompt": "prompt",
    "Negative Prompt": "negative_prompt",
    "Fooocus V2 Expansion": "prompt_expansion",
    "Styles": "styles",
    "Performance": "performance",
    "Steps": "steps",
    "Resolution": "resolution",
    "Guidance Scale": "guidance_scale",
    "Sharpness": "sharpness",
    "ADM Guidance": "adm_guidance",
    "Base Model": "base_model",
    "Refiner Model": "refiner_model",
    "Refiner Switch": "refiner_switch",
    "Refiner Swap Method": "refiner_swap_method",
    "CLIP Skip": "clip_skip",
    "Sampler": "sampler",
    "Scheduler": "scheduler",
    "VAE": "vae",
    "Seed": "seed",
    "Version": "version",
    "Full raw prompt": "full_prompt",
    "Full raw negative prompt": "full_negative_prompt",
}
# Steps where none are told, by performance.
_STEPS = {
    "quality": 60,
    "speed": 30,
    "extreme speed": 8,
    "lightning": 4,
    "hyper-sd": 4,
}
_DEFAULT_VAE = "default (model)"
# What each setting does that no node here does; a value that does nothing is none.
_OWN_RULES: tuple[tuple[str, str], ...] = (
    ("sharpness", "Fooocus's sharpness {} filters every step, which is not done here"),
    ("adm_guidance", "Fooocus's guidance of the sizes {} is not done here"),
    ("adaptive_cfg", "Fooocus's CFG mimicking {} is not done here"),
    ("freeu", "Fooocus's FreeU {} is left out: add a node FreeU"),
    ("inpaint_engine_version", "the inpainting of Fooocus {} is not done here"),
    ("inpaint_method", "the inpainting of Fooocus {} is not done here"),
)
_MOST_LORAS = 100


def read(document: Mapping[str, Any], _fields: Mapping[str, str]) -> GenerationParams | None:
    """Of a JSON object; None for one that is not Fooocus's."""
    said = _by_name(document)
    if not said.keys() >= {"base_model", "resolution", "prompt"}:
        return None
    sides = values.sides(said.get("resolution")) or (1024, 1024)
    steps = values.steps(said.get("steps"))
    if steps is None:
        steps = _STEPS.get(values.name(said.get("performance")).lower(), 30)
    prompts, negatives = (
        _joined(said.get(f"full_{name}"), said.get(name)) for name in ("prompt", "negative_prompt")
    )
    vae = values.name(said.get("vae"))
    cfg = values.number(said.get("guidance_scale"), 0, 1000)
    skip = values.whole(said.get("clip_skip"), 0, 12)
    refiner = values.name(said.get("refiner_model"))
    switch = values.number(said.get("refiner_switch"), 0, 1)
    remarks = _own_rules(said)
    sampler, scheduler = known_names(
        values.name(said.get("sampler")) or "dpmpp_2m_sde_gpu",
        values.name(said.get("scheduler")) or "karras",
        remarks,
    )
    if not said.get("full_prompt") and values.name(said.get("styles")).strip("[]"):
        remarks.append(f"the words of Fooocus's styles {said['styles']} are not in its text")
    return GenerationParams(
        program=PROGRAM,
        version=values.name(said.get("version")),
        prompt=prompts,
        negative=negatives,
        model=UsedModel(values.name(said.get("base_model")), _hash(said.get("base_model_hash"))),
        family="sdxl",
        vae=UsedModel() if vae.lower() == _DEFAULT_VAE else UsedModel(vae),
        loras=tuple(_loras(said)),
        sampler=sampler,
        scheduler=scheduler,
        steps=steps,
        cfg=4.0 if cfg is None else cfg,
        # The layer before the last is what SDXL takes anyway.
        clip_skip=0 if skip in (None, 2) else skip,
        seed=values.whole(said.get("seed")) or 0,
        width=sides[0],
        height=sides[1],
        refiner=Refiner(
            UsedModel(refiner, _hash(said.get("refiner_model_hash"))),
            0.8 if switch is None else switch,
        )
        if refiner
        else None,
        remarks=tuple(remarks),
    )


def amended(params: GenerationParams) -> GenerationParams:
    """What A1111's text says, where Fooocus wrote it: `other` has what A1111 has no words for."""
    other = {name.lower().replace(" ", "_"): text for name, text in params.other.items()}
    weights = dict(_named_weights(other.get("lora_weights", "")))
    loras = tuple(
        replace(lora, strength=weights[lora.name], clip_strength=weights[lora.name])
        if lora.name in weights
        else lora
        for lora in params.loras
    )
    return replace(
        params,
        program=PROGRAM,
        rules="comfyui",
        noise="cpu",
        threads=0,
        details=RuleDetails(),
        loras=loras,
        remarks=(*_still_true(params.remarks, weights), *_own_rules(other)),
    )


def is_infotext(params: GenerationParams) -> bool:
    """Whether Fooocus wrote a text of A1111's kind."""
    return params.version.startswith(PROGRAM)


# What A1111's text says of the fields and the noise of Fooocus, before it is known to be its own.
_SAID_ANEW = ("Sharpness:", "ADM Guidance:", "Performance:", "Lora weights:", "Its noise was drawn")


def _still_true(remarks: Iterable[str], loras: Iterable[str]) -> list[str]:
    anew = (*_SAID_ANEW, *(f"The LoRA {name} " for name in loras))
    return [remark for remark in remarks if not remark.startswith(anew)]


def _by_name(document: Mapping[str, Any]) -> dict[str, Any]:
    """Under the names of the newer files."""
    return {_LABELS.get(name, name): value for name, value in document.items()}


def _joined(full: Any, short: Any) -> str:
    """All that was encoded; else what was typed."""
    found = [text for text in values.texts(full) if text.strip()]
    return "\nBREAK\n".join(map(_in_dialect, found or [values.words(short)]))


def _in_dialect(text: str) -> str:
    """Brackets of the kind [ ] are words there."""
    return text.replace("[", "\\[").replace("]", "\\]")


def _loras(said: Mapping[str, Any]) -> list[UsedLora]:
    """In any of three forms: [name, weight, hash], `lora_combined_1` or "LoRA 1"."""
    found: list[UsedLora] = []
    listed = said.get("loras")
    for row in listed[:_MOST_LORAS] if isinstance(listed, list) else ():
        if isinstance(row, list) and row and (name := values.name(row[0])):
            weight = values.number(row[1], -100, 100) if len(row) > 1 else None
            found.append(_lora(name, weight, _hash(row[2]) if len(row) > 2 else ""))
    for number in range(1, _MOST_LORAS):
        text = said.get(f"lora_combined_{number}", said.get(f"LoRA {number}"))
        for name, weight in _named_weights(values.name(text)):
            if all(name != lora.name for lora in found):
                found.append(_lora(name, weight, ""))
    return found


def _lora(name: str, weight: float | None, hash: str) -> UsedLora:
    strength = 1.0 if weight is None else weight
    return UsedLora(name, strength, strength, hash)


def _named_weights(text: str) -> list[tuple[str, float]]:
    """Of "name : weight, name : weight"; a name may hold commas, but weights are numbers."""
    found: list[tuple[str, float]] = []
    name = ""
    for piece in text.split(",")[:_MOST_LORAS]:
        before, colon, after = piece.rpartition(":")
        weight = values.number(after, -100, 100) if colon else None
        if weight is None:
            name += f"{piece},"
            continue
        found.append(((name + before).strip(), weight))
        name = ""
    return found


def _hash(value: Any) -> str:
    return values.name(value).lower()


def _own_rules(said: Mapping[str, Any]) -> list[str]:
    remarks = []
    for name, text in _OWN_RULES:
        value = said.get(name)
        if value in (None, "", "None", 0, "0", "0.0") or _is_neutral(name, value):
            continue
        remarks.append(text.format(values.plainly(value)))
    return remarks


def _is_neutral(name: str, value: Any) -> bool:
    """Scales of 1 change nothing: "(1.0, 1.0, 0.3)"."""
    scales = values.plainly(value).strip("()").split(",")[:2]
    return name == "adm_guidance" and [values.number(scale) for scale in scales] == [1.0, 1.0]
