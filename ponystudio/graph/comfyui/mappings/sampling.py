"""Samplers and their parts."""

from __future__ import annotations

import math
from typing import Any

from ponystudio.graph.comfyui.mapping import (
    Builder,
    Mapped,
    MappedOutput,
    Names,
    NodeMapping,
    Outputs,
)
from ponystudio.graph.comfyui.source_graph import SourceNode
from ponystudio.graph.model import Link


def sampler_name(value: Any) -> Any:
    """Very old files write sample_NAME."""
    return value.removeprefix("sample_") if isinstance(value, str) else value


_GUIDED: Names = {
    "model": "model",
    "positive": "positive",
    "negative": "negative",
    "latent_image": "latent",
    "steps": "steps",
    "cfg": "cfg",
    "sampler_name": ("sampler", sampler_name),
    "scheduler": "scheduler",
}


def flux_shift(node: SourceNode, builder: Builder) -> Outputs:
    """σ is bent by e^μ, μ linear in the number of tokens between 256 and 4096."""
    values = [node.inputs.get(name) for name in ("max_shift", "base_shift", "width", "height")]
    if not all(isinstance(value, int | float) for value in values):
        builder.tell(node, "its numbers come from wires: the shift is that of 1024 × 1024")
        values = [1.15, 0.5, 1024, 1024]
    most, least, width, height = (float(value) for value in values if value is not None)
    slope = (most - least) / (4096 - 256)
    mu = width * height / 256 * slope + least - 256 * slope
    links = {"model": builder.link(node.inputs.get("model"))}
    id = builder.add(node, "core.set_shift", {"shift": round(math.exp(mu), 6)}, links)
    return [MappedOutput(Link(id, "model"))]


_SKIPPED: Names = {
    "model": "model",
    "double_layers": "double",
    "single_layers": "single",
    "scale": "scale",
    "start_percent": "start",
    "end_percent": "end",
    "rescaling_scale": "rescale",
}
SHIFT = Mapped("core.set_shift", {"model": "model", "shift": "shift"}, ("model",))

MAPPINGS: dict[str, NodeMapping] = {
    "KSampler": Mapped(
        "core.sample", {**_GUIDED, "seed": "seed", "denoise": "denoise"}, ("latent",)
    ),
    "ModelSamplingSD3": SHIFT,
    "ModelSamplingAuraFlow": SHIFT,
    "ModelSamplingFlux": flux_shift,
    "PerturbedAttentionGuidance": Mapped(
        "core.perturb_attention", {"model": "model", "scale": "scale"}, ("model",)
    ),
    "SkipLayerGuidanceDiT": Mapped("core.skip_layers", _SKIPPED, ("model",)),
    "SkipLayerGuidanceDiTSimple": Mapped(
        "core.skip_layers", _SKIPPED, ("model",), fixed={"passes": "the negative prompt"}
    ),
    "SkipLayerGuidanceSD3": Mapped(
        "core.skip_layers",
        {**_SKIPPED, "layers": "double"},
        ("model",),
        fixed={"single": ""},
    ),
    "FreSca": Mapped(
        "core.fresca",
        {"model": "model", "scale_low": "low", "scale_high": "high", "freq_cutoff": "cutoff"},
        ("model",),
    ),
    "CFGNorm": Mapped("core.norm_guidance", {"model": "model", "strength": "strength"}, ("model",)),
    "DifferentialDiffusion": Mapped(
        "core.differential", {"model": "model"}, ("model",), without=("strength",)
    ),
    "RescaleCFG": Mapped(
        "core.rescale_guidance", {"model": "model", "multiplier": "amount"}, ("model",)
    ),
    **{
        name: Mapped(
            "core.freeu",
            {"model": "model", "b1": "b1", "b2": "b2", "s1": "s1", "s2": "s2"},
            ("model",),
            fixed={"version": version},
        )
        for name, version in (("FreeU", "V1"), ("FreeU_V2", "V2"))
    },
}
