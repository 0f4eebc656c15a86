"""AuraFlow, FLUX.1 and SD3: files of the true layout give diffusers' own numbers."""

from __future__ import annotations

import json
from types import FunctionType

import pytest
import torch
from diffusers.loaders import single_file_utils
from diffusers.pipelines.flux.pipeline_flux import FluxPipeline
from safetensors.torch import save_file

from helpers import flows
from ponystudio.diffusion.architectures import architecture
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.load import load
from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.convert import convert

FP32 = torch.float32
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module", params=flows.FAMILIES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def path(name, tmp_path_factory):
    return flows.write(name, tmp_path_factory.mktemp("flows") / "model.safetensors")


def opened(path, **options):
    return load(path, "model", device="cpu", dtype=FP32, **options)


def asked(name, inputs):
    """What diffusers' own network says, asked as its pipeline does."""
    module, family = flows.network(name), flows.family_of(name)
    x, t = inputs["x"], inputs["t"]
    if family == "auraflow":
        return module(x, encoder_hidden_states=inputs["context"], timestep=t).sample
    if family == "sd3":
        return module(x, inputs["context"], inputs["pooled"], t).sample
    b, c, h, w = x.shape
    out = module(
        FluxPipeline._pack_latents(x, b, c, h, w),
        inputs["context"],
        inputs["pooled"],
        t,
        FluxPipeline._prepare_latent_image_ids(b, h // 2, w // 2, "cpu", FP32),
        torch.zeros(inputs["context"].shape[1], 3),
        inputs.get("guidance"),
    ).sample
    return FluxPipeline._unpack_latents(out, h * 8, w * 8, 8)


def test_our_files_are_what_diffusers_reads(name):
    family = flows.family_of(name)
    convert = getattr(single_file_utils, f"convert_{family}_transformer_checkpoint_to_diffusers")
    if family == "flux":  # it holds the width of the released model as a constant
        code = convert.__code__
        width = 2 * flows.HEAD
        constants = tuple(width if x == 3072 else x for x in code.co_consts)
        convert = FunctionType(code.replace(co_consts=constants), convert.__globals__)
    theirs = convert(dict(flows.original(name)))
    ours = flows.network(name).state_dict()
    assert {k for k, v in theirs.items() if v is not None} == set(ours)
    assert all(torch.equal(theirs[key], value) for key, value in ours.items())


def test_the_network_is_diffusers(name, path):
    denoiser = opened(path)
    assert denoiser.family.name == flows.family_of(name)
    assert denoiser.guided == (name == "flux-dev")
    inputs = flows.told(name, batch=2)
    expected = asked(name, inputs)
    assert expected.std() > 0.1
    assert torch.allclose(denoiser(**inputs), expected, **CLOSE)


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", "model.", "transformer."])
def test_under_any_prefix(name, prefix, path, tmp_path):
    under = flows.write(name, tmp_path / "under.safetensors", prefix)
    inputs = flows.told(name)
    assert torch.allclose(opened(under)(**inputs), opened(path)(**inputs), **CLOSE)


def test_in_diffusers_names(name, path, tmp_path):
    state = flows.network(name).state_dict()
    save_file(state, tmp_path / "named.safetensors", metadata=flows.hints(name))
    inputs = flows.told(name)
    named = opened(tmp_path / "named.safetensors")
    assert torch.allclose(named(**inputs), opened(path)(**inputs), **CLOSE)


@pytest.mark.parametrize("shard", ["10GB", "40KB"])
def test_as_a_folder(name, shard, path, tmp_path):
    flows.network(name).save_pretrained(tmp_path / "transformer", max_shard_size=shard)
    (tmp_path / "model_index.json").write_text("{}")
    inputs = flows.told(name)
    for folder in (tmp_path, tmp_path / "transformer"):
        assert torch.allclose(opened(folder)(**inputs), opened(path)(**inputs), **CLOSE)


def test_a_folder_that_was_made_one_file(name, path, tmp_path):
    """What its config says, of the width of its heads say, goes with it."""
    flows.network(name).save_pretrained(tmp_path / "transformer")
    convert(tmp_path / "transformer", tmp_path / "one.safetensors")
    inputs = flows.told(name)
    assert torch.allclose(
        opened(tmp_path / "one.safetensors")(**inputs), opened(path)(**inputs), **CLOSE
    )


def test_sides_that_are_no_whole_patches(name, path):
    denoiser = opened(path)
    inputs = flows.told(name, size=(7, 9))
    out = denoiser(**inputs)
    assert out.shape == inputs["x"].shape
    wrapped = torch.nn.functional.pad(inputs["x"], (0, 1, 0, 1), mode="circular")
    assert torch.equal(out, denoiser(**{**inputs, "x": wrapped})[..., :7, :9])


def test_a_lost_tensor_is_named(name, tmp_path):
    tensors = dict(flows.original(name))
    del tensors[[key for key in tensors if key.endswith("weight")][-1]]
    save_file(tensors, tmp_path / "lost.safetensors", metadata=flows.hints(name))
    with pytest.raises(DamagedFile, match="tensor"):
        opened(tmp_path / "lost.safetensors")


ODD = [("auraflow", "cond_seq_linear.weight"), ("flux", "img_in.weight"), ("sd3", "pos_embed")]
ODD += [("flux", "double_blocks.1.txt_attn.qkv.bias"), ("flux", "single_blocks.0.linear1.bias")]
ODD += [("flux", "single_blocks.0.norm.query_norm.scale"), ("sd3", "x_embedder.proj.weight")]
ODD += [("sd3", "joint_blocks.0.x_block.attn.qkv.bias"), ("auraflow", "positional_encoding")]


@pytest.mark.parametrize("change", ["nothing in it", "a side less", "each side longer", "one"])
@pytest.mark.parametrize(("family", "key"), ODD)
def test_shapes_that_make_no_sense_are_refused_in_one_line(family, key, change, tmp_path):
    """While it is loaded, and not at the first step."""
    tensors = dict(flows.original(family))
    shape = {
        "nothing in it": [0] * tensors[key].ndim,
        "a side less": tensors[key].shape[1:],
        "each side longer": [side + 1 for side in tensors[key].shape],
        "one": [1] * tensors[key].ndim,
    }[change]
    tensors[key] = torch.zeros(shape)
    path = tmp_path / "model.safetensors"
    save_file(tensors, path, metadata=flows.hints(family))
    with pytest.raises((DamagedFile, UnsupportedModel)) as caught:
        opened(path)
    assert caught.value.where == str(path)
    assert "\n" not in caught.value.what
    assert "zero" not in caught.value.what


@pytest.mark.parametrize("said", [{}, {"axes_dims_rope": [5, 5, 6]}, {"axes_dims_rope": [2, 2, 2]}])
def test_heads_of_flux_are_as_wide_as_their_axes(said, tmp_path):
    path = tmp_path / "model.safetensors"
    metadata = {"ponystudio.config": json.dumps({"transformer": said})}
    save_file(flows.original("flux"), path, metadata=metadata)
    with pytest.raises(UnsupportedModel, match="axes_dims_rope") as caught:
        opened(path)
    assert said or "are 16 wide, and those of FLUX.1 are 128" in caught.value.what


def test_norms_of_flux_that_are_called_weights(tmp_path):
    """As some tools write the original's scales."""
    named = {
        key.replace("_norm.scale", "_norm.weight"): value
        for key, value in flows.original("flux").items()
    }
    assert named.keys() != flows.original("flux").keys()
    save_file(named, tmp_path / "named.safetensors", metadata=flows.hints("flux"))
    path = flows.write("flux", tmp_path / "model.safetensors")
    inputs = flows.told("flux")
    named = opened(tmp_path / "named.safetensors")
    # Not to the bit: kernels differ by where in its page a tensor lies.
    assert torch.allclose(named(**inputs), opened(path)(**inputs), **CLOSE)


def test_time_is_told_exactly_in_half_precision(tmp_path):
    """diffusers rounds FLUX's time to bf16, in which 0.9661 and 0.9668 are one."""
    path = flows.write("flux-dev", tmp_path / "dev.safetensors")
    denoiser = load(path, "model", device="cpu", dtype=torch.bfloat16)
    seen = []
    denoiser.module.time_text_embed.time_proj.register_forward_pre_hook(
        lambda _, given: seen.append(given[0])
    )
    denoiser(
        **{**flows.told("flux-dev"), "t": torch.tensor([0.9661]), "guidance": torch.tensor([3.51])}
    )
    t, guidance = seen
    assert t.tolist() == pytest.approx([966.1])
    assert guidance.tolist() == pytest.approx([3510.0])


def test_flux_without_guidance_adds_nothing_for_it(tmp_path, monkeypatch):
    path, inputs = flows.write("flux-dev", tmp_path / "dev.safetensors"), flows.told("flux-dev")
    inputs.pop("guidance")
    found = opened(path)(**inputs)
    theirs = flows.network("flux-dev")
    last = theirs.time_text_embed.guidance_embedder.linear_2
    for parameter in (last.weight, last.bias):
        monkeypatch.setattr(parameter, "data", torch.zeros_like(parameter))
    monkeypatch.setattr(flows, "network", lambda _: theirs)
    with torch.no_grad():
        expected = asked("flux-dev", {**inputs, "guidance": torch.full_like(inputs["t"], 3.5)})
    assert torch.allclose(found, expected, **CLOSE)
    # No hook is left behind.
    again = opened(path)
    first = again(**flows.told("flux-dev"))
    again(**inputs)
    assert torch.equal(again(**flows.told("flux-dev")), first)
    assert not torch.allclose(first, found, **CLOSE)


@pytest.mark.parametrize(("name", "cells"), [("auraflow", 16), ("sd3", 24), ("flux", 0)])
def test_the_largest_picture(name, cells, tmp_path):
    denoiser = opened(flows.write(name, tmp_path / "model.safetensors"))
    assert denoiser.largest == cells


def test_every_family_names_an_architecture():
    for known in ("sd1", "sd2", "sdxl", "auraflow", "flux", "sd3"):
        assert architecture(find_family(known).architecture).component in ("unet", "transformer")
