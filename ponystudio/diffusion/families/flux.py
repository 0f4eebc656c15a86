"""FLUX.1 schnell and dev (Black Forest Labs 2024); dev is told its guidance as an input."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.diffusion.families import Bending, Family, Rgb
from ponystudio.diffusion.families.text_encoder_specs import CLIP_L, T5_XXL

FAMILY = Family(
    name="flux",
    title="FLUX.1",
    short="FLUX",
    position=5,
    towers=(replace(CLIP_L, pooled=True), T5_XXL),
    joined="apart",
    native=1024,
    scaling_factor=0.3611,
    shift=0.1159,
    latent_channels=16,
    prediction="flow",
    schedule="linear",
    flow_time=1.0,
    bending=Bending((256, 0.5), (4096, 1.15)),
    guidance=3.5,
    wide=True,
    architecture="flux",
    patch=2,
    repeats=False,
    refers=True,
    # Least-squares fit of pictures to latents, published for FLUX.
    rgb=Rgb(
        (
            (-0.0346, 0.0244, 0.0681),
            (0.0034, 0.0210, 0.0687),
            (0.0275, -0.0668, -0.0433),
            (-0.0174, 0.0160, 0.0617),
            (0.0859, 0.0721, 0.0329),
            (0.0004, 0.0383, 0.0115),
            (0.0405, 0.0861, 0.0915),
            (-0.0236, -0.0185, -0.0259),
            (-0.0245, 0.0250, 0.1180),
            (0.1008, 0.0755, -0.0421),
            (-0.0515, 0.0201, 0.0011),
            (0.0428, -0.0012, -0.0036),
            (0.0817, 0.0765, 0.0749),
            (-0.1264, -0.0522, -0.1103),
            (-0.0280, -0.0881, -0.0499),
            (-0.1262, -0.0982, -0.0778),
        ),
        (-0.0329, -0.0718, -0.0851),
    ),
)
