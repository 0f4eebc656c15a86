"""The text encoders that families are built with: what each is called, how wide it is, and where
its tensors stand in a file. Torch-free.
"""

from __future__ import annotations

from dataclasses import dataclass

START, END = 49406, 49407


@dataclass(frozen=True)
class Tower:
    """One CLIP text encoder.

    `name`: under which files keep vectors and tensors for it ("clip_l"); `noun` for people.
    `prefixes`: where it stands in a single file, the most specific first; "" is a file of its own.
    `activation`: "quick_gelu" in OpenAI's CLIP, "gelu" in the larger ones of open_clip. `pad`: the
    token behind the END. `normed`: the denoiser reads its states behind the last norm.
    `projected`: it also gives the pooled vector, the normed state at the END through a projection.
    `whole`: its number of layers as trained; some files leave the last one out, as unused.
    """

    name: str
    noun: str
    width: int
    prefixes: tuple[str, ...]
    activation: str = "gelu"
    pad: int = END
    normed: bool = True
    projected: bool = False
    whole: int = 0


CLIP_L = Tower(
    "clip_l",
    "CLIP-L",
    768,
    (
        "cond_stage_model.transformer.text_model.",
        "cond_stage_model.transformer.",  # checkpoints of 2022 lack `text_model.`
        "conditioner.embedders.0.transformer.text_model.",
        "text_encoders.clip_l.transformer.text_model.",
        "text_encoder.text_model.",
        "text_encoder.",
        "text_model.",
        "",
    ),
    activation="quick_gelu",
    whole=12,
)
CLIP_H = Tower(
    "clip_h",
    "OpenCLIP-H",
    1024,
    (
        "cond_stage_model.model.",
        "text_encoders.clip_h.transformer.text_model.",
        "text_encoder.text_model.",
        "text_encoder.",
        "text_model.",
        "",
    ),
    pad=0,
    whole=24,
)
CLIP_G = Tower(
    "clip_g",
    "OpenCLIP-bigG",
    1280,
    (
        "conditioner.embedders.1.model.",
        "text_encoders.clip_g.transformer.text_model.",
        "text_encoder_2.text_model.",
        "text_encoder_2.",
        "text_model.",
        "",
    ),
    pad=0,
    projected=True,
    whole=32,
)
