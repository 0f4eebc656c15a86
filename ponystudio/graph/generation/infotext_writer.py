"""Writes A1111's `parameters`: what other galleries and tools read about how a picture was made.

It is a summary for others. What makes the picture again is the graph.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.generation import a1111_names as names
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    RuleDetails,
    SecondPass,
    UsedLora,
    UsedModel,
)
from ponystudio.graph.generation.infotext import CARD_THREADS, OWN
from ponystudio.graph.generation.infotext_grammar import Infotext, compose
from ponystudio.graph.generation.params_of_graph import params_of
from ponystudio.graph.model import Graph

# The fields of params of which a graph may not know what a run made of them.
_FIELDS = {
    "steps": "Steps",
    "sampler": "Sampler",
    "scheduler": "Schedule type",
    "cfg": "CFG scale",
    "seed": "Seed",
    "version": "Version",
}


def infotext(
    graph: Graph,
    node: str,
    *,
    size: tuple[int, int],
    catalog: Mapping[str, NodeSpec] | None = None,
    hashes: Mapping[str, str] | None = None,
    embeddings: Mapping[str, str] | None = None,
    batch: tuple[int, int] = (0, 1),
    version: str = "",
) -> str:
    """The `parameters` text of a picture that `node` (usually core.save_image) of `graph` got.

    `graph` is the one that ran, without bypassed and muted nodes. `size` is the picture's width
    and height, `catalog` tells the defaults of params that the graph leaves out, `hashes` maps
    file params, as the graph writes them, to the files' SHA-256 (LoRAs: AutoV3), `embeddings` the
    files of the textual inversions that the prompts call. `batch` is the picture's index and the
    size of its batch, `version` the program's with its name. "" if no sampler had a part in the
    picture.
    """
    found = params_of(
        graph,
        node,
        size=size,
        catalog=catalog or {},
        hashes=hashes or {},
        embeddings=embeddings or {},
        batch=batch,
        version=version,
    )
    if found is None:
        return ""
    params, unknown = found
    parts = parts_of(params)
    left_out = {_FIELDS[name] for name in unknown}
    fields = {name: text for name, text in parts.fields.items() if name not in left_out}
    return compose(parts._replace(fields=fields))


def write(params: GenerationParams) -> str:
    """The text of params, which `infotext.read` reads again."""
    return compose(parts_of(params))


def parts_of(params: GenerationParams) -> Infotext:
    """The prompts and fields of such a text."""
    fields = {name: _text(value) for name, value in _fields(params) if value not in (None, "")}
    version = {"Version": fields.pop("Version")} if "Version" in fields else {}
    return Infotext(_prompt(params), params.negative, {**fields, **params.other, **version})


def _fields(params: GenerationParams) -> Iterator[tuple[str, Any]]:
    """In the order in which they stand; what is None or "" is not said."""
    yield "Steps", params.steps
    yield "Sampler", names.a1111_sampler(params.sampler)
    yield "Schedule type", names.SCHEDULES.get(params.scheduler, params.scheduler)
    yield "CFG scale", params.cfg
    yield "Distilled CFG Scale", params.guidance
    yield "CFG Rescale", params.rescale or None
    yield "Shift", params.shift
    yield "Seed", params.seed
    yield "Size", _size(params.width, params.height)
    yield from _model("Model", params.model)
    yield from _model("VAE", params.vae)
    for number, encoder in enumerate(params.text_encoders, 1):
        yield f"Module {number}", encoder.name
    if params.variation:
        yield "Variation seed", params.variation_seed
        yield "Variation seed strength", params.variation
    if any(params.resize_from):
        yield "Seed resize from", _size(*params.resize_from)
    yield from _source(params)
    yield "Clip skip", params.clip_skip or None
    yield "ENSD", params.seed_offset or None
    yield "Eta DDIM" if params.sampler == "ddim" else "Eta", params.eta
    yield "Sigma noise", params.s_noise
    yield from _details(params.details)
    yield "RNG", _generator(params)
    yield CARD_THREADS, params.threads or None
    if params.hires is not None:
        yield from _hires(params.hires)
    if params.refiner is not None:
        yield "Refiner", _named(params.refiner.model)
        yield "Refiner switch at", params.refiner.switch_at
    for network in _own_fields(params):
        yield "Hypernet", network.name
        yield "Hypernet strength", network.strength
        yield "Hypernet hash", network.hash
    yield from _hashes(params)
    if params.batch > 1:
        yield "Batch size", params.batch
        yield "Batch pos", params.batch_index
    if params.dialect == "comfyui" and params.program != "ComfyUI":
        yield "Prompt dialect", "comfyui"
    if params.program == OWN and params.rules == "a1111":
        yield "Rules", params.rules
    own = f"{OWN} {params.version}".strip()
    yield "Version", own if params.program == OWN else params.version


def _model(kind: str, used: UsedModel) -> Iterator[tuple[str, Any]]:
    yield f"{kind} hash", used.hash
    yield kind, used.name


def _source(params: GenerationParams) -> Iterator[tuple[str, Any]]:
    source = params.source
    if source is None:
        return
    yield "Denoising strength", source.denoise
    if source.crop:
        yield "Resize mode", "Crop and resize"
    if source.masked:
        yield "Mask blur", source.mask_blur
        yield "Mask mode", "Inpaint not masked" if source.inverted else None


def _details(details: RuleDetails) -> Iterator[tuple[str, Any]]:
    yield "SGM noise multiplier", details.scaled_start or None
    yield "Quantize", details.quantized or None
    yield "Downcast alphas_cumprod", details.half_alphas or None
    yield "Noise Schedule", "Zero Terminal SNR" if details.zero_snr else None
    yield "Discard penultimate sigma", details.discard or None
    yield "Schedule max sigma", details.sigma_max or None
    yield "Schedule min sigma", details.sigma_min or None
    yield "Schedule rho", details.rho or None


def _generator(params: GenerationParams) -> str:
    """Said always, but for what A1111 takes where nothing is said."""
    if params.noise == "cpu":
        return "CPU"
    if params.noise == "nvidia" and params.threads == 0:
        return "NV"
    return "GPU" if params.program in (OWN, "ComfyUI") or params.threads else ""


def _hires(hires: SecondPass) -> Iterator[tuple[str, Any]]:
    yield "Denoising strength", hires.denoise
    if hires.width or hires.height:
        yield "Hires resize", _size(hires.width, hires.height)
    else:
        yield "Hires upscale", hires.scale
    yield "Hires steps", hires.steps or None
    yield "Hires upscaler", _upscaler(hires)
    yield "Hires sampler", hires.sampler and names.a1111_sampler(hires.sampler)
    yield "Hires schedule type", names.SCHEDULES.get(hires.scheduler, hires.scheduler)
    yield "Hires CFG Scale", hires.cfg or None
    yield "Hires checkpoint", _named(hires.model)
    yield "Hires prompt", hires.prompt
    yield "Hires negative prompt", hires.negative


def _upscaler(hires: SecondPass) -> str:
    """What A1111 calls it; the nearest where it has no such thing."""
    if hires.space == "latent":
        known = {ours: theirs for theirs, ours in names.LATENT_UPSCALERS.items()}
        return known.get(hires.method, "Latent")
    if hires.upscaler:
        return names.a1111_upscaler(hires.upscaler.name)
    return "Nearest" if hires.method == "nearest-exact" else "Lanczos"


def _hashes(params: GenerationParams) -> Iterator[tuple[str, Any]]:
    """By which other tools and sites find the models."""
    loras = {lora.name: lora.hash for lora in params.loras if lora.hash}
    listed = {
        "model": params.model.hash,
        "vae": params.vae.hash,
        **{f"lora:{name}": hash for name, hash in loras.items()},
        **{f"embed:{name}": hash for name, hash in params.embeddings.items()},
    }
    known = {name: hash for name, hash in listed.items() if hash}
    yield "Lora hashes", _list(loras)
    yield "TI hashes", _list(params.embeddings)
    yield "Hashes", json.dumps(known, ensure_ascii=False) if known else None


def _list(hashes: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {hash}" for name, hash in hashes.items())


def _own_fields(params: GenerationParams) -> list[UsedLora]:
    """Hypernetworks that no tag can say; there are fields for one."""
    return [network for network in params.hypernetworks if network.hash][:1]


def _prompt(params: GenerationParams) -> str:
    """With the tags of what is applied."""
    tags = [_tag("lora", lora) for lora in params.loras]
    apart = _own_fields(params)
    tags += [_tag("hypernet", network) for network in params.hypernetworks if network not in apart]
    # Behind a # they would be a comment.
    between = "\n" if "#" in params.prompt.rpartition("\n")[2] else " "
    return between.join(part for part in (params.prompt, " ".join(tags)) if part)


def _tag(kind: str, used: UsedLora) -> str:
    """`<lora:name:text encoder:model>`; the model's strength is left out where both are equal."""
    both = f":{_text(used.strength)}" if used.strength != used.clip_strength else ""
    return f"<{kind}:{used.name}:{_text(used.clip_strength)}{both}>"


def _named(used: UsedModel) -> str:
    return f"{used.name} [{used.hash}]" if used.hash else used.name


def _size(width: int, height: int) -> str:
    return f"{width}x{height}"


def _text(value: Any) -> str:
    """7.0 as 7: other tools compare these texts."""
    if isinstance(value, float):
        short = format(value, "g")
        return short if float(short) == value else repr(value)
    return str(value)
