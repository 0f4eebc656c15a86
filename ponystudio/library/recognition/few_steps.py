"""Models that make a picture in few steps, and what they are sampled with.

Distilled models (LCM, Lightning, Hyper, DMD2, TCD, PCM, Turbo, schnell) have the shapes of others.
They are told by layers of their own, where they have any, by what the file says of itself, and by
its name; sampled as others are they give noise or burnt colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ponystudio.library.recognition.model_file import ModelFile

# Kinds of files that may be such: whole models, and LoRAs that make one of another.
KINDS = ("checkpoint", "diffusion_model", "lora")
# The layer by which a denoiser is told the guidance that it was distilled with.
GUIDED_IN_TIME = re.compile(r"(^|\.)(time_embed|time_embedding)\.cond_proj\.weight$")
# Diffusers' schedulers of the folder of such a model.
SCHEDULERS = {"LCMScheduler": "LCM", "TCDScheduler": "TCD"}
FLOW = ("flux", "sd3", "auraflow")
MOST_STEPS = 16

# By which words of a name a method is told; the first that is found counts.
_WORDS = {
    "DMD2": r"dmd2?",
    "PCM": r"pcm",
    "TCD": r"tcd",
    "Hyper": r"hyper(?=sd|flux|[^a-z]|$)(sd|sdxl|flux)?",
    "Lightning": r"lightning",
    "LCM": r"lcm",
    "Turbo": r"turbo",
    "schnell": r"schnell",
}
_NAMES = {method: re.compile(rf"(?<![a-z]){words}(?![a-z])") for method, words in _WORDS.items()}
# Where one word of a name ends and the next begins with a capital.
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Words that LoRAs of motifs have as well, and what those of few steps are named with besides.
_AMBIGUOUS = ("Hyper", "Lightning", "Turbo")
_BESIDE = re.compile(r"\d[ _-]?steps?|sd|xl|flux")
_STEPS = re.compile(r"(?<!\d)(\d{1,2})[ _-]?steps?(?![a-z])")
_OFFICIAL_TURBO = re.compile(r"^(sd|sdxl|sd_xl|stable-diffusion-xl)[_-]?turbo")
_SAID_IN = ("modelspec.title", "ss_output_name", "modelspec.tags", "modelspec.description")


@dataclass(frozen=True)
class FewSteps:
    """How a distilled model is sampled, as those say who made it.

    `method`: how it was distilled; `why` it is taken for that. The others are values of
    core.sample's params.
    """

    method: str
    steps: int
    sampler: str
    scheduler: str
    cfg: float
    why: str

    @property
    def params(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "cfg": self.cfg,
            "sampler": self.sampler,
            "scheduler": self.scheduler,
        }


def distilled(names: Iterable[str], scheduler: Mapping[str, Any]) -> str:
    """The method that layers of its own, or the scheduler of its folder, say; "" for none."""
    if any(GUIDED_IN_TIME.search(name) for name in names):
        return "LCM"
    return SCHEDULERS.get(str(scheduler.get("_class_name", "")), "")


def few_steps(model: ModelFile) -> FewSteps | None:
    """What a file is sampled with that was distilled to few steps; None for others."""
    if model.kind not in KINDS:
        return None
    name = _CAPITAL.sub("_", model.path.stem).lower()
    said = " ".join(model.metadata.get(key, "") for key in _SAID_IN).lower()[:4096]
    method, why = _method(model, name, said)
    if not method:
        return None
    found = _STEPS.search(name) or _STEPS.search(said)
    steps = int(found[1]) if found and 1 <= int(found[1]) <= MOST_STEPS else 0
    usual = _usual(method, model.family, name)
    return replace(usual, steps=steps or usual.steps, why=why)


def _method(model: ModelFile, name: str, said: str) -> tuple[str, str]:
    if model.distilled:
        return model.distilled, "its own layers or settings say"
    for text, where in ((name, "its name says"), (said, "its file says")):
        for method, words in _NAMES.items():
            plain = model.kind != "lora" or method not in _AMBIGUOUS or _BESIDE.search(text)
            if plain and words.search(text):
                return method, where
    if model.family == "flux" and not model.guided and model.kind != "lora":
        return "schnell", "it takes in no guidance"
    return "", ""


def _usual(method: str, family: str, name: str) -> FewSteps:
    """By the cards of those models that were published first."""

    def sampled(
        steps: int, sampler: str, scheduler: str = "sgm_uniform", cfg: float = 1.0
    ) -> FewSteps:
        return FewSteps(method, steps, sampler, scheduler, cfg, "")

    if family in FLOW:
        steps = {"Turbo": 8 if family == "flux" else 4, "Hyper": 8}.get(method, 4)
        return sampled(steps, "lcm" if method == "LCM" else "euler", "auto")
    match method:
        case "LCM":
            return sampled(4, "lcm")
        case "DMD2":
            return sampled(4, "lcm", "simple")
        case "TCD":
            return sampled(4, "tcd", "simple")
        case "PCM":
            if "lcm" in name:
                return sampled(4, "lcm")
            return sampled(4, "ddim", "simple", 5.0 if "normalcfg" in name else 1.5)
        case "Hyper":
            if re.search(r"(?<![a-z])1[ _-]?step", name):
                return sampled(1, "tcd", "simple")
            return sampled(8, "ddim", "simple", 5.0 if "cfg" in name else 1.0)
        case "Turbo":
            if _OFFICIAL_TURBO.search(name):
                return sampled(1, "euler_ancestral", "simple")
            if "dpo" in name:
                return sampled(12, "euler_ancestral", "auto", 2.5)
            return sampled(7, "dpmpp_sde", "karras", 2.0)
    return sampled(4, "euler")
