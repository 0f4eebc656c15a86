"""The denoiser: what noise there is in a latent, given a caption. Resumable, seeded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from starter.captions import caption
from starter.concepts import Concept
from starter.pictures import BACKGROUNDS
from starter.profiles import Profile
from starter.text import Encoder
from starter.training import Log, Masters, rate_at, save

GROUPS = 8
STEPS = 1000
MIN_SNR = 5.0
EMPTY = 0.1  # how often the caption is left out, for guidance
NOISY = 0.35  # the share of samples whose noise is drawn from the upper half alone
CAPTIONS = 4  # of every latent, encoded once
WARM = 200
EMA = 0.998
BANDS = 4
SAVED_EVERY = 500


def config(profile: Profile) -> dict[str, Any]:
    """The arguments of UNet2DConditionModel. The lowest levels have attention, the others not."""
    plain = profile.attention
    deep = len(profile.widths) - plain
    return {
        "sample_size": profile.size // 8,
        "block_out_channels": profile.widths,
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",) * deep,
        "up_block_types": ("CrossAttnUpBlock2D",) * deep + ("UpBlock2D",) * plain,
        "cross_attention_dim": profile.text_width,
        "attention_head_dim": profile.heads,
        "norm_num_groups": GROUPS,
    }


def alphas() -> Tensor:
    """ᾱ of Stable Diffusion 1's thousand steps: betas linear in their roots."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, STEPS) ** 2
    return torch.cumprod(1 - betas, 0)


def train(
    latents: Tensor,
    labels: Tensor,
    concepts: Sequence[Concept],
    encoder: Encoder,
    profile: Profile,
    folder: Path,
    *,
    start: dict[str, Tensor] | None = None,
    device: str = "cpu",
) -> UNet2DConditionModel:
    """The trained denoiser with averaged weights, fp32.

    It goes on from the state in `folder` where there is one, else from the weights `start`.
    """
    torch.manual_seed(2)
    unet = UNet2DConditionModel(**config(profile)).to(device)
    if start is not None:
        unet.load_state_dict(start)
    masters, state = Masters(unet, decay=EMA), folder / "denoiser.state"
    if state.exists():
        masters.restore(torch.load(state, map_location=device))
    steps = profile.samples // profile.batch
    if masters.step < steps:
        contexts = Contexts(labels, concepts, encoder, profile)
    latents, bars = latents.to(device, torch.bfloat16), alphas().to(device)
    log, bands = Log(folder / "denoiser.jsonl"), torch.zeros(2, BANDS)
    while masters.step < steps:
        draw = torch.Generator().manual_seed(1000 + masters.step)
        # Two noise draws for each picture and caption: half the contexts to move.
        index = torch.randint(len(latents), (profile.batch // 2,), generator=draw)
        context = contexts(index, draw).to(device).repeat(2, 1, 1)
        t, noise = _noise(profile, draw)
        loss, error = _loss(
            unet, latents[index].repeat(2, 1, 1, 1), noise.to(device), t.to(device), context, bars
        )
        loss.backward()
        masters.update(rate_at(masters.step, steps, profile.rate, WARM))
        band = t * BANDS // STEPS
        bands[0].index_add_(0, band, error.cpu())
        bands[1].index_add_(0, band, torch.ones(len(t)))
        if masters.step % 100 == 0:
            means = (bands[0] / bands[1].clamp_min(1)).tolist()
            log.write(step=masters.step, bands=[round(mean, 4) for mean in means])
            bands.zero_()
        if masters.step % SAVED_EVERY == 0 or masters.step == steps:
            save(masters.state(), state)
    unet.float().load_state_dict(masters.averaged())
    return unet.eval().requires_grad_(False)


class Contexts:
    """The encoded captions of every latent: some of each, kept as bf16.

    Equal captions are encoded once; what is kept is 30 KB for each.
    """

    def __init__(
        self, labels: Tensor, concepts: Sequence[Concept], encoder: Encoder, profile: Profile
    ) -> None:
        random, backgrounds = Random(9), tuple(BACKGROUNDS)
        numbers: dict[str, int] = {"": 0}
        rows = [
            [
                numbers.setdefault(
                    caption(concepts[c], profile.styles[s], backgrounds[b], random, simple=i == 0),
                    len(numbers),
                )
                for i in range(CAPTIONS)
            ]
            for c, s, b in labels.tolist()
        ]
        texts = list(numbers)
        with torch.no_grad():
            parts = [encoder(texts[i : i + 64]) for i in range(0, len(texts), 64)]
        self.contexts = torch.cat([part.to(torch.bfloat16) for part in parts])
        self.rows = torch.tensor(rows)

    def __call__(self, index: Tensor, draw: torch.Generator) -> Tensor:
        """The contexts [n,77,width] of these latents, a tenth of them that of no words."""
        chosen = torch.randint(CAPTIONS, index.shape, generator=draw)
        empty = torch.rand(index.shape, generator=draw) < EMPTY
        return self.contexts[torch.where(empty, 0, self.rows[index, chosen])]


def _noise(profile: Profile, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Times in 0..999, the noisy ones more often, and noise."""
    u = torch.rand(profile.batch, generator=draw)
    high = torch.rand(profile.batch, generator=draw) < NOISY
    t = torch.where(high, 0.5 + 0.5 * u, u).mul(STEPS).long().clamp(0, STEPS - 1)
    side = profile.size // 8
    return t, torch.randn(profile.batch, 4, side, side, generator=draw)


def _loss(
    unet: UNet2DConditionModel,
    latents: Tensor,
    noise: Tensor,
    t: Tensor,
    context: Tensor,
    bars: Tensor,
) -> tuple[Tensor, Tensor]:
    """The loss, weighed by min-SNR (Hang et al. 2023), and each sample's squared error."""
    bar = bars[t]
    signal, spread = bar.sqrt()[:, None, None, None], (1 - bar).sqrt()[:, None, None, None]
    noisy = (signal * latents.float() + spread * noise).to(unet.dtype)
    out = unet(noisy, t, context.to(unet.dtype)).sample.float()
    error = (out - noise).square().mean(dim=(1, 2, 3))
    snr = bar / (1 - bar)
    return (snr.clamp(max=MIN_SNR) / snr * error).mean(), error.detach()
