"""Stable Diffusion 3 medium, and 3.5; their T5 may be left out."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.diffusion.families import Family, Rgb
from ponystudio.diffusion.families.text_encoder_specs import CLIP_G, CLIP_L, T5_XXL

FAMILY = Family(
    name="sd3",
    title="Stable Diffusion 3",
    short="SD 3",
    position=4,
    towers=(
        replace(CLIP_L, normed=False, pooled=True, projected=True, may_lack=True),
        replace(CLIP_G, normed=False),
        replace(T5_XXL, optional=True, least=77),
    ),
    joined="in a row",
    native=1024,
    scaling_factor=1.5305,
    shift=0.0609,
    latent_channels=16,
    clip_skip=2,
    least_skip=2,
    prediction="flow",
    schedule="linear",
    flow_shift=3.0,
    architecture="sd3",
    patch=2,
    repeats=False,
    # Least-squares fit of pictures to latents, published for Stable Diffusion 3.
    rgb=Rgb(
        (
            (-0.0922, -0.0175, 0.0749),
            (0.0311, 0.0633, 0.0954),
            (0.1994, 0.0927, 0.0458),
            (0.0856, 0.0339, 0.0902),
            (0.0587, 0.0272, -0.0496),
            (-0.0006, 0.1104, 0.0309),
            (0.0978, 0.0306, 0.0427),
            (-0.0042, 0.1038, 0.1358),
            (-0.0194, 0.0020, 0.0669),
            (-0.0488, 0.0130, -0.0268),
            (0.0922, 0.0988, 0.0951),
            (-0.0278, 0.0524, -0.0542),
            (0.0332, 0.0456, 0.0895),
            (-0.0069, -0.0030, -0.0810),
            (-0.0596, -0.0465, -0.0293),
            (-0.1448, -0.1463, -0.1189),
        ),
        (0.2394, 0.2135, 0.1925),
    ),
)
