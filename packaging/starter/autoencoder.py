"""The autoencoder: trained on crops; afterwards its latents are normalised.

Eight normalisation groups, since 32 on few channels are instance norm and lose flat colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

from starter.pictures import BACKGROUNDS, compose, view
from starter.profiles import Profile
from starter.training import Log, rate_at, save

SCALE = 0.18215  # what SD1 multiplies latents with
GROUPS = 8
KL = 5e-4
RATE = 2e-3
CROPS = (16, 64)  # how many pictures a step, of what side
LARGE = (4, 128)
LARGE_FROM = 0.85  # the share of the steps after which large crops are trained on

Sprites = Mapping[tuple[str, str], Tensor]


def config(profile: Profile) -> dict[str, Any]:
    """The arguments of AutoencoderKL."""
    levels = len(profile.vae_widths)
    return {
        "sample_size": profile.size,
        "block_out_channels": profile.vae_widths,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": GROUPS,
        "scaling_factor": SCALE,
    }


def train(sprites: Sprites, profile: Profile, folder: Path, device: str = "cpu") -> AutoencoderKL:
    """The trained autoencoder, fp32; read from the folder if it is there already.

    Its latents are not normalised yet. An interrupted training begins anew: it takes minutes.
    """
    torch.manual_seed(0)
    module = AutoencoderKL(**config(profile)).to(device)
    final = folder / "autoencoder.pt"
    if final.exists():
        module.load_state_dict(torch.load(final, map_location=device))
        return module.eval().requires_grad_(False)
    pool, log = _pool(sprites, profile.vae_views), Log(folder / "autoencoder.jsonl")
    optimizer = torch.optim.AdamW(
        module.parameters(), betas=(0.9, 0.99), weight_decay=1e-4, fused=True
    )
    for step in range(profile.vae_steps):
        done = step / profile.vae_steps
        optimizer.param_groups[0]["lr"] = rate_at(step, profile.vae_steps, RATE, 100)
        pictures = _batch(pool, *(CROPS if done < LARGE_FROM else LARGE)).to(device)
        loss, squared = _loss(module, pictures, aux=max(0.02, 1 - 4 * done))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 50 == 0:
            log.write(step=step + 1, loss=loss.item(), db=-10 * squared.log10().item())
    save(module.state_dict(), final)
    return module.eval().requires_grad_(False)


def _pool(sprites: Sprites, views: int) -> Tensor:
    """Views of every picture, bytes [n,3,S,S]."""
    random, backgrounds, found = Random(0), list(BACKGROUNDS), []
    for (_, style), sprite in sprites.items():
        places = [view(random.choice(backgrounds), random) for _ in range(views)]
        found.append((compose(sprite, style, places) * 255).round().byte())
    return torch.cat(found)


def _batch(pool: Tensor, count: int, side: int) -> Tensor:
    """Random pictures, cut at one random place, mirrored or not: float32 [n,3,s,s] in 0..1."""
    y, x = torch.randint(pool.shape[-1] - side + 1, (2,)).tolist()
    index = torch.randint(len(pool), (count,))
    cut = pool[index, :, y : y + side, x : x + side].float() / 255
    return cut.flip(-1) if torch.rand(()) < 0.5 else cut


def _loss(module: AutoencoderKL, pictures: Tensor, aux: float) -> tuple[Tensor, Tensor]:
    """What to lower, and the mean squared error of colours in 0..1.

    `aux` weighs the pull of three latent channels towards the picture at an eighth: it gives the
    latents low frequencies at once, which otherwise take thousands of steps to come.
    """
    target = pictures * 2 - 1
    with torch.autocast(pictures.device.type, torch.bfloat16):
        posterior = module.encode(target).latent_dist
        out = module.decode(posterior.sample()).sample
    error, mean = out.float() - target, posterior.mean.float()
    kl = posterior.kl().float().mean() / mean[0].numel()
    pull = functional.mse_loss(mean[:, :3], functional.avg_pool2d(target, 8) * 1.5)
    squared = error.square().mean()
    loss = error.abs().mean() + 2 * squared + 0.7 * _edges(error) + KL * kl + aux * pull
    return loss, squared.detach() / 4


def _edges(error: Tensor) -> Tensor:
    """The mean size of the error's gradient, both ways on three scales."""
    total = error.new_zeros(())
    for _ in range(3):
        total = total + (error[..., 1:] - error[..., :-1]).abs().mean()
        total = total + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
        error = functional.avg_pool2d(error, 2)
    return total


@torch.no_grad()
def normalise(module: AutoencoderKL, mean: Tensor, std: Tensor) -> None:
    """Make latents · SCALE of mean 0 and variance 1 in every channel, the pictures unchanged.

    `mean` and `std` [4] are those of its latents so far; the affine map is folded into the 1×1
    convolutions on both sides of the latent.
    """
    gain = 1 / (std * SCALE)
    first, last = module.quant_conv, module.post_quant_conv
    first.weight[:4] *= gain[:, None, None, None]
    first.bias[:4] = (first.bias[:4] - mean) * gain
    # Samples of the posterior, which nobody here takes, are to be its mean.
    first.weight[4:] = 0
    first.bias[4:] = -20.0
    last.bias += last.weight[:, :, 0, 0] @ mean
    last.weight /= gain[None, :, None, None]


def statistics(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [4] of every channel of latents [n,4,h,w]."""
    return latents.mean((0, 2, 3)), latents.std((0, 2, 3))


@torch.no_grad()
def encode(module: AutoencoderKL, pictures: Tensor) -> Tensor:
    """The means of the latents [n,4,s/8,s/8] of pictures in 0..1, float32, unscaled."""
    x = (pictures * 2 - 1).to(module.device, module.dtype)
    return module.encode(x).latent_dist.mean.float()


@torch.no_grad()
def decode(module: AutoencoderKL, latents: Tensor) -> Tensor:
    """Pictures in 0..1, float32, of unscaled latents."""
    out = module.decode(latents.to(module.device, module.dtype)).sample.float()
    return (out / 2 + 0.5).clamp(0, 1)
