"""Few colours for many: pictures with a palette, and the words for what a picture's palette is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ponystudio.diffusion.images.picture_file import to_picture

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    Floats = npt.NDArray[np.float64]

DITHERS = ("none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16")
WORDINGS = ("tags", "names", "hex")
# Longer side of what is looked at for its colours.
_LOOKED_AT = 128
# A colour of less than this share of a picture is not its palette.
_SEEN = 0.03


def quantized(pixels: Tensor, colours: int, dither: str) -> Tensor:
    """Pictures [B,3,H,W] of at most 2 to 256 colours each, chosen by median cut, by one of DITHERS.

    Of the ordered ones the threshold map of Bayer spreads by 2·256/colours levels.
    """
    import torch

    return torch.stack([_quantized(picture, colours, dither) for picture in pixels]).to(pixels)


def _quantized(picture: Tensor, colours: int, dither: str) -> Tensor:
    import torch

    image = to_picture(picture)
    palette = image.quantize(colours, dither=Image.Dither.NONE)
    if dither.startswith("bayer"):
        height, width = picture.shape[-2:]
        steps = _bayer(int(dither.partition("-")[2])) * (2 * 256 / colours) + 0.5
        over = np.tile(steps, (-(-height // len(steps)), -(-width // len(steps))))
        levels = np.asarray(image) + over[:height, :width, None]
        image = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    if dither != "none":
        smooth = dither == "floyd-steinberg"
        how = Image.Dither.FLOYDSTEINBERG if smooth else Image.Dither.NONE
        palette = image.quantize(palette=palette, dither=how)
    return torch.from_numpy(np.array(palette.convert("RGB"))).permute(2, 0, 1) / 255


def _bayer(side: int) -> Floats:
    """Bayer's threshold map, a power of two a side, of −½ to ½ and of mean 0."""
    places = np.zeros((1, 1))
    while len(places) < side:
        fours = 4 * places
        places = np.block([[fours, fours + 2], [fours + 3, fours + 1]])
    return (places + 0.5) / side**2 - 0.5


@dataclass(frozen=True)
class DominantColours:
    """The colours of pictures: `levels` [n,3] of 0..255 in the order of their `shares` [n]; `lch`
    [m,3] OKLCh of all that was looked at, hue in degrees."""

    levels: npt.NDArray[np.uint8]
    shares: Floats
    lch: Floats

    def worded(self, wording: str) -> str:
        """As a text, by one of WORDINGS: what boards of pictures tag a palette with, the names of
        its colours, or the colours themselves."""
        if wording == "hex":
            return ", ".join(f"#{bytes(level.tolist()).hex()}" for level in self.levels)
        return ", ".join(self._tags() if wording == "tags" else self._named())

    def _named(self) -> dict[str, float]:
        """The share of each colour that is seen, the largest first."""
        names, counts = np.unique(_names(self.lch), return_counts=True)
        found = sorted(zip(counts / len(self.lch), names, strict=True), reverse=True)
        return {str(name): float(share) for share, name in found if share >= _SEEN}

    def _tags(self) -> Iterator[str]:
        lightness, chroma, hue = self.lch.T
        named = self._named()
        coloured = {name: n for name, n in named.items() if name not in _GREYS}
        vivid = chroma > _GREY_BELOW
        spread = _hue_spread(hue[vivid], chroma[vivid])
        if vivid.mean() < 0.01:
            yield from ("monochrome", "greyscale")
        elif vivid.mean() < 0.15 and len(coloured) == 1:
            yield "spot color"
        elif spread < 5:
            yield "monochrome"
            if next(iter(coloured), "") in ("brown", "orange", "beige"):
                yield "sepia"
        first = next(iter(named), "")
        if named.get(first, 0) >= 0.5:
            yield f"{first} theme"
        elif coloured and sum(coloured.values()) >= 0.3:
            strongest = next(iter(coloured))
            if coloured[strongest] >= 0.5 * sum(coloured.values()):
                yield f"{strongest} theme"
        if len(named) <= 3 and sum(named.values()) >= 0.95:
            yield "limited palette"
        if len(coloured) >= 5 and chroma.mean() > 0.06:
            yield "colorful"
        if lightness.mean() > 0.8 and 0.02 < chroma.mean() < 0.1:
            yield "pastel colors"
        if lightness.mean() < 0.35:
            yield "dark"
        if lightness.std() > 0.3:
            yield "high contrast"
        yield from coloured


def palette(pixels: Tensor, colours: int) -> DominantColours:
    """The palette of pictures [B,3,H,W] together, of at most so many colours."""
    from torch.nn.functional import interpolate

    height, width = pixels.shape[-2:]
    scale = min(1, _LOOKED_AT / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = interpolate(pixels.float().cpu(), size=size, mode="area")
    # The pictures beneath each other, as one.
    image = to_picture(small.transpose(0, 1).reshape(3, -1, size[1]) + 0.5 / 255)
    reduced = image.quantize(colours, kmeans=3, dither=Image.Dither.NONE)
    counted = reduced.getcolors() or []
    counts, indices = np.array(sorted(counted, reverse=True)).T
    table = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)
    lch = _oklch(np.asarray(image).reshape(-1, 3) / 255)
    return DominantColours(table[indices], counts / counts.sum(), lch)


def strip(found: DominantColours, width: int = 512, height: int = 64) -> Tensor:
    """The palette as a picture [1,3,height,width]: each colour as wide as its share."""
    import torch

    ends = (found.shares.cumsum() * width).round().astype(int)
    at = np.searchsorted(ends, np.arange(width), side="right").clip(max=len(ends) - 1)
    row = torch.from_numpy(found.levels[at]).float() / 255
    return row.T[None, :, None, :].expand(1, 3, height, width).contiguous()


_GREYS = ("black", "grey", "white")
_GREY_BELOW = 0.03
# From where on, in degrees of OKLCh's hue, a colour has its name; below the first it is the last.
_HUES = (
    (15, "red"),
    (42, "orange"),
    (85, "yellow"),
    (120, "green"),
    (170, "aqua"),
    (215, "blue"),
    (285, "purple"),
    (338, "pink"),
)


def _names(lch: Floats) -> npt.NDArray[np.str_]:
    """What people call colours given as OKLCh [n,3]."""
    lightness, chroma, hue = lch.T
    starts, words = np.array([start for start, _ in _HUES]), np.array([w for _, w in _HUES])
    name: npt.NDArray[np.str_] = words[
        (np.searchsorted(starts, hue, side="right") - 1) % len(words)
    ].astype("<U6")
    warm = (hue >= 35) & (hue < 110)
    name[warm & (lightness < 0.62) & (chroma < 0.17)] = "brown"
    name[warm & (lightness >= 0.62) & (chroma < 0.08)] = "beige"
    name[((hue < 25) | (hue >= 338)) & (lightness > 0.7)] = "pink"
    name[((hue < 25) | (hue >= 338)) & (lightness < 0.5)] = "red"
    grey = (chroma < _GREY_BELOW) | (lightness < 0.16)
    name[grey] = "grey"
    name[grey & (lightness < 0.28)] = "black"
    name[(chroma < _GREY_BELOW) & (lightness > 0.9)] = "white"
    return name


def _hue_spread(hue: Floats, weight: Floats) -> float:
    """The circular standard deviation of hues, in degrees; 0 of none."""
    if not weight.sum():
        return 0.0
    angle = np.radians(hue)
    r = np.hypot((weight * np.cos(angle)).sum(), (weight * np.sin(angle)).sum()) / weight.sum()
    return float(np.degrees(np.sqrt(max(0.0, -2 * np.log(max(r, 1e-12))))))


# From linear sRGB to the cones' answers, and from their cube roots to lightness and two opponents
# (B. Ottosson, A perceptual color space for image processing, 2020).
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _oklch(rgb: Floats) -> Floats:
    """sRGB in 0..1 [n,3] as OKLab's lightness, chroma and hue in degrees."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lightness, a, b = _OPPONENTS @ np.cbrt(_CONES @ linear.T)
    return np.stack([lightness, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360], axis=1)
