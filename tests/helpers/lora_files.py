"""Small LoRA files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from PySide6.QtGui import QColor, QImage


def write_lora(path: Path, rank: int = 4) -> None:
    """A safetensors file with a LoRA's two matrices, as small as can be."""
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    shapes = {f"{name}.lora_down.weight": [rank, 768], f"{name}.lora_up.weight": [320, rank]}
    header, at = {}, 0
    for key, shape in shapes.items():
        size = 2 * shape[0] * shape[1]
        header[key] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))


def write_loras(models: Path) -> Path:
    """A folder of three: one with a picture, one in a folder of its own, one that is damaged."""
    folder = models / "loras"
    (folder / "styles").mkdir(parents=True)
    write_lora(folder / "wolf.safetensors")
    write_lora(folder / "styles" / "film.safetensors")
    (folder / "torn.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{broken")
    image = QImage(64, 96, QImage.Format.Format_RGB32)
    image.fill(QColor("#336699"))
    image.save(str(folder / "wolf.preview.png"))
    return folder
