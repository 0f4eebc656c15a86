"""The two networks of Real-ESRGAN, and the names under which their weights are found.

RRDBNet: Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", 2018.
SRVGGNetCompact: Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure
Synthetic Data", 2021, and its repository.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ponystudio.errors import UnknownModel, UnsupportedModel, WrongKind

Shapes = Mapping[str, tuple[int, ...]]

# How strongly each residual branch counts, inside a dense block and around three of them.
RESIDUAL = 0.2


class Upscaling(nn.Module):
    """A network from [B,3,h,w] to [B,3,h·scale,w·scale], values in 0..1.

    h and w must be multiples of `multiple`. `field` is how many input pixels away an input pixel
    still changes the result, `tile` the side of a picture that is best worked on at once.
    """

    scale: int
    multiple: int
    field: int
    tile: int


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all that came before it."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for n in range(4):
            self.add_module(f"conv{n + 1}", _conv(features + n * growth, growth))
        self.conv5 = _conv(features + 4 * growth, features)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, _lrelu(conv(seen))), 1)
        return torch.add(x, self.conv5(seen), alpha=RESIDUAL)


class RRDB(nn.Module):
    """Residual in residual dense block: three dense blocks."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(features, growth)
        self.rdb2 = DenseBlock(features, growth)
        self.rdb3 = DenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=RESIDUAL)


class RRDBNet(Upscaling):
    """scale = 2^ups / unshuffle: with r = unshuffle > 1 the picture first becomes 3·r² channels
    of 1/r the size."""

    def __init__(
        self, *, features: int, growth: int, blocks: int, ups: int = 2, unshuffle: int = 1
    ) -> None:
        super().__init__()
        self.multiple = unshuffle
        self.scale = 2**ups // unshuffle
        self.tile = 256  # about 1.5 GB of work space in fp32
        self.conv_first = _conv(3 * unshuffle**2, features)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.conv_body = _conv(features, features)
        self.ups = [f"conv_up{n + 1}" for n in range(ups)]
        for name in self.ups:
            self.add_module(name, _conv(features, features))
        self.conv_hr = _conv(features, features)
        self.conv_last = _conv(features, 3)
        # Fifteen 3×3 convolutions a block; those after each doubling reach half as far.
        tail = sum(0.5 ** (n + 1) for n in range(ups)) + 2 * 0.5**ups
        self.field = math.ceil((15 * blocks + 2 + tail) * unshuffle)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_first(F.pixel_unshuffle(x, self.multiple))
        x = x + self.conv_body(self.body(x))
        for name in self.ups:
            x = _lrelu(self.get_submodule(name)(F.interpolate(x, scale_factor=2, mode="nearest")))
        return self.conv_last(_lrelu(self.conv_hr(x)))


class SRVGGNetCompact(Upscaling):
    """All convolutions work at the size of the input, so it is quick."""

    def __init__(self, *, features: int, convs: int, scale: int) -> None:
        super().__init__()
        self.multiple = 1
        self.scale = scale
        self.tile = 512  # about 0.3 GB
        self.field = convs + 2
        layers: list[nn.Module] = [_conv(3, features), nn.PReLU(features)]
        for _ in range(convs):
            layers += [_conv(features, features), nn.PReLU(features)]
        self.body = nn.Sequential(*layers, _conv(features, 3 * scale**2))

    def forward(self, x: Tensor) -> Tensor:
        base = F.interpolate(x, scale_factor=self.scale, mode="nearest")
        return F.pixel_shuffle(self.body(x), self.scale) + base


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2, inplace=True)


# ESRGAN's first release numbers its layers: block, then (upsample, conv, lrelu) a doubling, ...
_NUMBERED = re.compile(r"model\.(\d+)\.(weight|bias)")
_RENAMED = (
    (re.compile(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\."), r"body.\1.rdb\2.conv\3."),
    (re.compile(r"model\.1\.sub\.\d+\.(weight|bias)$"), r"conv_body.\1"),
    (re.compile(r"RRDB_trunk\.(\d+)\.RDB(\d)\."), r"body.\1.rdb\2."),
    (re.compile(r"trunk_conv\."), "conv_body."),
    (re.compile(r"upconv(\d)\."), r"conv_up\1."),
    (re.compile(r"HRconv\."), "conv_hr."),
)


def canonical_names(names: list[str]) -> dict[str, str]:
    """From the names in a file to those of the modules above, for all dialects of RRDBNet."""
    stems = {name: name.removeprefix("module.") for name in names}
    numbers = sorted({int(m[1]) for stem in stems.values() if (m := _NUMBERED.fullmatch(stem))})
    numbered = dict(zip(numbers, _numbered_layers(len(numbers)), strict=True))
    return {name: _canonical(stem, numbered) for name, stem in stems.items()}


def _numbered_layers(count: int) -> list[str]:
    """First convolution, one a doubling, and the two of full size."""
    if count < 3:
        return [""] * count
    return ["conv_first", *(f"conv_up{n + 1}" for n in range(count - 3)), "conv_hr", "conv_last"]


def _canonical(name: str, numbered: Mapping[int, str]) -> str:
    if match := _NUMBERED.fullmatch(name):
        return f"{numbered[int(match[1])]}.{match[2]}"
    for pattern, new in _RENAMED:
        if pattern.match(name):
            return pattern.sub(new, name)
    return name


def network_for(shapes: Shapes) -> Upscaling:
    """The network, without weights, that tensors of these canonical names and shapes fit.

    Raises WrongKind for the discriminator that training leaves beside the network, UnsupportedModel
    for a relative of these networks, and UnknownModel for anything else.
    """
    if any(name.endswith("weight_orig") for name in shapes) and "conv9.weight" in shapes:
        raise WrongKind(
            "This is a discriminator: it judged pictures while an upscaler was trained and cannot "
            "enlarge any.",
            remedy="Take the file of the same training whose name begins with net_g.",
        )
    with torch.device("meta"):
        if _are_convs(shapes, "conv_first.weight", "body.0.rdb1.conv1.weight"):
            network: Upscaling = _rrdbnet(shapes)
        elif _are_convs(shapes, "body.0.weight") and len(shapes.get("body.1.weight", ())) == 1:
            network = _srvgg(shapes)
        else:
            raise UnknownModel(
                "This is no upscaler that is known here.",
                remedy="RRDBNet (ESRGAN, Real-ESRGAN) and SRVGGNetCompact (realesr-*) are.",
            )
    _compare(shapes, {name: tuple(value.shape) for name, value in network.state_dict().items()})
    if network.scale < 1:
        raise UnsupportedModel("This network makes pictures smaller, not larger.")
    return network


def _are_convs(shapes: Shapes, *names: str) -> bool:
    return all(len(shape) == 4 and all(shape) for shape in (shapes.get(n, ()) for n in names))


def _rrdbnet(shapes: Shapes) -> RRDBNet:
    features, channels = shapes["conv_first.weight"][:2]
    return RRDBNet(
        features=features,
        growth=shapes["body.0.rdb1.conv1.weight"][0],
        blocks=len({name.split(".")[1] for name in shapes if name.startswith("body.")}),
        ups=sum(bool(re.fullmatch(r"conv_up\d\.weight", name)) for name in shapes),
        unshuffle=math.isqrt(channels // 3) or 1,
    )


def _srvgg(shapes: Shapes) -> SRVGGNetCompact:
    convs = [name for name, shape in shapes.items() if len(shape) == 4]
    last = max(convs, key=_layer)
    return SRVGGNetCompact(
        features=shapes["body.0.weight"][0],
        convs=len(convs) - 2,
        scale=math.isqrt(shapes[last][0] // 3) or 1,
    )


def _layer(name: str) -> int:
    number = name.split(".")[1:2]
    return int(number[0]) if number and number[0].isdecimal() else -1


def _compare(found: Shapes, wanted: Shapes) -> None:
    """Raise UnsupportedModel unless the names and shapes are the same."""
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) == wanted.get(name):
            continue
        if name not in wanted:
            difference = f"it has {name}, which they lack"
        elif name not in found:
            difference = f"it lacks {name}"
        else:
            difference = f"{name} is {_sides(found[name])}, not {_sides(wanted[name])}"
        raise UnsupportedModel(
            f"This upscaler is built differently from those that are known here: {difference}.",
            remedy="With the package spandrel installed, many more kinds can be used.",
        )


def _sides(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
