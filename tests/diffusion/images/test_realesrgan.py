from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ponystudio.diffusion.images.realesrgan import (
    RRDBNet,
    SRVGGNetCompact,
    Upscaling,
    canonical_names,
    network_for,
)
from ponystudio.errors import UnknownModel, UnsupportedModel, WrongKind

NETWORKS = {
    "x4": (RRDBNet, {"features": 8, "growth": 4, "blocks": 2}),
    "x2": (RRDBNet, {"features": 8, "growth": 4, "blocks": 1, "unshuffle": 2}),
    "x1": (RRDBNet, {"features": 6, "growth": 2, "blocks": 3, "unshuffle": 4}),
    "x8": (RRDBNet, {"features": 8, "growth": 4, "blocks": 1, "ups": 3}),
    "two of one": (RRDBNet, {"features": 8, "growth": 4, "blocks": 1, "ups": 1}),
    "compact x4": (SRVGGNetCompact, {"features": 8, "convs": 3, "scale": 4}),
    "compact x2": (SRVGGNetCompact, {"features": 8, "convs": 12, "scale": 2}),
}
SCALES = {"x4": 4, "x2": 2, "x1": 1, "x8": 8, "two of one": 2, "compact x4": 4, "compact x2": 2}


def build(name: str) -> Upscaling:
    torch.manual_seed(1)
    kind, arguments = NETWORKS[name]
    return kind(**arguments).requires_grad_(False)


def shapes(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_tell_the_network(name: str) -> None:
    wanted = build(name)
    found = network_for(shapes(wanted.state_dict()))
    assert shapes(found.state_dict()) == shapes(wanted.state_dict())
    assert (found.scale, found.multiple) == (wanted.scale, wanted.multiple)
    assert found.scale == SCALES[name]
    assert next(found.parameters()).is_meta


@pytest.mark.parametrize("name", NETWORKS)
def test_scale_and_field_are_what_they_say(name: str) -> None:
    """Change one pixel: the result changes as far as `field` says, and no further."""
    network = build(name).double()
    for value in network.parameters():
        value.abs_()  # so that nothing cancels or dies in a ReLU
    if isinstance(network, SRVGGNetCompact):
        reach = network.field
    else:
        reach = network.field + network.multiple
    side = 2 * (reach + 4)
    side += -side % network.multiple
    x = torch.rand(1, 3, side, side, dtype=torch.float64)
    changed = x.clone()
    middle = side // 2
    changed[..., middle, middle] += 1
    difference = (network(changed) - network(x)).abs().amax((0, 1, 2))
    assert difference.shape == (side * network.scale,)
    touched = difference.nonzero().flatten() // network.scale
    assert touched.min() >= middle - reach
    assert touched.max() <= middle + reach
    assert touched.max() - touched.min() >= network.field  # no idle promise


def test_parameter_counts_of_the_known_models() -> None:
    with torch.device("meta"):
        counts = {
            "RealESRGAN_x4plus": RRDBNet(features=64, growth=32, blocks=23),
            "x2plus": RRDBNet(features=64, growth=32, blocks=23, unshuffle=2),
            "x4plus_anime_6B": RRDBNet(features=64, growth=32, blocks=6),
            "realesr-animevideov3": SRVGGNetCompact(features=64, convs=16, scale=4),
            "realesr-general-x4v3": SRVGGNetCompact(features=64, convs=32, scale=4),
        }
    assert {name: sum(p.numel() for p in n.parameters()) for name, n in counts.items()} == {
        "RealESRGAN_x4plus": 16_697_987,
        "x2plus": 16_703_171,
        "x4plus_anime_6B": 4_467_779,
        "realesr-animevideov3": 621_424,
        "realesr-general-x4v3": 1_213_296,
    }
    assert len(counts["RealESRGAN_x4plus"].state_dict()) == 702


def old_name(name: str, blocks: int, ups: int) -> str:
    """The name in ESRGAN's first release, told forwards: layers are numbered as they come."""
    first, _, rest = name.partition(".")
    after = {f"conv_up{n + 1}": 3 * (n + 1) for n in range(ups)}
    after |= {"conv_hr": 3 * ups + 2, "conv_last": 3 * ups + 4, "conv_first": 0}
    if first in after:
        return f"model.{after[first]}.{rest}"
    if first == "conv_body":
        return f"model.1.sub.{blocks}.{rest}"
    number, rdb, conv, leaf = rest.split(".")
    return f"model.1.sub.{number}.{rdb.upper()}.{conv}.0.{leaf}"


@pytest.mark.parametrize("name", ["x4", "x2", "x8", "two of one"])
def test_the_oldest_dialect(name: str) -> None:
    arguments = NETWORKS[name][1]
    names = list(build(name).state_dict())
    old = {
        old_name(item, int(arguments["blocks"]), int(arguments.get("ups", 2))): item
        for item in names
    }
    assert canonical_names(list(old)) == old


def test_the_middle_dialect_and_wrapped_modules() -> None:
    table = {
        "conv_first.weight": "conv_first.weight",
        "RRDB_trunk.12.RDB3.conv5.bias": "body.12.rdb3.conv5.bias",
        "trunk_conv.weight": "conv_body.weight",
        "upconv1.bias": "conv_up1.bias",
        "upconv2.weight": "conv_up2.weight",
        "HRconv.bias": "conv_hr.bias",
        "conv_last.bias": "conv_last.bias",
        "module.body.0.rdb1.conv1.weight": "body.0.rdb1.conv1.weight",
        "module.RRDB_trunk.0.RDB1.conv1.weight": "body.0.rdb1.conv1.weight",
    }
    assert canonical_names(list(table)) == table


def test_a_discriminator_is_refused_politely() -> None:
    names = {"conv0.weight": (64, 3, 3, 3), "conv0.bias": (64,), "conv9.weight": (1, 64, 3, 3)}
    names |= {f"conv{n}.weight_orig": (64, 64, 3, 3) for n in range(1, 9)}
    with pytest.raises(WrongKind, match=r"discriminator.*net_g"):
        network_for(names)


def test_relatives_and_strangers() -> None:
    state = shapes(build("x4").state_dict())
    with pytest.raises(UnsupportedModel, match=r"it has body.0.rdb1.conv1x1\.weight"):
        network_for({**state, "body.0.rdb1.conv1x1.weight": (4, 8, 1, 1)})
    with pytest.raises(UnsupportedModel, match=r"it lacks conv_hr\.bias"):
        network_for({name: shape for name, shape in state.items() if name != "conv_hr.bias"})
    with pytest.raises(UnsupportedModel, match=r"conv_hr\.bias is 9, not 8"):
        network_for({**state, "conv_hr.bias": (9,)})
    smaller = RRDBNet(features=4, growth=2, blocks=1, ups=0, unshuffle=2)
    with pytest.raises(UnsupportedModel, match="smaller"):
        network_for(shapes(smaller.state_dict()))
    compact = shapes(build("compact x4").state_dict())
    with pytest.raises(UnsupportedModel, match=r"it lacks body\.0\.bias"):
        network_for({name: shape for name, shape in compact.items() if "bias" not in name})
    strangers: list[dict[str, tuple[int, ...]]] = [
        {},
        {"model.0.weight": (1,)},
        {"layers.0.weight": (3, 3)},
        {"conv_first.weight": (8,), "body.0.rdb1.conv1.weight": ()},
        {**state, "conv_first.weight": (0, 3, 3, 3)},
        {"body.0.weight": (0, 3, 3, 3), "body.1.weight": (8,)},
    ]
    for stranger in strangers:
        with pytest.raises(UnknownModel, match="no upscaler"):
            network_for(
                {canonical: stranger[n] for n, canonical in canonical_names(list(stranger)).items()}
            )


def test_pixels_are_unshuffled_channel_by_channel() -> None:
    """The order of x2plus: each colour's four neighbours are four channels side by side."""
    network = build("x2")
    seen: list[Tensor] = []
    network.conv_first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.arange(12.0).view(1, 3, 2, 2)
    network(x)
    assert seen[0].flatten().tolist() == list(range(12))
