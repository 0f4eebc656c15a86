"""Pictures about the model: the contact sheet and the loss curve, drawn with Pillow."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

CELL = 128
COLUMNS = 8
COLOURS = ("#2a78d6", "#1f9d6b", "#c98500", "#c43d5a")


def save(picture: Tensor, path: Path) -> None:
    """Write a picture [3,H,W] in 0..1."""
    image(picture).save(path)


def image(picture: Tensor) -> Image.Image:
    return Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy())


def contact_sheet(pictures: Sequence[Tensor], path: Path) -> None:
    """Pictures in rows of eight, small."""
    rows = math.ceil(len(pictures) / COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL, rows * CELL), "white")
    for i, picture in enumerate(pictures):
        at = (i % COLUMNS * CELL, i // COLUMNS * CELL)
        sheet.paste(image(picture).resize((CELL, CELL), Image.Resampling.LANCZOS), at)
    sheet.save(path, quality=82)


def sprite_sheet(sprites: Mapping[tuple[str, str], Tensor], path: Path, side: int = 64) -> None:
    """All drawings, small, in rows of twelve; beside it the names as JSON."""
    keys, columns = list(sprites), 12
    sheet = Image.new("RGBA", (columns * side, math.ceil(len(keys) / columns) * side))
    for i, key in enumerate(keys):
        bytes_ = sprites[key].permute(1, 2, 0).contiguous().numpy()
        # Premultiplied, as Pillow says it: "RGBa".
        small = Image.frombytes("RGBa", bytes_.shape[1::-1], bytes_.tobytes()).convert("RGBA")
        at = (i % columns * side, i // columns * side)
        sheet.paste(small.resize((side, side), Image.Resampling.BOX), at)
    sheet.save(path, quality=75)
    lines = ",\n".join(json.dumps(key) for key in keys)
    path.with_suffix(".json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def read_sprites(path: Path, side: int = 64) -> dict[tuple[str, str], Tensor]:
    """What `sprite_sheet` wrote: (concept, style) → premultiplied bytes [4,side,side]."""
    keys = [tuple(key) for key in json.loads(path.with_suffix(".json").read_text("utf-8"))]
    with Image.open(path) as stored:
        sheet = stored.convert("RGBa")
    found = {}
    for i, key in enumerate(keys):
        x, y = i % (sheet.width // side) * side, i // (sheet.width // side) * side
        part = sheet.crop((x, y, x + side, y + side))
        flat = torch.frombuffer(bytearray(part.tobytes()), dtype=torch.uint8)
        found[key] = flat.reshape(side, side, 4).permute(2, 0, 1)
    return found


def curve(log: Path, path: Path, size: tuple[int, int] = (760, 420)) -> None:
    """The denoiser's error over its steps, one line for each quarter of the noise."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    steps = torch.tensor([line["step"] for line in lines], dtype=torch.float64)
    values = torch.tensor([line["bands"] for line in lines], dtype=torch.float64).log10()
    drawing = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(drawing)
    left, top, right, bottom = 60, 30, size[0] - 20, size[1] - 40
    low, high = values.min().item(), values.max().item()
    x = left + steps / steps.max() * (right - left)
    y = bottom - (values - low) / (high - low) * (bottom - top)
    for error in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        level = math.log10(error)
        if low <= level <= high:
            at = bottom - (level - low) / (high - low) * (bottom - top)
            pen.line([(left, at), (right, at)], fill="#dddddd")
            pen.text((20, at - 6), f"{error:g}", fill="#444444")
    for band, colour in enumerate(COLOURS):
        points = list(zip(x.tolist(), y[:, band].tolist(), strict=True))
        pen.line(points, fill=colour, width=2)
        name = f"t {band * 250} to {band * 250 + 249}"
        pen.text((left + 20 + 160 * band, 8), name, fill=colour)
    pen.text((right - 150, bottom + 14), f"{int(steps.max())} steps", fill="#444444")
    pen.text((left, bottom + 14), "squared error of the noise", fill="#444444")
    drawing.save(path)
