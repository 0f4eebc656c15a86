"""From drawings to training pictures: a sprite, scaled, shifted, mirrored, on a plain background.

Sprites are premultiplied RGBA, float32 [4,S,S] in 0..1; pictures are float32 [3,S,S] in 0..1.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from starter.concepts import PACKAGE_OF, Concept

BACKGROUNDS = {
    "red": (214, 40, 40),
    "orange": (247, 127, 0),
    "yellow": (255, 214, 10),
    "green": (46, 160, 67),
    "blue": (45, 105, 225),
    "purple": (125, 60, 190),
    "pink": (255, 140, 190),
    "brown": (121, 78, 46),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "black": (0, 0, 0),
}
SCALES = (0.8, 0.95)
SHIFT = 0.05  # of the picture's side, each way


@dataclass(frozen=True)
class View:
    """How a sprite stands in a picture. `dx`, `dy`: of the side; `scale`: 1 fills it."""

    background: str
    scale: float = 0.88
    dx: float = 0.0
    dy: float = 0.0
    mirrored: bool = False


def view(background: str, random: Random) -> View:
    """A random place on a background.

    Not mirrored: a small model that learns both sides of an animal draws both at once.
    """
    return View(
        background,
        random.uniform(*SCALES),
        random.uniform(-SHIFT, SHIFT),
        random.uniform(-SHIFT, SHIFT),
    )


def sprites(
    packages: Mapping[str, Path], concepts: Sequence[Concept], styles: Iterable[str], size: int
) -> dict[tuple[str, str], Tensor]:
    """(concept's name, style) → sprite, as bytes [4,S,S]."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    drawn = {}
    for style in styles:
        folder = packages[PACKAGE_OF[style]]
        icons = None if style == "3d" else json.loads((folder / "icons.json").read_text("utf-8"))
        for concept in concepts:
            if icons is None:
                image = _read(folder / "assets" / f"{concept.hexcode}.webp", size)
            else:
                image = _draw(_svg(icons, concept.slug), size)
            drawn[concept.name, style] = image
    return drawn


def compose(sprite: Tensor, style: str, places: Sequence[View]) -> Tensor:
    """A sprite in some views: float32 [n,3,S,S]."""
    return over(placed(sprite, places), style, [at.background for at in places])


def placed(sprite: Tensor, places: Sequence[View]) -> Tensor:
    """A sprite scaled, mirrored and then shifted, premultiplied: float32 [n,4,S,S] in 0..1."""
    rgba = sprite.float().expand(len(places), -1, -1, -1) / 255
    # From places in the picture to places in the sprite, both in -1..1.
    grid = torch.zeros(len(places), 2, 3)
    for i, at in enumerate(places):
        side = -1 if at.mirrored else 1
        grid[i, 0, 0], grid[i, 0, 2] = side / at.scale, -2 * at.dx / at.scale * side
        grid[i, 1, 1], grid[i, 1, 2] = 1 / at.scale, -2 * at.dy / at.scale
    flow = affine_grid(grid, list(rgba.shape), align_corners=False)
    return grid_sample(rgba, flow, align_corners=False)


def over(rgba: Tensor, style: str, backgrounds: Sequence[str]) -> Tensor:
    """[n,4,S,S] over plain colours: [n,3,S,S]. Line art is black, but on black it is white."""
    ink, alpha = rgba[:, :3], rgba[:, 3:]
    if style == "line art":
        white = torch.tensor([background == "black" for background in backgrounds])
        ink = alpha * white[:, None, None, None].float()
    under = torch.tensor([BACKGROUNDS[background] for background in backgrounds]) / 255
    return ink + under[..., None, None] * (1 - alpha)


def _svg(icons: dict, slug: str) -> bytes:
    icon = icons["icons"][slug]
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    return f"{head}{icon['body'].replace('currentColor', '#000')}</svg>".encode()


def _draw(svg: bytes, size: int) -> Tensor:
    from PySide6.QtCore import QByteArray, Qt
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    image = QImage(size, size, QImage.Format.Format_RGBA8888_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(QByteArray(svg)).render(painter)
    painter.end()
    return _bytes(image)


def _read(path: Path, size: int) -> Tensor:
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QImage

    image = QImage(str(path)).convertToFormat(QImage.Format.Format_RGBA8888_Premultiplied)
    if image.isNull():
        raise ValueError(f"{path} cannot be read")
    smooth = Qt.TransformationMode.SmoothTransformation
    return _bytes(image.scaled(size, size, Qt.AspectRatioMode.IgnoreAspectRatio, smooth))


def _bytes(image) -> Tensor:
    """Bytes [4,H,W] of an RGBA image."""
    rows = numpy.frombuffer(image.constBits(), numpy.uint8)
    return torch.from_numpy(rows.reshape(image.height(), image.width(), 4).copy()).permute(2, 0, 1)
