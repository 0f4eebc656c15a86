"""Models of few bits give, to the bit, what the numbers give that their references unpack."""

from __future__ import annotations

import re
import shutil
from contextlib import closing

import pytest
import torch
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel

from helpers import encoders, flows, seed_models
from helpers.core_graphs import core, picture
from helpers.few_bits import FP8, KINDS, packed, write_fp8, write_gguf, write_int8, write_plain
from helpers.gguf_writer import write_gguf as write_zeros
from ponystudio.cli.arguments import main
from ponystudio.diffusion.loading import lora_patching
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.lora import lora_file
from ponystudio.errors import UnsupportedModel
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph

NAMES = tuple(flows.WIDE)
FP32 = torch.float32
# One that all families have fused with others in their files, or whole.
LAYER = {
    "auraflow": "single_transformer_blocks.0.attn.to_k",
    "flux": "single_transformer_blocks.0.attn.to_k",
    "sd3": "transformer_blocks.0.attn.to_k",
}


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def tmp_path(tmp_path):
    """Emptied after the test: all of them together would be gigabytes."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture
def opened():
    """Opens denoisers, and closes them after the test."""
    networks = []

    def opened(path, room=None):
        networks.append(load(path, "model", device="cpu", dtype=FP32, room=room))
        return networks[-1]

    yield opened
    for network in networks:
        network.close()


@pytest.fixture
def both(name, opened, tmp_path):
    """Writes a file of few bits; opens it, and a file of the numbers that it means."""

    def both(write, *how, room=None, **more):
        path = tmp_path / ("few.gguf" if write is write_gguf else "few.safetensors")
        meant = write(path, flows.original(name), *how, metadata=flows.hints(name), **more)
        plain = write_plain(tmp_path / "plain.safetensors", meant, flows.hints(name))
        return opened(path, room), opened(plain)

    return both


def check(name, few, plain):
    """That both are the same network, and say something."""
    expected = plain.module.state_dict()
    for key, value in few.module.state_dict().items():
        assert value.is_meta or torch.equal(value, expected[key]), key
    inputs = flows.told(name, batch=2)
    found = few(**inputs)
    assert torch.isfinite(found).all()
    assert found.std() > 0.05
    assert torch.equal(found, plain(**inputs))
    return found


def off(found, name, opened, tmp_path):
    """How far a result is from that of the numbers before they were packed."""
    exact = opened(flows.write(name, tmp_path / "exact.safetensors"))
    expected = exact(**flows.told(name, batch=2))
    return float((found - expected).norm() / expected.norm())


class TestGguf:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind(self, kind, name, both):
        check(name, *both(write_gguf, kind))

    def test_it_is_near_what_was_packed(self, name, both, opened, tmp_path):
        found = check(name, *both(write_gguf, "Q8_0"))
        assert 0 < off(found, name, opened, tmp_path) < 0.1

    @pytest.mark.parametrize("kind", ["Q8_0", "Q4_K"])
    def test_blocks_that_come_and_go(self, kind, name, both):
        few, plain = both(write_gguf, kind, room=0)
        assert few.stream.blocks
        few.stream.begin()
        check(name, few, plain)
        few.stream.rest()

    @pytest.mark.parametrize("room", [None, 0])
    @pytest.mark.parametrize("kind", ["Q5_1", "Q6_K"])
    def test_with_a_lora(self, kind, room, name, both, tmp_path):
        _with_lora(name, both(write_gguf, kind, room=room), tmp_path)

    def test_rows_that_were_arranged_anew(self, opened, tmp_path):
        """A convolution whose rows are too short for blocks, as tools for ComfyUI pack it."""
        tensors = dict(flows.original("sd3-wide"))
        key = "x_embedder.proj.weight"
        data, numbers = packed(tensors[key].reshape(-1, 256), "Q8_0")
        meant = {**tensors, key: numbers.view(tensors[key].shape)}
        _write_rearranged(tmp_path / "few.gguf", tensors, key, data)
        plain = write_plain(tmp_path / "plain.safetensors", meant, flows.hints("sd3-wide"))
        check("sd3-wide", opened(tmp_path / "few.gguf"), opened(plain))

    def test_a_table_whose_first_side_was_dropped(self, opened, tmp_path):
        """ggml's own tools count no sides of 1."""
        tensors = dict(flows.original("auraflow-wide"))
        flat = {k: v[0] if k in ("positional_encoding", "register_tokens") else v
                for k, v in tensors.items()}  # fmt: skip
        hints = flows.hints("auraflow-wide")
        meant = write_gguf(tmp_path / "few.gguf", flat, "Q8_0", hints, "aura")
        meant = {key: value.view(tensors[key].shape) for key, value in meant.items()}
        plain = write_plain(tmp_path / "plain.safetensors", meant, hints)
        check("auraflow-wide", opened(tmp_path / "few.gguf"), opened(plain))


def _write_rearranged(path, tensors, key, data):
    import gguf

    writer = gguf.GGUFWriter(path, "sd3")
    for name, text in flows.hints("sd3-wide").items():
        writer.add_string(name, text)
    writer.add_array(f"comfy.gguf.orig_shape.{key}", list(tensors[key].shape))
    for name, value in tensors.items():
        if name == key:
            writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, value.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("dtype", FP8.values(), ids=FP8)
class TestEightBits:
    def test_without_scales(self, dtype, name, both):
        check(name, *both(write_fp8, dtype))

    @pytest.mark.parametrize(
        ("ending", "rows"),
        [(".scale_weight", ""), (".scale_weight", "n, 1"), (".weight_scale", ""),
         (".weight_scale", "n, 1"), (".weight_scale", "n")],
    )  # fmt: skip
    def test_with_scales(self, dtype, ending, rows, name, both, opened, tmp_path):
        found = check(name, *both(write_fp8, dtype, ending=ending, rows=rows))
        assert 0 < off(found, name, opened, tmp_path) < 0.3

    @pytest.mark.parametrize("rows", ["", "n, 1"])
    def test_blocks_that_come_and_go(self, dtype, rows, name, both):
        few, plain = both(write_fp8, dtype, ending=".scale_weight", rows=rows, room=0)
        few.stream.begin()
        check(name, few, plain)
        few.stream.rest()

    @pytest.mark.parametrize("room", [None, 0])
    def test_with_a_lora(self, dtype, room, name, both, tmp_path):
        files = both(write_fp8, dtype, ending=".weight_scale", rows="n, 1", room=room)
        _with_lora(name, files, tmp_path)


class TestRotatedWholeNumbers:
    """ConvRot: what is multiplied by such weights is rotated, so they must be turned back."""

    def test_they_are_turned_back(self, name, both, opened, tmp_path):
        found = check(name, *both(write_int8, 256))
        assert 0 < off(found, name, opened, tmp_path) < 0.05

    def test_blocks_that_come_and_go(self, name, both):
        few, plain = both(write_int8, 16, room=0)
        few.stream.begin()
        check(name, few, plain)
        few.stream.rest()

    @pytest.mark.parametrize("room", [None, 0])
    def test_with_a_lora(self, room, name, both, tmp_path):
        _with_lora(name, both(write_int8, 64, room=room), tmp_path)


def test_rotated_convolutions(tmp_path):
    """Of Stable Diffusion's networks the kernels are rotated too, and text encoders."""
    tensors = {k: v.float() for k, v in seed_models.state("sdxl").items()}
    hints = seed_models.hints("sdxl")
    meant = write_int8(tmp_path / "few.safetensors", tensors, 16, hints)
    plain = write_plain(tmp_path / "plain.safetensors", meant, hints)
    for part in ("model", "clip", "vae"):
        with closing(load(tmp_path / "few.safetensors", part, device="cpu", dtype=FP32)) as few, \
                closing(load(plain, part, device="cpu", dtype=FP32)) as exact:  # fmt: skip
            expected = exact.module.state_dict()
            for key, value in few.module.state_dict().items():
                assert torch.equal(value, expected[key]), key


def _with_lora(name, networks, tmp_path):
    width = flows.WIDE_HEADS * flows.HEAD
    key = f"transformer.{LAYER[flows.family_of(name)]}"
    generator = torch.Generator().manual_seed(5)
    pair = {"lora_A": torch.randn(4, width, generator=generator)}
    pair["lora_B"] = torch.randn(width, 4, generator=generator)
    save_file({f"{key}.{k}.weight": v for k, v in pair.items()}, tmp_path / "lora.safetensors")
    inputs = flows.told(name, batch=2)
    plain = networks[0](**inputs)
    with closing(lora_file.read(tmp_path / "lora.safetensors")) as file:
        for network in networks:
            lora_patching.apply(network, [(file, 0.7)])
    assert not torch.allclose(check(name, *networks), plain, atol=1e-3)
    for network in networks:
        lora_patching.restore(network)
    assert torch.equal(check(name, *networks), plain)


@pytest.fixture(scope="module")
def state():
    """That of a T5 with rows of whole blocks."""
    arguments = {**encoders.T5, "d_model": 256, "d_ff": 512, "d_kv": 64, "num_heads": 4}
    t5 = flows.randomised(T5EncoderModel(T5Config(**arguments)), seed=16)
    return {k: v for k, v in t5.state_dict().items() if k != "encoder.embed_tokens.weight"}


class TestT5:
    @pytest.fixture
    def encoded(self, tmp_path):
        """What FLUX reads of a prompt where T5 is in that file."""
        clip_l = encoders.write("flux", "clip_l", tmp_path / "clip_l.safetensors")

        def encoded(path):
            options = [("family", "flux"), ("with", str(clip_l))]
            clip = load(path, "clip", device="cpu", dtype=FP32, options=options)
            with closing(clip):
                return clip.encode("a pony on the (moon:1.2)").context

        return encoded

    @pytest.mark.parametrize("kind", ["Q8_0", "Q5_K", "F16"])
    def test_in_llama_cpps_names(self, kind, state, encoded, tmp_path):
        named = dict(encoders.llama_cpp(state))
        meant = write_gguf(tmp_path / "t5.gguf", named, kind, architecture="t5encoder")
        plain = write_plain(tmp_path / "plain.safetensors", meant)
        found = encoded(tmp_path / "t5.gguf")
        assert found.std() > 0.1
        assert torch.equal(found, encoded(plain))

    @pytest.mark.parametrize("dtype", FP8.values(), ids=FP8)
    @pytest.mark.parametrize("ending", ["", ".scale_weight", ".weight_scale"])
    def test_of_eight_bits(self, dtype, ending, state, encoded, tmp_path):
        meant = write_fp8(tmp_path / "t5.safetensors", state, dtype, ending=ending)
        plain = write_plain(tmp_path / "plain.safetensors", meant)
        assert torch.equal(encoded(tmp_path / "t5.safetensors"), encoded(plain))


class TestRefusals:
    @pytest.fixture
    def said(self, tmp_path, capsys):
        """What `inspect` of a file and a `run` with it end with, line by line."""

        def said(path):
            nodes = picture(
                core("checkpoint", "load_checkpoint"),
                core("model", "load_model", file=path.name),
                model="model",
            )
            graph_file.write(Graph.of(*nodes), tmp_path / "graph.json")
            root = tmp_path / "models"
            run = ["run", tmp_path / "graph.json", "--models", root, "--output", tmp_path / "out"]
            for words in (["inspect", path], [*run, "--no-disk-cache", "--device", "cpu"]):
                assert main([*map(str, words)]) == 2
                found = capsys.readouterr()
                assert found.out == ""
                yield found.err.splitlines()

        return said

    @pytest.fixture
    def path(self, tmp_path):
        (tmp_path / "models" / "diffusion_models").mkdir(parents=True)
        return tmp_path / "models" / "diffusion_models" / "model.gguf"

    @pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.999])
    def test_one_that_was_not_loaded_to_its_end(self, share, path, said):
        write_gguf(path, flows.original("flux"), "Q8_0", flows.hints("flux"))
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        for error, remedy in said(path):
            assert error.startswith("error: ")
            assert "model.gguf" in error
            assert re.search(r"The file ends inside its header|it was cut short", error)
            assert "ownload" in remedy

    def test_a_language_model(self, path, said):
        metadata = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2"}
        write_zeros(path, {"blk.0.attn_q.weight": [256, 256]}, metadata, "Q4_K")
        for error, *_ in said(path):
            assert error.startswith("error: ")
            assert "This is a language model (llama), not one that makes pictures." in error

    def test_scales_of_blocks_are_no_scales_of_rows(self, tmp_path, opened):
        tensors = dict(flows.original("flux"))
        key = "double_blocks.0.img_mlp.0"
        value = tensors[f"{key}.weight"]
        tensors[f"{key}.weight"] = value.to(torch.float8_e4m3fn)
        tensors[f"{key}.weight_scale"] = torch.ones(len(value), value.shape[1] // 16)
        save_file(tensors, tmp_path / "model.safetensors", metadata=flows.hints("flux"))
        with pytest.raises(UnsupportedModel, match="weight_scale"):
            opened(tmp_path / "model.safetensors")
