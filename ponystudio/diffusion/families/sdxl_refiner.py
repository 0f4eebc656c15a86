"""The refiner of SDXL, which finishes what SDXL began: it reads prompts with OpenCLIP-bigG alone,
and is told how beautiful the picture shall be.
"""

from __future__ import annotations

from dataclasses import replace

from ponystudio.diffusion.families import sdxl
from ponystudio.diffusion.families.text_encoder_specs import CLIP_G

FAMILY = replace(
    sdxl.FAMILY,
    name="sdxl_refiner",
    title="SDXL refiner",
    short="Refiner",
    position=7,
    towers=(replace(CLIP_G, normed=False),),
    scores=(6.0, 2.5),
    # Of another model's levels.
    aligned=(),
)
