"""Samplers and their parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ponystudio.graph.comfyui.exporting.export_mapping import (
    ExportBuilder,
    Inverse,
    NodeExport,
    OurNode,
    Target,
    Targets,
    Unsaid,
    say,
)
from ponystudio.graph.comfyui.folding import ONE_LEVEL_LESS
from ponystudio.graph.comfyui.mapping import (
    Builder,
    Mapped,
    MappedOutput,
    Named,
    Names,
    NodeMapping,
    Outputs,
    PerpendicularNegative,
)
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
from ponystudio.graph.model import Link


def sampler_name(value: Any) -> Any:
    """Very old files write sample_NAME."""
    return value.removeprefix("sample_") if isinstance(value, str) else value


def scheduler_name(value: Any) -> Any:
    """Ours in their words, where they have it."""
    if value == "auto":
        raise Unsaid(
            "scheduler auto is the model's own here: normal stands there, and for models that"
            " predict flow simple is nearer",
            "normal",
        )
    return {"linear": "simple"}.get(value, value)


def switched(value: Any) -> Any:
    return "enable" if value else "disable"


def own_eta(value: Any) -> Any:
    """Below 0 ours is the sampler's own, which is 1."""
    return 1.0 if value < 0 else value


SCHEDULER: Named = ("scheduler", lambda value: value, scheduler_name)
_ETA: Named = ("eta", lambda value: value, own_eta)

_GUIDED: Names = {
    "model": "model",
    "positive": "positive",
    "negative": "negative",
    "latent_image": "latent",
    "steps": "steps",
    "cfg": "cfg",
    "sampler_name": ("sampler", sampler_name),
    "scheduler": SCHEDULER,
}


# What a model predicts, in their words; and the one that brings latents of its own.
PREDICTIONS = {
    "eps": "eps",
    "v_prediction": "v",
    "lcm": "lcm",
    "x0": "x0",
    "edm": "edm",
    "img_to_img": "img_to_img",
}
PLAYGROUND = "edm_playground_v2.5"


def prediction(counted: str) -> NodeMapping:
    """What a model predicts, and how its noise is counted."""

    def mapped(node: SourceNode, builder: Builder) -> Outputs | None:
        said = node.inputs.get("sampling", "eps")
        if not isinstance(said, str) or said not in (*PREDICTIONS, PLAYGROUND):
            builder.tell(node, f"{said!r} is nothing that a model predicts here")
            return None
        values = {
            "model": node.inputs.get("model"),
            "prediction": PREDICTIONS.get(said, "edm"),
            "counted": counted,
            "own_latents": said == PLAYGROUND,
            "zero_snr": node.inputs.get("zsnr"),
            "sigma_max": node.inputs.get("sigma_max"),
            "sigma_min": node.inputs.get("sigma_min"),
        }
        return [MappedOutput(Link(builder.add(node, "core.set_prediction", values), "model"))]

    return mapped


def flux_shift(node: SourceNode, builder: Builder) -> Outputs:
    """σ is bent by e^μ, μ linear in the number of tokens between 256 and 4096."""
    said = [node.inputs.get(name) for name in ("max_shift", "base_shift", "width", "height")]
    if not all(isinstance(value, int | float) for value in said):
        builder.tell(node, "its numbers come from wires: the shift is that of 1024 × 1024")
        said = [1.15, 0.5, 1024, 1024]
    most, least, width, height = (float(value) for value in said if value is not None)
    slope = (most - least) / (4096 - 256)
    mu = width * height / 256 * slope + least - 256 * slope
    values = {"model": node.inputs.get("model"), "shift": round(math.exp(min(mu, 50.0)), 6)}
    id = builder.add(node, "core.set_shift", values)
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


def _sampler(**inputs: Named) -> Mapped:
    """A node of one sampler with its options; where its noise is drawn is said by the name."""
    return Mapped("core.choose_sampler", inputs, ("sampler",), without=("noise_device",))


def sde_sampler(name: str) -> NodeMapping:
    """One whose noise may be drawn on the GPU."""

    def mapped(node: SourceNode, builder: Builder) -> Outputs:
        suffix = "_gpu" if node.inputs.get("noise_device", "gpu") == "gpu" else ""
        how = _sampler(
            eta=_ETA,
            s_noise="s_noise",
            r="r",
            solver_type="solver",
        )
        return replace(how, fixed={"sampler": f"{name}{suffix}"})(node, builder)

    return mapped


def growing(node: SourceNode, builder: Builder) -> Outputs:
    """LCM, between whose steps the picture grows."""
    steps = node.inputs.get("scale_steps", -1)
    values = {
        "scale": node.inputs.get("scale_ratio", 1.0),
        "steps": max(steps, 0) if isinstance(steps, int) else steps,
        "method": node.inputs.get("upscale_method", "bislerp"),
    }
    builder.tell(node, "its noise between steps is drawn from other seeds")
    return [MappedOutput(Link(builder.add(node, "core.growing_sampler", values), "sampler"))]


def perp_neg(node: SourceNode, builder: Builder) -> Outputs:
    """Theirs changes a model, ours guides: whoever samples the model takes it up."""
    model = builder.output(node.inputs.get("model"))
    said = PerpendicularNegative(
        builder.output(node.inputs.get("empty_conditioning")), node.inputs.get("neg_scale", 1.0)
    )
    return [model and replace(model, perpendicular=said)]


def guide(node: SourceNode, builder: Builder, *, beside: str = "") -> Link:
    """What guides a run, by a positive and a negative prompt."""
    guided = {name: node.inputs.get(name) for name in ("model", "positive", "negative")}
    guided["cfg"] = node.inputs.get("cfg", 8.0)
    model = builder.output(node.inputs.get("model"))
    if model is None or model.perpendicular is None:
        return Link(builder.add(node, "core.guide", guided, beside=beside), "guider")
    said = model.perpendicular
    guided |= {"model": model.link, "empty": said.empty, "scale": said.scale}
    return Link(builder.add(node, "core.perp_neg", guided, beside=beside), "guider")


def sample_by_parts(node: SourceNode, builder: Builder) -> list[MappedOutput]:
    """The plain sampler of a model that has a PerpNeg."""
    inputs = node.inputs
    model = builder.link(inputs.get("model"))
    name = sampler_name(inputs.get("sampler_name", "euler"))
    if name in ONE_LEVEL_LESS:
        builder.tell(node, f"{name} takes one step more here, as PerpNeg is said by parts")
    made = {
        "noise": ("core.random_noise", {"seed": inputs.get("seed", 0)}),
        "sampler": ("core.choose_sampler", {"sampler": name}),
        "sigmas": (
            "core.make_sigmas",
            {
                "model": model,
                **{name: inputs.get(name) for name in ("scheduler", "steps", "denoise")},
            },
        ),
    }
    values: dict[str, Any] = {
        part: Link(builder.add(node, type, said, beside=part), part)
        for part, (type, said) in made.items()
    }
    values["guider"] = guide(node, builder, beside="guider")
    values["latent"] = inputs.get("latent_image")
    return [MappedOutput(Link(builder.add(node, "core.sample_custom", values), "latent"))]


def _guided(node: SourceNode, builder: Builder) -> list[MappedOutput]:
    return [MappedOutput(guide(node, builder))]


@dataclass(frozen=True)
class PerpNegTaker(Mapped):
    """One whose model may have a PerpNeg: then it is what `instead` says."""

    instead: Callable[[SourceNode, Builder], list[MappedOutput]] = _guided

    def __call__(self, node: SourceNode, builder: Builder) -> list[MappedOutput]:
        model = builder.output(node.inputs.get("model"))
        if model and model.perpendicular:
            return self.instead(node, builder)
        return super().__call__(node, builder)


def sample_custom(node: SourceNode, builder: Builder) -> Outputs:
    """One node of theirs that has noise and guidance in it."""
    inputs = node.inputs
    noise = {
        "seed": inputs.get("noise_seed", 0),
        "off": inputs.get("add_noise", True) is False,
    }
    values = {
        "noise": Link(builder.add(node, "core.random_noise", noise, beside="noise"), "noise"),
        "guider": guide(node, builder, beside="guider"),
        "sampler": inputs.get("sampler"),
        "sigmas": inputs.get("sigmas"),
        "latent": inputs.get("latent_image"),
    }
    id = builder.add(node, "core.sample_custom", values)
    return [MappedOutput(Link(id, name)) for name in ("latent", "denoised")]


SHIFT = Mapped("core.set_shift", {"model": "model", "shift": "shift"}, ("model",))

MAPPINGS: dict[str, NodeMapping] = {
    "KSampler": PerpNegTaker(
        "core.sample",
        {**_GUIDED, "seed": "seed", "denoise": "denoise"},
        ("latent",),
        instead=sample_by_parts,
    ),
    "PerpNeg": perp_neg,
    "KSamplerAdvanced": Mapped(
        "core.sample_steps",
        {
            **_GUIDED,
            "noise_seed": "seed",
            "add_noise": ("add_noise", lambda value: value == "enable", switched),
            "start_at_step": "start",
            "end_at_step": "end",
            "return_with_leftover_noise": ("leftover", lambda value: value == "enable", switched),
        },
        ("latent",),
    ),
    "SamplerCustom": sample_custom,
    "SamplerCustomAdvanced": Mapped(
        "core.sample_custom",
        {
            "noise": "noise",
            "guider": "guider",
            "sampler": "sampler",
            "sigmas": "sigmas",
            "latent_image": "latent",
        },
        ("latent", "denoised"),
    ),
    "RandomNoise": Mapped("core.random_noise", {"noise_seed": "seed"}, ("noise",)),
    "DisableNoise": Mapped("core.random_noise", {}, ("noise",), fixed={"off": True}),
    "BasicGuider": Mapped(
        "core.guide_one", {"model": "model", "conditioning": "positive"}, ("guider",)
    ),
    "CFGGuider": PerpNegTaker(
        "core.guide",
        {"model": "model", "positive": "positive", "negative": "negative", "cfg": "cfg"},
        ("guider",),
    ),
    "DualCFGGuider": Mapped(
        "core.guide_dual",
        {
            "model": "model",
            "cond1": "positive",
            "cond2": "middle",
            "negative": "negative",
            "cfg_conds": "cfg",
            "cfg_cond2_negative": "cfg_middle",
            "style": "style",
        },
        ("guider",),
    ),
    "PerpNegGuider": Mapped(
        "core.perp_neg",
        {
            "model": "model",
            "positive": "positive",
            "negative": "negative",
            "empty_conditioning": "empty",
            "cfg": "cfg",
            "neg_scale": "scale",
        },
        ("guider",),
    ),
    "KSamplerSelect": _sampler(sampler_name=("sampler", sampler_name)),
    "SamplerEulerAncestral": replace(
        _sampler(eta=_ETA, s_noise="s_noise"), fixed={"sampler": "euler_ancestral"}
    ),
    **{
        name: replace(_sampler(eta=_ETA, s_noise="s_noise"), fixed={"sampler": sampler})
        for name, sampler in (
            ("SamplerEulerAncestralCFGPP", "euler_ancestral_cfg_pp"),
            ("SamplerDPMPP_2S_Ancestral", "dpmpp_2s_ancestral"),
        )
    },
    "SamplerLCMUpscale": growing,
    "SamplerLMS": replace(
        _sampler(order=("order", int, lambda value: value or 4)), fixed={"sampler": "lms"}
    ),
    "SamplerDPMPP_SDE": sde_sampler("dpmpp_sde"),
    "SamplerDPMPP_2M_SDE": sde_sampler("dpmpp_2m_sde"),
    "SamplerDPMPP_3M_SDE": sde_sampler("dpmpp_3m_sde"),
    "BasicScheduler": Mapped(
        "core.make_sigmas",
        {"model": "model", "scheduler": SCHEDULER, "steps": "steps", "denoise": "denoise"},
        ("sigmas",),
    ),
    "SDTurboScheduler": Mapped(
        "core.turbo_sigmas",
        {"model": "model", "steps": "steps", "denoise": "denoise"},
        ("sigmas",),
    ),
    "AlignYourStepsScheduler": Mapped(
        "core.ays_sigmas",
        {
            "model_type": ("family", lambda value: str(value).lower(), str.upper),
            "steps": "steps",
            "denoise": "denoise",
        },
        ("sigmas",),
    ),
    "BetaSamplingScheduler": Mapped(
        "core.beta_sigmas",
        {"model": "model", "steps": "steps", "alpha": "alpha", "beta": "beta"},
        ("sigmas",),
    ),
    **{
        f"{name}Scheduler": Mapped(
            "core.range_sigmas",
            {
                "steps": "steps",
                **({} if name == "VP" else {"sigma_max": "sigma_max", "sigma_min": "sigma_min"}),
                **{theirs: theirs for theirs in own},
            },
            ("sigmas",),
            fixed={"scheduler": name.lower()},
        )
        for name, own in (
            ("Karras", ("rho",)),
            ("Exponential", ()),
            ("Polyexponential", ("rho",)),
            ("Laplace", ("mu", "beta")),
            ("VP", ("beta_d", "beta_min", "eps_s")),
        )
    },
    "SplitSigmas": Mapped(
        "core.split_sigmas",
        {"sigmas": "sigmas", "step": "step"},
        ("high", "low"),
        fixed={"at": "step"},
    ),
    "SplitSigmasDenoise": Mapped(
        "core.split_sigmas",
        {"sigmas": "sigmas", "denoise": "denoise"},
        ("high", "low"),
        fixed={"at": "denoise"},
    ),
    "FlipSigmas": Mapped("core.flip_sigmas", {"sigmas": "sigmas"}, ("sigmas",)),
    "SetFirstSigma": Mapped(
        "core.set_first_sigma", {"sigmas": "sigmas", "sigma": "sigma"}, ("sigmas",)
    ),
    "ModelSamplingDiscrete": prediction("table"),
    "ModelSamplingContinuousEDM": prediction("log"),
    "ModelSamplingContinuousV": prediction("angle"),
    "ModelSamplingSD3": SHIFT,
    "ModelSamplingAuraFlow": SHIFT,
    "ModelSamplingFlux": flux_shift,
    "PerturbedAttentionGuidance": Mapped(
        "core.perturb_attention", {"model": "model", "scale": "scale"}, ("model",)
    ),
    "SelfAttentionGuidance": Mapped(
        "core.blur_attention",
        {"model": "model", "scale": "scale", "blur_sigma": "blur"},
        ("model",),
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

# Samplers whose noise may be drawn on the GPU, with nodes of their own.
_SDE = {
    "dpmpp_sde": "SamplerDPMPP_SDE",
    "dpmpp_2m_sde": "SamplerDPMPP_2M_SDE",
    "dpmpp_3m_sde": "SamplerDPMPP_3M_SDE",
}


def export_sampler(node: OurNode, builder: ExportBuilder) -> Targets:
    """By its name alone, or as the node that has its options."""
    sampler = node.value("sampler")
    type = _SDE.get(str(sampler).removesuffix("_gpu"), "")
    options = [name for name in ("eta", "s_noise", "solver", "r") if not node.is_default(name)]
    if not type or not (options or node.was == type) or node.is_wired("sampler"):
        return Inverse.of(node.node.type, MAPPINGS)(node, builder)
    how = _sampler(eta=_ETA, s_noise="s_noise", r="r", solver_type="solver")
    device = "gpu" if str(sampler).endswith("_gpu") else "cpu"
    return say(node, builder, type, replace(how, fixed={"sampler": sampler}), noise_device=device)


def export_growing(node: OurNode, builder: ExportBuilder) -> Targets:
    steps = node["steps"]
    said = {"scale_ratio": node["scale"], "scale_steps": -1 if steps == 0 else steps}
    said["upscale_method"] = node["method"]
    return {"sampler": Target(Wire(builder.add(node, "SamplerLCMUpscale", said), 0))}


def _rescaled(node: OurNode, builder: ExportBuilder) -> Wire | None:
    """The model, with guidance that is rescaled by a node of its own."""
    model: Wire | None = node["model"]
    amount = node["rescale"]
    if not amount:
        return model
    said = {"model": model, "multiplier": amount}
    return Wire(builder.add(node, "RescaleCFG", said, beside="rescale"), 0)


def with_rescale(node: OurNode, builder: ExportBuilder) -> Targets:
    """Those of ours that rescale guidance themselves."""
    ((type, how),) = Inverse.of(node.node.type, MAPPINGS).rows
    more: dict[str, Any] = _scheduled(node, builder)
    if not node.is_default("rescale"):
        more["model"] = _rescaled(node, builder)
    return say(node, builder, type, how, **more)


def with_schedule(node: OurNode, builder: ExportBuilder) -> Targets:
    ((type, how),) = Inverse.of(node.node.type, MAPPINGS).rows
    return say(node, builder, type, how, **_scheduled(node, builder))


def _scheduled(node: OurNode, builder: ExportBuilder) -> dict[str, Any]:
    """What `scheduler: auto` is for the model, where it is known whose that is."""
    family = builder.family(node)
    if node.value("scheduler") != "auto" or node.is_wired("scheduler") or not family:
        return {}
    return {"scheduler": "simple" if family in _FLOW else "normal"}


# Families whose own schedule falls evenly: their models predict flow.
_FLOW = frozenset(("flux", "sd3", "auraflow"))


def export_prediction(node: OurNode, builder: ExportBuilder) -> Targets:
    counted, said = node["counted"], node["prediction"]
    theirs = {ours: name for name, ours in PREDICTIONS.items()}
    sampling = PLAYGROUND if node["own_latents"] else theirs.get(said, said)
    inputs: dict[str, Any] = {"model": node["model"], "sampling": sampling}
    if counted == "table":
        inputs["zsnr"] = node["zero_snr"]
    else:
        inputs |= {name: node[name] for name in ("sigma_max", "sigma_min")}
    id = builder.add(node, _COUNTED[counted], inputs)
    return {"model": Target(Wire(id, 0))}


_COUNTED = {
    "table": "ModelSamplingDiscrete",
    "log": "ModelSamplingContinuousEDM",
    "angle": "ModelSamplingContinuousV",
}


def export_shift(node: OurNode, builder: ExportBuilder) -> Targets:
    """What a shift does to a model's time is another thing for each family."""
    family, shift = builder.family(node), node["shift"]
    said: dict[str, Any] = {"model": node["model"], "shift": shift}
    type = {"flux": "ModelSamplingFlux", "auraflow": "ModelSamplingAuraFlow"}.get(
        family, "ModelSamplingSD3"
    )
    if node.was in ("ModelSamplingSD3", "ModelSamplingAuraFlow", "ModelSamplingFlux"):
        type = node.was
    if type == "ModelSamplingFlux":
        if isinstance(shift, Wire) or shift <= 0:
            builder.tell(node, "its shift cannot be told there: that of 1024 × 1024 stands there")
            shift = math.exp(1.15)
        mu = round(math.log(shift), 9)
        # Alike at every size.
        said = {"model": said["model"], "max_shift": mu, "base_shift": mu}
        said |= {"width": 1024, "height": 1024}
    return {"model": Target(Wire(builder.add(node, type, said), 0))}


EXPORTS: dict[str, NodeExport] = {
    "core.sample": with_rescale,
    "core.sample_steps": with_rescale,
    "core.guide": with_rescale,
    "core.make_sigmas": with_schedule,
    "core.choose_sampler": export_sampler,
    "core.growing_sampler": export_growing,
    "core.set_prediction": export_prediction,
    "core.set_shift": export_shift,
}
