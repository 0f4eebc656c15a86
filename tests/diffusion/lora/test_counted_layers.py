"""LoRAs whose layers have numbers: they are counted as those counted who wrote them."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from helpers.checkpoints import micro
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading import lora_patching
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.lora import lora_file
from ponystudio.errors import MismatchedValues, UnsupportedModel

SD1 = find_family("sd1")
CLASSES = ["CrossAttention", "Attention", "GEGLU"]
HEADS = ("to_q", "to_k", "to_v", "to_out.0")


@pytest.fixture(scope="module")
def unet():
    """SD1's, in full size and without memory."""
    with torch.device("meta"):
        return UNet2DConditionModel(cross_attention_dim=768)


@pytest.fixture(scope="module")
def clip():
    with torch.device("meta"):
        return CLIPTextModel(CLIPTextConfig(hidden_size=768, num_hidden_layers=12))


def blocks():
    """The transformer blocks in the order in which diffusers has its parts: down, up, middle."""
    for n in (0, 1, 2):
        yield from (f"down_blocks.{n}.attentions.{i}.transformer_blocks.0" for i in (0, 1))
    for n in (1, 2, 3):
        yield from (f"up_blocks.{n}.attentions.{i}.transformer_blocks.0" for i in (0, 1, 2))
    yield "mid_block.attentions.0.transformer_blocks.0"


def of_2022():
    """The feed forward stood between the attentions."""
    for block in blocks():
        yield from (f"{block}.attn1.{head}" for head in HEADS)
        yield f"{block}.ff.net.0.proj"
        yield from (f"{block}.attn2.{head}" for head in HEADS)


def of_today(unet):
    """Linear layers below an attention or a GEGLU, as diffusers' own module goes through them."""
    ancestors = [
        name for name, part in unet.named_modules() if type(part).__name__ in ("Attention", "GEGLU")
    ]
    for ancestor in ancestors:
        for name, part in unet.get_submodule(ancestor).named_modules():
            if isinstance(part, nn.Linear):
                yield f"{ancestor}.{name}"


def texts():
    for layer in range(12):
        for projection in ("k_proj", "v_proj", "q_proj", "out_proj"):
            yield f"encoder.layers.{layer}.self_attn.{projection}"


def pairs(component, names, module, rank=1):
    """A pair for each, that says which it is."""
    tensors = {}
    for number, name in enumerate(names):
        weight = module.get_parameter(f"{name}.weight")
        out, inner = len(weight), weight.shape[1:]
        tensors[f"{component}:{number}:up"] = torch.ones(out, rank, *([1] * (len(inner) - 1)))
        tensors[f"{component}:{number}:down"] = torch.full((rank, *inner), float(number))
    return tensors


@pytest.fixture
def write(tmp_path):
    files = []

    def write(tensors, **metadata):
        path = tmp_path / f"{len(files)}.safetensors"
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
        save_file(tensors, path, metadata=texts)
        files.append(lora_file.read(path))
        return files[-1]

    yield write
    for file in files:
        file.close()


def counted(match):
    """Layer → the number of its pair."""
    assert not match.unmatched
    return {name: int(delta.down.flatten()[0]) for name, delta in match.deltas.items()}


@pytest.mark.parametrize("order", ["2022", "today"])
def test_of_the_denoiser(order, unet, write):
    names = list(of_2022() if order == "2022" else of_today(unet))
    assert len(names) == len(set(names)) == 144
    file = write(pairs("unet", names, unet), unet=CLASSES)
    found = counted(file.for_module("model", unet, SD1))
    assert found == {f"{name}.weight": number for number, name in enumerate(names)}


def test_attentions_alone(unet, write):
    names = [name for name in of_2022() if ".ff." not in name]
    file = write(pairs("unet", names, unet), unet=["CrossAttention"])
    found = counted(file.for_module("model", unet, SD1))
    assert found == {f"{name}.weight": number for number, name in enumerate(names)}


def test_residual_blocks_with_their_convolutions(unet, write):
    """As what was distilled from two models has them."""
    classes = {"Attention", "GEGLU", "ResnetBlock2D"}
    names = []
    for ancestor, part in unet.named_modules():
        if type(part).__name__ in classes:
            names += [f"{ancestor}.{name}" for name, layer in part.named_modules()
                      if isinstance(layer, nn.Linear | nn.Conv2d)]  # fmt: skip
    file = write(pairs("unet", names, unet), unet=[*CLASSES, "ResnetBlock2D"])
    match = file.for_module("model", unet, SD1)
    assert counted(match) == {f"{name}.weight": number for number, name in enumerate(names)}
    assert any(delta.down.ndim == 4 for delta in match.deltas.values())


def test_of_the_text_encoder(clip, write):
    """CLIP's keys come first, then values, then queries."""
    names = list(texts())
    assert names == [
        name for name, part in clip.named_modules()
        if isinstance(part, nn.Linear) and ".self_attn." in name
    ]  # fmt: skip
    file = write(pairs("text_encoder", names, clip), text_encoder=["CLIPAttention"])
    found = counted(file.for_module("clip", clip, SD1))
    assert found == {f"{name}.weight": number for number, name in enumerate(names)}


def test_a_text_encoder_without_its_last_layer(clip, write):
    """Nothing reads the last one of SD2's: some leave it out, and count the same."""
    with torch.device("meta"):
        short = CLIPTextModel(CLIPTextConfig(hidden_size=768, num_hidden_layers=11))
    whole = write(pairs("text_encoder", texts(), clip), text_encoder=["CLIPAttention"])
    match = whole.for_module("clip", short, SD1)
    assert len(match.deltas) == 44
    assert len(match.unmatched) == 4
    fewer = write(pairs("text_encoder", list(texts())[:44], clip))
    assert len(fewer.for_module("clip", clip, SD1).deltas) == 44


def test_classes_that_are_not_known(unet, write):
    for said in (["CrossAttention", "MyBlock"], "MyBlock", "[", [1]):
        file = write(pairs("unet", of_2022(), unet), unet=said)
        with pytest.raises(UnsupportedModel, match="class") as caught:
            file.for_module("model", unet, SD1)
        assert "kohya" in caught.value.remedy


@pytest.mark.parametrize("fault", ["one too few", "a gap", "another order", "other classes"])
def test_pairs_that_do_not_fit_the_layers(fault, unet, write):
    """A wrong count would put every pair on its neighbour."""
    names = list(of_2022())
    tensors, classes = pairs("unet", names, unet), CLASSES
    if fault == "one too few":
        tensors = pairs("unet", names[:-1], unet)
    elif fault == "a gap":
        del tensors["unet:3:up"], tensors["unet:3:down"]
    elif fault == "another order":
        tensors = pairs("unet", names[::-1], unet)
    else:
        classes = ["CrossAttention"]
    file = write(tensors, unet=classes)
    with pytest.raises(MismatchedValues, match="numbered"):
        file.for_module("model", unet, SD1)


def test_the_weights_of_a_network_get_the_products(tmp_path, write):
    """At a strength; there is no alpha."""
    denoiser = load(micro(tmp_path / "m.safetensors"), "model", device="cpu", dtype=torch.float32)
    names = list(of_today(denoiser.module))
    file = write(pairs("unet", names, denoiser.module), unet=CLASSES)
    before = {name: denoiser.module.get_parameter(f"{name}.weight").clone() for name in names}
    lora_patching.apply(denoiser, [(file, 0.5)])
    for number, name in enumerate(names):
        now = denoiser.module.get_parameter(f"{name}.weight")
        torch.testing.assert_close(now, before[name] + 0.5 * number)
    denoiser.close()
