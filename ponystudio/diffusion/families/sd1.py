"""Stable Diffusion 1.x and what was trained from it: pony-diffusion v1 and v2, Waifu Diffusion."""

from __future__ import annotations

from ponystudio.diffusion.families import Family, Rgb
from ponystudio.diffusion.families.text_encoder_specs import CLIP_L

FAMILY = Family(
    name="sd1",
    title="Stable Diffusion 1",
    short="SD 1.5",
    position=1,
    towers=(CLIP_L,),
    native=512,
    scaling_factor=0.18215,
    unet_heads=8,
    aligned=(
        14.6146412293,
        6.4745760956,
        3.8636745985,
        2.6946151520,
        1.8841921177,
        1.3943805092,
        0.9642583904,
        0.6523686016,
        0.3977456272,
        0.1515232662,
        0.0291671582,
    ),
    # As ComfyUI has it.
    grey=(0.8223, -0.6876, 0.6364, 0.1380),
    # Least-squares fit of pictures to latents, published for SD 1.4.
    rgb=Rgb(
        (
            (0.298, 0.207, 0.208),
            (0.187, 0.286, 0.173),
            (-0.158, 0.189, 0.264),
            (-0.184, -0.271, -0.473),
        )
    ),
)
