"""SDXL and what was trained from it: Pony Diffusion V6, AutismMix, T-ponynai3, NoobAI."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.diffusion.families import Family, Rgb
from ponystudio.diffusion.families.text_encoder_specs import CLIP_G, CLIP_L

FAMILY = Family(
    name="sdxl",
    title="SDXL",
    short="SDXL",
    position=3,
    # Both are read before their last norm.
    towers=(replace(CLIP_L, normed=False), replace(CLIP_G, normed=False)),
    native=1024,
    scaling_factor=0.13025,
    # What others call clip skip 1 and 2 are one and the same here.
    clip_skip=2,
    least_skip=2,
    sized=True,
    zero_empty=True,
    aligned=(
        14.6146412293,
        6.3184485287,
        3.7681790315,
        2.1811480769,
        1.3405244945,
        0.8620721141,
        0.5550693289,
        0.3798540708,
        0.2332364134,
        0.1114188177,
        0.0291671582,
    ),
    # As ComfyUI has it.
    grey=(0.8223, -0.6876, 0.6364, 0.1380),
    # Least-squares fit of pictures to latents, published for SDXL.
    rgb=Rgb(
        (
            (0.3920, 0.4054, 0.4549),
            (-0.2634, -0.0196, 0.0653),
            (0.0568, 0.1687, -0.0755),
            (-0.3112, -0.2359, -0.2076),
        )
    ),
)
