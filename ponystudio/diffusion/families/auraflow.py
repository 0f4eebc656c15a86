"""AuraFlow 0.1 to 0.3, and Pony Diffusion V7, which was trained from it."""

from __future__ import annotations

from ponystudio.diffusion.families import Family, sdxl
from ponystudio.diffusion.families.text_encoder_specs import PILE_T5_XL

FAMILY = Family(
    name="auraflow",
    title="AuraFlow",
    short="AuraFlow",
    position=6,
    towers=(PILE_T5_XL,),
    native=1024,
    # Its autoencoder is SDXL's, and so are its previews.
    scaling_factor=sdxl.FAMILY.scaling_factor,
    rgb=sdxl.FAMILY.rgb,
    prediction="flow",
    schedule="linear",
    flow_shift=1.73,
    flow_time=1.0,
    architecture="auraflow",
    patch=2,
    repeats=False,
)
