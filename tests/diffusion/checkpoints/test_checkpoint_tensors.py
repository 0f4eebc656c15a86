"""Checkpoints as they are written: every tensor in the original's layout, whatever it came from."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers import encoders, flows, pipelines
from helpers.seed_models import SD2_MARKER, hints, state
from ponystudio.diffusion.checkpoints.checkpoint_tensors import checkpoint_tensors, header, marker
from ponystudio.diffusion.loading.part_weights import PartWeights
from ponystudio.engine.file_saver import write_safetensors
from ponystudio.errors import FloatOverflow
from ponystudio.library.formats.content_id import hashes
from ponystudio.library.recognition.recognise import recognise

ALL = ("model", "clip", "vae")


def saved(path, target, parts=ALL, precision="as stored", options=()):
    with ExitStack() as stack:
        opened = {}
        for part in parts:
            opened[part] = PartWeights(path, part, options if part == "clip" else ())
            stack.callback(opened[part].close)
        tensors = checkpoint_tensors(opened, precision)
        write_safetensors(target, tensors, header(opened, title="x"), lambda *_: None)
    return target


@pytest.fixture(scope="module", params=["sd1", "sd2", "sdxl"])
def checkpoint(request, tmp_path_factory):
    """The path of a checkpoint, and what of it is weights."""
    path = tmp_path_factory.mktemp("checkpoint") / f"{request.param}.safetensors"
    tensors = state(request.param)
    save_file(tensors, path, metadata=hints(request.param))
    own = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner.")
    kept = {
        name: value
        for name, value in tensors.items()
        if name.startswith(own) and not name.endswith((".position_ids", ".logit_scale"))
    }
    return request.param, path, kept


def test_a_checkpoint_in_the_originals_layout_comes_out_as_it_was(checkpoint, tmp_path):
    family, path, kept = checkpoint
    found = load_file(saved(path, tmp_path / "out.safetensors"))
    assert found.keys() == kept.keys()
    assert all(torch.equal(found[name], value) for name, value in kept.items())
    assert recognise(tmp_path / "out.safetensors").family == family


def test_a_folder_of_diffusers_becomes_the_originals_layout(checkpoint, tmp_path):
    family, _, kept = checkpoint
    folder = pipelines.save(family, tmp_path / "folder")
    found = load_file(saved(folder, tmp_path / "out.safetensors"))
    # Folders have no layer that nothing reads, and the one that changes nothing.
    assert found.keys() >= {name for name in kept if "text_projection" not in name}
    for name, value in kept.items():
        if name in found and name != SD2_MARKER:
            assert found[name].shape == value.shape
            assert torch.equal(found[name].to(value.dtype), value)


@pytest.mark.parametrize("name", flows.FAMILIES)
def test_transformers_come_out_under_the_originals_names(name, tmp_path):
    path = flows.write(name, tmp_path / "original.safetensors", "model.diffusion_model.")
    wanted = load_file(path)
    for source in (path, _under_our_names(name, tmp_path)):
        found = load_file(saved(source, tmp_path / "out.safetensors", ["model"]))
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[key], value) for key, value in wanted.items())


def _under_our_names(name, folder):
    path = folder / "diffusers.safetensors"
    state = {key: value.contiguous() for key, value in flows.network(name).state_dict().items()}
    save_file(state, path, metadata=flows.hints(name))
    return path


@pytest.mark.parametrize("family", ["flux", "sd3", "auraflow"])
def test_text_encoders_stand_where_others_look_for_them(family, tmp_path):
    path = encoders.write_checkpoint(family, tmp_path / "encoders.safetensors")
    options = (("family", family),)
    target = saved(path, tmp_path / "out.safetensors", ["clip"], options=options)
    found, wanted = load_file(target), load_file(path)
    assert recognise(target).kind == "text_encoder"
    for name, value in found.items():
        assert torch.equal(wanted.get(name, wanted.get(name.replace("text_model.", ""))), value)
    with_both = (PartWeights(file, "clip", options) for file in (path, target))
    one, other = (sorted(weights.shapes) for weights in with_both)
    assert one == other


def test_an_autoencoder_alone_has_no_prefix(checkpoint, tmp_path):
    _, path, _ = checkpoint
    target = saved(path, tmp_path / "vae.safetensors", ["vae"])
    assert "decoder.conv_in.weight" in load_file(target)
    assert recognise(target).kind == "vae"


def test_the_precision_may_be_chosen_and_must_suffice(tmp_path):
    path = tmp_path / "large.safetensors"
    tensors = {name: value.float() for name, value in state("sd1").items()}
    save_file(tensors, path)
    found = load_file(saved(path, tmp_path / "half.safetensors", ["model"], "bf16"))
    assert {value.dtype for value in found.values()} == {torch.bfloat16}
    tensors["model.diffusion_model.out.2.bias"][0] = 1e6
    save_file(tensors, path)
    with pytest.raises(FloatOverflow, match=r"'model\.diffusion_model\.out\.2\.bias' has larger"):
        saved(path, tmp_path / "small.safetensors", ["model"], "fp16")
    assert not (tmp_path / "small.safetensors").exists()


def test_the_header_has_the_hash_of_what_follows(checkpoint, tmp_path):
    _, path, _ = checkpoint
    found = hashes(saved(path, tmp_path / "out.safetensors"))
    assert found["modelspec.hash_sha256"].startswith(f"0x{found['autov3']}")


@pytest.mark.parametrize(("prediction", "zsnr"), [("eps", False), ("v", False), ("v", True)])
def test_what_it_predicts_is_said_and_marked(prediction, zsnr, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(state("sdxl"), path, metadata=hints("sdxl"))
    weights = PartWeights(path, "model")
    said = header({"model": weights}, prediction=prediction, zsnr=zsnr)
    tensors = checkpoint_tensors({"model": weights})
    write = partial(write_safetensors, tmp_path / "out.safetensors", step=lambda *_: None)
    for more in ({}, {"v_pred": marker()} if prediction == "v" else {}):
        if zsnr and more:
            more |= {"ztsnr": marker()}
        for metadata in (said, {}) if more else (said,):
            write(tensors | more, metadata | hints("sdxl"))
            found = recognise(tmp_path / "out.safetensors")
            assert (found.prediction, found.zsnr) == (prediction, zsnr)
    weights.close()
