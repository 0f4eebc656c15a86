"""Pictures as the default graph makes them, without a graph: for many prompts in one process."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ponystudio.api import Conditioning, Entry
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.sampling.run import sample


class Painter:
    """A checkpoint, loaded in fp32 by the app's own loader."""

    def __init__(self, path: Path, size: int = 256, device: str = "cpu") -> None:
        self.denoiser, self.encoder, self.autoencoder = (
            load(path, part, device=device, dtype=torch.float32)
            for part in ("model", "clip", "vae")
        )
        self.size = size

    def paint(self, prompt: str, seed: int, *, negative: str = "", cfg: float = 7.0) -> Tensor:
        """One picture, float32 [3,S,S] in 0..1, with the settings of the default graph."""
        side = self.size // 8
        latent = sample(
            self.denoiser,
            self._encode(prompt),
            self._encode(negative),
            torch.zeros(1, 4, side, side),
            seed=seed,
            steps=20,
            cfg=cfg,
            sampler="dpmpp_2m",
            scheduler="karras",
        )
        return self.autoencoder.decode(latent)[0].cpu()

    def _encode(self, text: str) -> Conditioning:
        encoded = self.encoder.encode(text)
        return Conditioning((Entry(encoded.context, encoded.padding, encoded.pooled),), "sd1")
