"""How close bfloat16 weights come to float32: PSNR of 8 pictures of 20 steps each.

`auto` may choose a smaller dtype only where every one of these is at least 30 dB.
Run with `pytest -m benchmark tests/benchmarks/test_dtype.py -s`; a quarter of an hour on two cores.
"""

from __future__ import annotations

import math
import time

import pytest
import torch

from helpers.make_checkpoint import write_checkpoint
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.sampling.run import sample

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

SIDE, STEPS = 256, 20
NEGATIVE = "blurry, low quality"
PROMPTS = (
    "unicorn, 3d, blue background",
    "a photo of a pony in a meadow",
    "portrait of a mare with a long purple mane, oil painting",
    "(castle:1.3) on a hill at sunset, (clouds), birds",
    "line art, dragon sleeping on books",
    "a red apple on a wooden table, studio light, masterpiece",
    "night city, rain, neon signs, reflections",
    "",
)


def test_bfloat16_against_float32(tmp_path):
    path = tmp_path / "full.safetensors"
    write_checkpoint("full", path)
    autoencoder = load(path, "vae", device="cpu", dtype=torch.float32)
    pictures, seconds = {}, {}
    for dtype in (torch.float32, torch.bfloat16):
        encoder = load(path, "clip", device="cpu", dtype=dtype)
        denoiser = load(path, "model", device="cpu", dtype=dtype)
        start = time.perf_counter()
        pictures[dtype] = [
            autoencoder.decode(
                sample(
                    denoiser,
                    encoder.encode(prompt),
                    encoder.encode(NEGATIVE),
                    torch.zeros(1, 4, SIDE // 8, SIDE // 8),
                    seed=seed,
                    steps=STEPS,
                    cfg=7.0,
                    sampler="dpmpp_2m",
                    scheduler="karras",
                )
            )
            for seed, prompt in enumerate(PROMPTS)
        ]
        seconds[dtype] = time.perf_counter() - start
        denoiser.close()
        encoder.close()
    psnr = [
        -10 * math.log10(torch.mean((a - b) ** 2).item())
        for a, b in zip(pictures[torch.float32], pictures[torch.bfloat16], strict=True)
    ]
    print("\nPSNR in dB:", [round(value, 1) for value in psnr])
    print({str(dtype): round(value, 1) for dtype, value in seconds.items()})
    assert min(psnr) >= 30
