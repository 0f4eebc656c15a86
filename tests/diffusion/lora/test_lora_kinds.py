"""Every kind of LoRA, from a file to the weights of a network, by the formulas written out."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from helpers import checkpoints
from helpers.paths import DATA, needs_data
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading import lora_patching
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.lora import lora_file
from ponystudio.library.recognition.recognise import recognise

QUERY = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"  # [64, 64], no bias
CONV = "down_blocks.0.resnets.0.conv1"  # [32, 32, 3, 3]
OUT = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0"  # [64, 64], with bias
NORM = "down_blocks.0.resnets.0.norm1"  # [32]
# What adds to a bias.
BIASES = ("b_norm", "diff_b", "lora_B.bias")
ALPHA, STRENGTH = 3.0, 0.6


def drawn(*shape):
    """Numbers that follow from the shape, and differ with it."""
    seed = sum(n * 31**i for i, n in enumerate(shape))
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.3


def columns(lengths, w):
    return w * lengths / w.square().sum(dim=0, keepdim=True).sqrt()


def rows(lengths, w):
    return w * lengths / w.flatten(1).norm(dim=1).view(-1, *[1] * (w.ndim - 1))


A, B = drawn(64, 2), drawn(2, 64)
C, D = drawn(64, 2) + 0.1, drawn(2, 64) - 0.1
LENGTHS = drawn(64, 1).abs() + 1
DOWN3, UP3, MID3 = drawn(4, 32, 3, 3), drawn(32, 4, 1, 1), drawn(4, 4, 3, 3)
DOWN1 = drawn(4, 32, 1, 1)
W1, W2 = drawn(8, 8), drawn(4, 4, 3, 3)
E, F = drawn(8, 2), drawn(2, 8)
CORE, CORE2 = drawn(2, 2, 3, 3), drawn(2, 2, 3, 3) - 0.2
G, H = drawn(2, 32), drawn(2, 32) + 0.2
K, L = drawn(2, 4), drawn(2, 4) - 0.2


def kron(first, second):
    return torch.einsum("ab,cd->acbd", first, second).reshape(64, 64)


def cored(core, a, b):
    """LyCORIS' Tucker form of a kernel: a and b are [rank, side]."""
    return torch.einsum("ijkl,ip,jr->prkl", core, a, b)


# By kind: the layer, the tensors in the file, and what W becomes at strength 1.
KINDS = {
    "LoRA": (
        QUERY,
        {"lora_up.weight": A, "lora_down.weight": B, "alpha": torch.tensor(ALPHA)},
        lambda w: w + ALPHA / 2 * A @ B,
    ),
    "LoRA without alpha": (
        QUERY,
        {"lora_up.weight": A, "lora_down.weight": B},
        lambda w: w + A @ B,
    ),
    "LoCon": (
        CONV,
        {"lora_up.weight": UP3, "lora_down.weight": DOWN3, "alpha": torch.tensor(ALPHA)},
        lambda w: w + ALPHA / 4 * torch.einsum("or,rikl->oikl", UP3[..., 0, 0], DOWN3),
    ),
    "LoCon, Tucker": (
        CONV,
        {"lora_up.weight": UP3, "lora_mid.weight": MID3, "lora_down.weight": DOWN1},
        lambda w: w + torch.einsum("om,mnkl,ni->oikl", UP3[..., 0, 0], MID3, DOWN1[..., 0, 0]),
    ),
    "LoHa": (
        QUERY,
        {"hada_w1_a": A, "hada_w1_b": B, "hada_w2_a": C, "hada_w2_b": D,
         "alpha": torch.tensor(ALPHA)},
        lambda w: w + ALPHA / 2 * (A @ B) * (C @ D),
    ),
    "LoKr, whole": (  # its alpha has no rank to be divided by
        QUERY,
        {"lokr_w1": W1, "lokr_w2": W1.t(), "alpha": torch.tensor(ALPHA)},
        lambda w: w + torch.einsum("ab,cd->acbd", W1, W1.t()).reshape(64, 64),
    ),
    "LoKr of a convolution": (
        CONV,
        {"lokr_w1": W1, "lokr_w2": W2},
        lambda w: w + torch.einsum("ab,cdkl->acbdkl", W1, W2).reshape(32, 32, 3, 3),
    ),
    "LoKr, second in factors": (
        QUERY,
        {"lokr_w1": W1, "lokr_w2_a": E, "lokr_w2_b": F, "alpha": torch.tensor(ALPHA)},
        lambda w: w + ALPHA / 2 * kron(W1, E @ F),
    ),
    "LoKr, first in factors": (
        QUERY,
        {"lokr_w1_a": E, "lokr_w1_b": F, "lokr_w2": W1, "alpha": torch.tensor(ALPHA)},
        lambda w: w + ALPHA / 2 * kron(E @ F, W1),
    ),
    "LoKr, both in factors": (
        QUERY,
        {"lokr_w1_a": E, "lokr_w1_b": F, "lokr_w2_a": E + 1, "lokr_w2_b": F - 1,
         "alpha": torch.tensor(ALPHA)},
        lambda w: w + ALPHA / 2 * kron(E @ F, (E + 1) @ (F - 1)),
    ),
    "LoKr, Tucker": (
        CONV,
        {"lokr_w1": W1, "lokr_t2": CORE, "lokr_w2_a": K, "lokr_w2_b": L,
         "alpha": torch.tensor(ALPHA)},
        lambda w: w + ALPHA / 2 * torch.einsum("ab,cdkl->acbdkl", W1, cored(CORE, K, L))
        .reshape(32, 32, 3, 3),
    ),
    "LoHa, Tucker": (
        CONV,
        {"hada_t1": CORE, "hada_w1_a": G, "hada_w1_b": H, "hada_t2": CORE2, "hada_w2_a": H + 0,
         "hada_w2_b": G + 0, "alpha": torch.tensor(ALPHA)},
        lambda w: w + ALPHA / 2 * cored(CORE, G, H) * cored(CORE2, H, G),
    ),
    "LoRA with a bias": (
        OUT,
        {"lora_B.weight": A, "lora_A.weight": B, "lora_B.bias": drawn(64)},
        lambda w: w + A @ B,
    ),
    "bias alone": (NORM, {"diff_b": drawn(32) + 1}, None),
    "bias of a norm alone": (NORM, {"b_norm": drawn(32) + 1}, None),
    "norm alone": (NORM, {"w_norm": drawn(32)}, lambda w: w + drawn(32)),
    "DoRA of PEFT": (
        QUERY,
        {"lora_B.weight": A, "lora_A.weight": B, "lora_magnitude_vector": LENGTHS.flatten()},
        lambda w: rows(LENGTHS, w + A @ B),
    ),
    "whole difference": (QUERY, {"diff": drawn(64, 64)}, lambda w: w + drawn(64, 64)),
    "norm": (NORM, {"w_norm": drawn(32), "b_norm": drawn(32) + 1}, lambda w: w + drawn(32)),
    "DoRA of rows": (
        QUERY,
        {"lora_up.weight": A, "lora_down.weight": B, "alpha": torch.tensor(ALPHA),
         "dora_scale": LENGTHS},
        lambda w: rows(LENGTHS, w + ALPHA / 2 * A @ B),
    ),
    "DoRA of columns": (
        QUERY,
        {"lora_up.weight": A, "lora_down.weight": B, "dora_scale": LENGTHS.t()},
        lambda w: columns(LENGTHS.t(), w + A @ B),
    ),
    "DoRA of a convolution": (
        CONV,
        {"lora_up.weight": UP3, "lora_down.weight": DOWN3, "dora_scale": torch.ones(32, 1, 1, 1)},
        lambda w: rows(
            torch.ones(32, 1, 1, 1),
            w + torch.einsum("or,rikl->oikl", UP3[..., 0, 0], DOWN3),
        ),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory):
    path = checkpoints.micro(tmp_path_factory.mktemp("models") / "micro.safetensors")
    denoiser = load(path, "model", device="cpu", dtype=torch.float32)
    yield denoiser
    denoiser.close()


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def file(kind, tmp_path):
    layer, tensors, _ = kind
    name = "lora_unet_" + layer.replace(".", "_")
    state = {f"{name}.{key}": value.contiguous() for key, value in tensors.items()}
    save_file(state, tmp_path / "lora.safetensors")
    file = lora_file.read(tmp_path / "lora.safetensors")
    yield file
    file.close()


@pytest.mark.parametrize("strength", [1.0, STRENGTH, -1.0])
def test_weights_are_what_the_formula_says(kind, file, strength, denoiser):
    layer, tensors, whole = kind
    before = {name: value.clone() for name, value in denoiser.module.named_parameters()}
    w = before[f"{layer}.weight"]
    done = lora_patching.apply(denoiser, [(file, strength)])
    assert not done.unmatched
    changed = denoiser.module.get_parameter(f"{layer}.weight")
    patched = set()
    if whole is not None:
        expected = w + strength * (whole(w) - w)
        torch.testing.assert_close(changed, expected, rtol=1e-5, atol=1e-6)
        assert (changed - w).abs().max() > 0.01
        patched.add(f"{layer}.weight")
    for added in (tensors[name] for name in BIASES if name in tensors):
        bias = denoiser.module.get_parameter(f"{layer}.bias")
        torch.testing.assert_close(bias, before[f"{layer}.bias"] + strength * added)
        patched.add(f"{layer}.bias")
    assert set(denoiser.patched) == patched
    lora_patching.apply(denoiser, [])
    for name, value in denoiser.module.named_parameters():
        assert torch.equal(value, before[name])


def test_what_is_read_is_recognised(kind, file):
    """Neither list has what the other lacks."""
    found = recognise(file.path)
    assert (found.kind, found.refused) == ("lora", "")


@needs_data
def test_a_published_file_adds_its_products_where_it_says():
    path = DATA / "lora" / "sd15_weapons_rank4_diffusers_attnprocs.safetensors"
    stored = load_file(path)
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768)
    file = lora_file.read(path)
    deltas = file.for_module("model", unet, find_family("sd1")).deltas
    assert 2 * len(deltas) == len(stored) == 256
    for name, delta in deltas.items():
        attention, _, projection = name.removesuffix(".weight").removesuffix(".0").rpartition(".")
        there = f"{attention}.processor.{projection}_lora"
        product = stored[f"{there}.up.weight"].float() @ stored[f"{there}.down.weight"].float()
        w = torch.zeros(unet.get_parameter(name).shape)
        torch.testing.assert_close(delta.added(w, 1.0), product)
    file.close()
