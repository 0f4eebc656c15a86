"""Numbers that are none, in a file or by a strength: the file and the layer are named, and the
model is not blamed for its LoRA.
"""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers import checkpoints
from helpers.core_graphs import checkpoint, core, picture
from ponystudio.cli.arguments import main
from ponystudio.diffusion.loading import bad_weights, lora_patching
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.lora import lora_file
from ponystudio.errors import FloatOverflow, NotANumber
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph

FP16, FP32 = torch.float16, torch.float32
QUERY = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
LAYER = f"lora_unet_{QUERY.replace('.', '_')}"
TEXT = "lora_te_text_model_encoder_layers_0_mlp_fc1"
UNET = "model.diffusion_model.out.2.bias"
TOWER = "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.bias"
DECODER = "first_stage_model.decoder.conv_out.bias"


@pytest.fixture
def models(tmp_path):
    for folder in ("checkpoints", "loras", "vae", "upscale_models", "embeddings"):
        (tmp_path / "models" / folder).mkdir(parents=True)
    checkpoints.micro(tmp_path / "models" / "checkpoints" / "micro.safetensors")
    return tmp_path / "models"


@pytest.fixture
def said(models, tmp_path, capsys):
    """What `run` and `validate` end with for a graph."""

    def said(command, *nodes, code, dtype="fp32"):
        graph_file.write(Graph.of(*nodes), tmp_path / "graph.json")
        words = [command, tmp_path / "graph.json", "--models", models]
        if command == "run":
            words += ["--output", tmp_path / "out", "--no-disk-cache", "--device", "cpu",
                      "--dtype", dtype]  # fmt: skip
        assert main([*map(str, words)]) == code
        return capsys.readouterr().err

    return said


def spoilt(path, key, value=torch.nan, like=None):
    """A file in which one number of a tensor is none."""
    tensors = load_file(like or path)
    tensors[key] = tensors[key].clone()
    tensors[key].view(-1)[-1] = value
    save_file(tensors, path)


def pair(scale=1.0, value=None, text=False, dtype=FP16):
    """A LoRA of one layer, all of one number."""
    name, (o, i) = (TEXT, (256, 64)) if text else (LAYER, (64, 64))
    up, down = torch.full((o, 2), scale), torch.full((2, i), scale)
    if value is not None:
        up[3, 1] = value
    tensors = {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}
    return {key: tensor.to(dtype) for key, tensor in tensors.items()}


def with_lora(**strengths):
    lora = core("lora", "apply_lora", model=("checkpoint", "model"), clip=("checkpoint", "clip"),
                file="odd.safetensors", **strengths)  # fmt: skip
    return picture(*checkpoint("micro.safetensors"), lora, model="lora", clip="lora")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_lora_is_found_before_it_is_used(command, value, models, said, tmp_path, capsys):
    path = models / "loras" / "odd.safetensors"
    save_file(pair(value=value), path)
    error = said(command, *with_lora(), code=2)
    assert "lora.file: " in error
    assert "odd.safetensors" in error
    assert f"{LAYER}.lora_up.weight" in error
    assert ("not-a-number" if value != torch.inf else "infinite") in error
    assert "another model" not in error
    assert not (tmp_path / "out").exists()
    assert main(["inspect", str(path)]) == 2
    assert "lora_up" in capsys.readouterr().err


def test_a_vae_of_its_own(models, said):
    tensors = {
        key.removeprefix("first_stage_model."): value
        for key, value in checkpoints.weights().items()
        if key.startswith("first_stage_model.")
    }
    path = models / "vae" / "odd.safetensors"
    save_file(tensors, path)
    vae = core("vae", "load_vae", file="odd.safetensors")
    graph = picture(*checkpoint("micro.safetensors"), vae, vae="vae")
    assert said("validate", *graph, code=0) == ""
    spoilt(path, "decoder.conv_out.bias")
    error = said("validate", *graph, code=2)
    assert "vae.file: " in error
    assert "'decoder.conv_out.bias'" in error


@pytest.mark.parametrize(
    ("key", "nodes"),
    [(UNET, ["sampler"]), (TOWER, ["positive", "negative"]), (DECODER, ["decode"])],
)
def test_a_weight_of_the_model_is_named_once_a_run_has_failed(key, nodes, models, said):
    """To look through it beforehand would take as long as a run."""
    path = models / "checkpoints" / "micro.safetensors"
    spoilt(path, key)
    error = said("run", *picture(*checkpoint(path.name)), code=1)
    assert any(f"error: {node}" in error for node in nodes)
    assert f"There is a not-a-number in micro.safetensors, in the tensor '{key}'." in error
    assert "Get the file again" in error


def test_a_strength_that_is_too_much_for_half_precision_begins_again(models, said):
    save_file(pair(scale=200.0), models / "loras" / "odd.safetensors")
    error = said("run", *with_lora(strength=2.0, clip_strength=0.0), code=0, dtype="fp16")
    assert f"odd.safetensors at the strength 2 makes the layer '{QUERY}' larger" in error
    assert "begun again in numbers that do not overflow" in error


def test_a_strength_that_is_too_much_for_the_text_encoder(models, said):
    save_file(pair(scale=200.0, text=True), models / "loras" / "odd.safetensors")
    error = said("run", *with_lora(strength=0.0, clip_strength=2.0), code=1)
    assert "odd.safetensors at the strength 2 makes the layer" in error
    assert "mlp.fc1" in error
    assert "Lower its strength" in error


class TestNetworks:
    @pytest.fixture
    def opened(self, models):
        networks = []

        def opened(key=None, value=torch.nan, dtype=FP32, room=None):
            path = models / "checkpoints" / "micro.safetensors"
            if key:
                spoilt(path, key, value)
            networks.append(load(path, "model", device="cpu", dtype=dtype, room=room))
            return networks[-1]

        yield opened
        for network in networks:
            network.close()

    @pytest.fixture
    def lora(self, models):
        files = []

        def lora(name, **how):
            save_file(pair(**how), models / "loras" / name)
            files.append(lora_file.read(models / "loras" / name))
            return files[-1]

        yield lora
        for file in files:
            file.close()

    def test_of_which_all_weights_are_numbers(self, opened):
        assert bad_weights.find(opened(), []) is None

    @pytest.mark.parametrize("room", [None, 0])
    def test_whose_file_has_one_that_is_none(self, room, opened):
        key = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.weight"
        network = opened(key, torch.inf, room=room)
        found = bad_weights.find(network, [])
        assert "an infinite number in micro.safetensors" in found.what
        assert key in found.what

    @pytest.mark.parametrize("room", [None, 0])
    def test_whose_blocks_a_lora_makes_too_large(self, room, opened, lora):
        """Of several the one that does it, by name; blocks that come and go are looked at, too."""
        network = opened(dtype=FP16, room=room)
        patches = [(lora("small.safetensors", scale=0.1), 1.0),
                   (lora("large.safetensors", scale=200.0), 3.0)]  # fmt: skip
        if room is None:
            with pytest.raises(
                FloatOverflow, match=r"large\.safetensors at the strength 3"
            ) as caught:
                lora_patching.apply(network, patches)
            assert QUERY in caught.value.what
            assert network.patched == frozenset()
            assert bad_weights.find(network, []) is None  # as the file has it again
            return
        lora_patching.apply(network, patches)
        found = bad_weights.find(network, patches)
        assert "large.safetensors at the strength 3" in found.what
        assert QUERY in found.what

    def test_whose_numbers_are_too_large_for_the_dtype(self, opened, models):
        path = models / "checkpoints" / "micro.safetensors"
        tensors = {key: value.float() for key, value in load_file(path).items()}
        tensors[UNET][0] = 1e6
        save_file(tensors, path)
        found = bad_weights.find(opened(dtype=FP16), [])
        assert "larger numbers than fp16 has" in found.what
        assert UNET in found.what
        assert "bf16" in found.remedy

    def test_in_wide_numbers_a_strength_must_be_absurd(self, opened, lora):
        network = opened()
        file = lora("large.safetensors", scale=1e4, dtype=FP32)
        lora_patching.apply(network, [(file, 1e20)])
        with pytest.raises(NotANumber, match="strength 1e"):
            lora_patching.apply(network, [(file, 1e35)])


def test_a_latent_of_no_numbers_is_its_files_fault(models, said, tmp_path):
    save_file({"latent_tensor": torch.full((1, 4, 8, 8), torch.nan),
               "latent_format_version_0": torch.tensor([])}, tmp_path / "x.latent")  # fmt: skip
    latent = (core("old", "load_latent", file=str(tmp_path / "x.latent")),)
    error = said("run", *picture(*checkpoint("micro.safetensors"), latent=latent), code=1)
    assert "x.latent" in error
    assert "no numbers" in error
