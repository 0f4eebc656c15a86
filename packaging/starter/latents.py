"""The latents of many views of every picture, made once before the denoiser is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from starter.autoencoder import encode, normalise, statistics
from starter.concepts import Concept
from starter.pictures import BACKGROUNDS, compose, view
from starter.profiles import Profile
from starter.training import save


def make(
    module: AutoencoderKL,
    sprites: Mapping[tuple[str, str], Tensor],
    concepts: Sequence[Concept],
    profile: Profile,
    folder: Path,
) -> tuple[Tensor, Tensor]:
    """Scaled latents, fp16 [n,4,h,w], and int64 [n,3] of each: concept, style, background.

    Read from the folder if they are there already, with the autoencoder that goes with them:
    it is changed so that they have mean 0 and variance 1 in every channel.
    """
    final = folder / "latents.pt"
    if not final.exists():
        random, found, labels = Random(1), [], []
        for c, concept in enumerate(concepts):
            for s, style in enumerate(profile.styles):
                places = [view(b, random) for b in BACKGROUNDS for _ in range(profile.views)]
                pictures = compose(sprites[concept.name, style], style, places)
                found.append(encode(module, pictures).cpu())
                labels += [(c, s, i // profile.views) for i in range(len(places))]
        latents = torch.cat(found)
        mean, std = statistics(latents)
        scaled = ((latents - mean[:, None, None]) / std[:, None, None]).half()
        save((scaled, torch.tensor(labels), mean, std), final)
    scaled, labels, mean, std = torch.load(final)
    normalise(module, mean.to(module.device), std.to(module.device))
    return scaled, labels
