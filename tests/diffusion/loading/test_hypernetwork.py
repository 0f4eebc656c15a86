"""Hypernetworks: A1111's files, read without running them, and what they do to attention."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from ponystudio.api.modifiers import Hypernetwork
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.denoiser import Denoiser
from ponystudio.diffusion.loading.hypernetwork import read_hypernetwork
from ponystudio.errors import DamagedFile, UnsupportedModel

WIDTHS = (16, 32, 64)
MODULES = {"relu": nn.ReLU, "swish": nn.Hardswish, "leakyrelu": nn.LeakyReLU, "linear": None}


def network(width, structure=(1, 2, 1), activation="relu", norm=False, last=False, dropout=False):
    """As they are trained: the layers with all that stands between them."""
    layers = []
    pairs = list(pairwise(structure))
    for i, (before, after) in enumerate(pairs):
        layers.append(nn.Linear(width * before, width * after))
        if MODULES[activation] and (last or i < len(pairs) - 1):
            layers.append(MODULES[activation]())
        if norm:
            layers.append(nn.LayerNorm(width * after))
        if dropout and i < len(pairs) - 1:
            layers.append(nn.Dropout(0.3))
    return nn.Sequential(*layers).eval()


def write(path, nets, **said):
    """What A1111 saves."""
    states = {
        width: tuple({f"linear.{k}": v for k, v in net.state_dict().items()} for net in pair)
        for width, pair in nets.items()
    }
    settings = {
        "step": 100,
        "name": "mane",
        "layer_structure": [1, 2, 1],
        "activation_func": "relu",
        "is_layer_norm": False,
        "weight_initialization": "Normal",
        "sd_checkpoint": "abc",
        "activate_output": False,
        "use_dropout": False,
        "last_layer_dropout": False,
        "optional_info": None,
    }
    torch.save(states | settings | said, path)
    return path


def pairs(**how):
    torch.manual_seed(3)
    return {width: (network(width, **how), network(width, **how)) for width in WIDTHS}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, {}),
        ({"activation": "linear"}, {"activation_func": "linear"}),
        ({"activation": "linear"}, {"activation_func": None}),
        ({"activation": "swish", "norm": True}, {"activation_func": "swish"}),
        ({"last": True, "dropout": True}, {"activate_output": True, "use_dropout": True}),
        ({"structure": (1, 2, 2, 1)}, {"layer_structure": [1, 2, 2, 1]}),
    ],
    ids=["plain", "linear", "none", "swish and norm", "last and dropout", "three layers"],
)
def test_their_networks_are_as_they_were_trained(tmp_path, how, said):
    nets = pairs(**how)
    found = read_hypernetwork(write(tmp_path / "h.pt", nets, **said))
    assert set(found) == set(WIDTHS)
    for width, pair in nets.items():
        x = torch.randn(2, 5, width)
        for theirs, ours in zip(pair, found[width], strict=True):
            assert torch.allclose(ours(x), theirs(x), atol=1e-6)


def test_the_first_files_number_their_layers_otherwise(tmp_path):
    nets = pairs(activation="linear")
    old = {
        width: tuple(
            {
                f"linear{int(k.split('.')[0]) + 1}.{k.split('.')[1]}": v
                for k, v in net.state_dict().items()
            }
            for net in pair
        )
        for width, pair in nets.items()
    }
    torch.save(old, tmp_path / "old.pt")
    found = read_hypernetwork(tmp_path / "old.pt")
    x = torch.randn(1, 32)
    assert torch.allclose(found[32][0](x), nets[32][0](x), atol=1e-6)


def test_what_makes_no_sense_is_refused(tmp_path):
    nets = pairs()
    with pytest.raises(UnsupportedModel, match="snake"):
        read_hypernetwork(write(tmp_path / "a.pt", nets, activation_func="snake"))
    with pytest.raises(UnsupportedModel, match="fits nothing"):
        read_hypernetwork(write(tmp_path / "b.pt", {16: (network(32), network(32))}))
    square, empty = ({"linear.0.weight": torch.zeros(n, 16)} for n in (16, 0))
    for states in ((square,), (square, empty)):
        torch.save({16: states}, tmp_path / "c.pt")
        with pytest.raises(DamagedFile, match="lacks a part"):
            read_hypernetwork(tmp_path / "c.pt")


class Changed(nn.Module):
    """A layer that reads x + s·net(x)."""

    def __init__(self, layer, net, strength):
        super().__init__()
        self.layer, self.net, self.strength = layer, net, strength

    def forward(self, x):
        return self.layer(x + self.strength * self.net(x))


def test_attention_makes_its_keys_and_values_of_what_they_change(tmp_path):
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    nets, strengths = pairs(), (0.7, -0.4)
    path = str(write(tmp_path / "h.pt", nets))
    denoiser = Denoiser(unet, find_family("sd1"))
    inputs = torch.randn(1, 4, 8, 8), torch.tensor([7.0]), torch.randn(1, 7, 16)
    plain = denoiser(*inputs)
    modifiers = tuple(Hypernetwork(path, "h", strength) for strength in strengths)
    with denoiser.modified(modifiers):
        ours = denoiser(*inputs)

    theirs = deepcopy(unet)
    for name, attention in list(theirs.named_modules()):
        if name.endswith((".attn1", ".attn2")):
            for layer, which in (("to_k", 0), ("to_v", 1)):
                there = getattr(attention, layer)
                net = nets[there.in_features][which]
                for strength in reversed(strengths):  # the first of them reads the input
                    there = Changed(there, net, strength)
                setattr(attention, layer, there)
    expected = Denoiser(theirs, find_family("sd1"))(*inputs)
    assert torch.allclose(ours, expected, atol=1e-5)
    assert (ours - plain).norm() / plain.norm() > 1e-3
    assert torch.equal(denoiser(*inputs), plain)
