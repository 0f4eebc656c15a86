"""Stable Diffusion 2.x, of 512 (eps) and 768 (v), from which Pony Diffusion V5 and V5.5 come."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.diffusion.families import sd1
from ponystudio.diffusion.families.text_encoder_specs import CLIP_H

# The same autoencoder, noise and previews; another prompt, and heads of one width.
FAMILY = replace(
    sd1.FAMILY,
    name="sd2",
    title="Stable Diffusion 2",
    short="SD 2",
    position=2,
    towers=(CLIP_H,),
    native=768,
    clip_skip=2,
    prediction="v",
    unet_heads=0,
)
