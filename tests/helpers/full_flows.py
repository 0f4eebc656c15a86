"""Files of random weights as large as the released ones: denoisers, text encoders, autoencoders.

A tensor after the other is written, so that a file may be larger than the memory. The variable
PONYSTUDIO_FULL_MODELS may name a folder of models that has them already.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from helpers import flows

CONFIGS: dict[str, dict[str, Any]] = {
    "auraflow": {"pos_embed_max_size": 9216},
    "flux": {},
}
T5 = {
    "t5xxl": {
        "d_model": 4096,
        "d_ff": 10240,
        "num_heads": 64,
        "num_layers": 24,
        "vocab_size": 32128,
        "feed_forward_proj": "gated-gelu",
    },
    "pile_t5xl": {
        "d_model": 2048,
        "d_ff": 5120,
        "num_heads": 32,
        "num_layers": 24,
        "vocab_size": 32128,
        "feed_forward_proj": "gated-gelu",
    },
}
NAMES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}
DRAWN = 1 << 24  # so many random numbers are drawn; tensors are stretches of them


def write_denoiser(name: str, path: Path, dtype: torch.dtype) -> Path:
    """ "flux" (schnell) or "auraflow" (0.3), bare, under the original names."""
    from diffusers import AuraFlowTransformer2DModel, FluxTransformer2DModel

    kind = {"auraflow": AuraFlowTransformer2DModel, "flux": FluxTransformer2DModel}[name]
    with torch.device("meta"):
        state = kind(**CONFIGS[name]).state_dict()
        return _write(path, dict(flows.originals(name, state)), dtype)


def write_t5(name: str, path: Path, dtype: torch.dtype) -> Path:
    """ "t5xxl" or "pile_t5xl", the encoder alone, under transformers' names."""
    from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

    with torch.device("meta"):
        if name == "t5xxl":
            module = T5EncoderModel(T5Config(**T5[name]))
        else:
            module = UMT5EncoderModel(UMT5Config(**T5[name]))
        return _write(path, dict(module.named_parameters()), dtype)


def write_clip_l(path: Path, dtype: torch.dtype) -> Path:
    from transformers import CLIPTextConfig, CLIPTextModel

    from helpers.diffusers_config import CLIP_L

    with torch.device("meta"):
        module = CLIPTextModel(CLIPTextConfig(**CLIP_L))
        return _write(path, {f"text_model.{k}": v for k, v in module.named_parameters()}, dtype)


def write_vae(path: Path, channels: int) -> Path:
    """The autoencoder of FLUX (16 channels) or of SDXL and AuraFlow (4), in diffusers' names."""
    from diffusers import AutoencoderKL

    has_quantisers = channels == 4
    with torch.device("meta"):
        module = AutoencoderKL(
            latent_channels=channels,
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            use_quant_conv=has_quantisers,
            use_post_quant_conv=has_quantisers,
        )
        return _write(path, dict(module.named_parameters()), torch.float32)


FP16, BF16 = torch.float16, torch.bfloat16
FILES: dict[str, Callable[[Path], Path]] = {
    "diffusion_models/flux1-schnell.safetensors": partial(write_denoiser, "flux", dtype=BF16),
    "diffusion_models/pony-v7.safetensors": partial(write_denoiser, "auraflow", dtype=FP16),
    "text_encoders/clip_l.safetensors": partial(write_clip_l, dtype=FP16),
    "text_encoders/t5xxl_fp16.safetensors": partial(write_t5, "t5xxl", dtype=FP16),
    "vae/ae.safetensors": partial(write_vae, channels=16),
}


@contextmanager
def models(root: Path, *names: str) -> Iterator[Path]:
    """A folder of models with those of FILES; what had to be written is deleted in the end."""
    ready = Path(os.environ.get("PONYSTUDIO_FULL_MODELS", root))
    try:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if (ready / name).exists():
                (root / name).symlink_to(ready / name)
            else:
                FILES[name](root / name)
        yield root
    finally:
        shutil.rmtree(root)


def _write(path: Path, shapes: Mapping[str, Tensor], dtype: torch.dtype) -> Path:
    size = {k: v.numel() * dtype.itemsize for k, v in shapes.items()}
    entries, at = {}, 0
    for name, value in shapes.items():
        entries[name] = {
            "dtype": NAMES[dtype],
            "shape": list(value.shape),
            "data_offsets": [at, at + size[name]],
        }
        at += size[name]
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for piece in _numbers(shapes, dtype):
            file.write(piece.view(torch.uint8).numpy().data)
    return path


def _numbers(shapes: Mapping[str, Tensor], dtype: torch.dtype) -> Iterator[Tensor]:
    """Weights that keep the size of what passes them; norms near 1, biases near 0."""
    with torch.device("cpu"):
        drawn = torch.randn(DRAWN, generator=torch.Generator().manual_seed(7))
        for number, (name, value) in enumerate(shapes.items()):
            plain = value.ndim < 2
            scale = 0.1 if plain else value.shape[1:].numel() ** -0.5
            mean = 1.0 if plain and ("norm" in name or name.endswith("scale")) else 0.0
            start, left = number * 7919 % (DRAWN // 2), value.numel()
            while left:
                length = min(left, DRAWN // 2)
                yield (drawn[start : start + length] * scale + mean).to(dtype)
                left -= length
