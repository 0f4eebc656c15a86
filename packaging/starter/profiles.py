"""How large a model to train on how much: one profile for two CPU cores, one for an accelerator."""

from __future__ import annotations

from dataclasses import dataclass

# Concepts that are well known and differ at a glance: emojibase's name → what we call it.
FEW = {
    name: name
    for name in (
        *("unicorn", "horse", "zebra", "cat", "dog", "dragon", "elephant", "giraffe", "rabbit"),
        *("pig", "bear", "panda", "frog", "turtle", "snake", "penguin", "owl", "parrot"),
        *("flamingo", "fish", "whale", "octopus", "crab", "butterfly", "snail", "rainbow"),
        *("sunflower", "rose", "cactus", "mushroom", "palm tree", "banana", "watermelon"),
        *("strawberry", "pineapple", "carrot", "hamburger", "pizza", "ice cream", "doughnut"),
        *("birthday cake", "star", "fire"),
    )
} | {
    "red apple": "apple",
    "tiger face": "tiger",
    "monkey face": "monkey",
    "evergreen tree": "tree",
    "crescent moon": "moon",
}


@dataclass(frozen=True)
class Profile:
    """All that is a matter of how much computing there is.

    `concepts`: emojibase's name → ours; none for all in `groups` (emojibase's numbers).
    `drawn`: how many of the styles the denoiser learns; autoencoder and text encoder learn all.
    `vae_views`: pictures of every drawing that the autoencoder learns from; `views`: latents kept
    of every drawing on every background. `widths`: channels of the denoiser's levels, of which
    those from `attention` on have attention. `samples`: how many it is trained on.
    """

    concepts: dict[str, str]
    groups: tuple[int, ...]
    styles: tuple[str, ...]
    drawn: int
    views: int
    size: int
    vae_widths: tuple[int, ...]
    vae_steps: int
    vae_views: int
    text_width: int
    text_layers: int
    text_steps: int
    widths: tuple[int, ...]
    attention: int
    heads: int
    batch: int
    rate: float
    samples: int


CPU = Profile(
    concepts=FEW,
    groups=(3, 4, 5),
    styles=("3d", "flat", "line art", "noto", "color"),
    drawn=5,
    views=2,
    size=256,
    vae_widths=(16, 32, 64, 128),
    vae_steps=1530,
    vae_views=9,
    text_width=192,
    text_layers=4,
    text_steps=900,
    widths=(32, 64, 128, 256),
    attention=2,
    heads=4,
    batch=32,
    rate=1e-3,
    samples=400_000,
)

GPU = Profile(
    concepts={},
    groups=(0, 1, 3, 4, 5, 6, 7, 8),
    styles=("3d", "flat", "color", "line art", "noto"),
    drawn=5,
    views=2,
    size=256,
    vae_widths=(32, 64, 96, 128),
    vae_steps=6000,
    vae_views=3,
    text_width=192,
    text_layers=4,
    text_steps=8000,
    widths=(64, 128, 224, 320),
    attention=1,
    heads=8,
    batch=512,
    rate=1e-3,
    samples=4_300_000,
)

PROFILES = {"cpu": CPU, "gpu": GPU}
