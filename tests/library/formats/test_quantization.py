"""Weights of few bits: what says how to read them is understood, or refused by name."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.convert import convert
from ponystudio.library.formats.quantization import METADATA, SETTINGS, Quantization
from ponystudio.library.formats.weights_file import joined, open_weights
from ponystudio.library.recognition.recognise import recognise

LAYER = "double_blocks.0.img_attn.qkv"
INT8 = {"format": "int8_tensorwise"}
TURNED = {**INT8, "convrot": True, "convrot_groupsize": 16}


def marked(mark, dtype=torch.int8, scale=(), shape=(32, 64), layer=LAYER):
    """A weight with its scale and, unless None, its mark."""
    text = mark if isinstance(mark, bytes) else json.dumps(mark).encode()
    said = {} if mark is None else {f"{layer}.comfy_quant": torch.tensor(list(text)).byte()}
    return {
        f"{layer}.weight": torch.ones(shape).to(dtype),
        f"{layer}.weight_scale": torch.full(scale, 0.5),
        **said,
    }


@pytest.fixture
def read(tmp_path):
    def read(tensors, metadata=None):
        path = tmp_path / "model.safetensors"
        save_file(tensors, path, metadata=metadata)
        with open_weights(path) as file:
            return dict(file.quantized)

    return read


@pytest.fixture
def refused(tmp_path):
    """What `recognise`, and so `inspect` and `validate`, say of a file."""

    def refused(tensors, metadata=None, kind=UnsupportedModel):
        path = tmp_path / "model.safetensors"
        save_file(tensors, path, metadata=metadata)
        with pytest.raises(kind) as caught:
            recognise(path)
        assert str(path) in str(caught.value)
        assert "bf16" in caught.value.remedy
        return caught.value.what

    return refused


class TestMarks:
    @pytest.mark.parametrize(
        ("mark", "dtype", "scale", "known"),
        [
            ({"format": "float8_e4m3fn"}, torch.float8_e4m3fn, (), {}),
            ({"format": "float8_e5m2"}, torch.float8_e5m2, (), {}),
            ({"format": "float8_e4m3fn_rowwise"}, torch.float8_e4m3fn, (32, 1), {}),
            ({"format": "float8_e4m3fn_blockwise", "group_size": 16}, torch.float8_e4m3fn, (2, 4),
             {"block": 16}),
            ({**INT8, "orig_dtype": "torch.bfloat16", "per_row": True}, torch.int8, (32,), {}),
            ({**INT8, "full_precision_matrix_mult": True}, torch.int8, (), {}),
            ({**INT8, "convrot": False, "convrot_groupsize": 5}, torch.int8, (), {}),
            ({"format": "int8_blockwise", "group_size": 24}, torch.int8, (2, 3), {"block": 24}),
            (TURNED, torch.int8, (32, 1), {"rotated": 16}),
            ({**INT8, "params": {"convrot": True, "convrot_groupsize": 64}}, torch.int8, (32, 1),
             {"rotated": 64}),
            ({"convrot": True, "convrot_groupsize": 4, "per_row": True}, torch.int8, (32, 1),
             {"rotated": 4}),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("place", ["beside", "listed"])
    def test_all_that_is_understood(self, mark, dtype, scale, known, place, read):
        listed = {METADATA: json.dumps({"format_version": "1.0", "layers": {LAYER: mark}})}
        if place == "listed":
            found = read(marked(None, dtype, scale), listed)
        else:
            found = read(marked(mark, dtype, scale))
        assert found == {f"{LAYER}.weight": Quantization(f"{LAYER}.weight_scale", **known)}

    def test_the_group_of_convrot_is_256_where_nothing_says_it(self, read):
        found = read(marked({**INT8, "convrot": True}, scale=(32, 1), shape=(32, 512)))
        assert found[f"{LAYER}.weight"].rotated == 256

    @pytest.mark.parametrize(
        ("mark", "word"),
        [
            ({**INT8, "smoothed": True}, "'smoothed'"),
            ({**INT8, "params": {"zero_point": 3}}, "'zero_point'"),
            ({"format": "nvfp4"}, "'nvfp4'"),
            ({"format": "mxfp8"}, "'mxfp8'"),
            ({"format": "asym_w4a8_int8", "group_size": 16}, "'asym_w4a8_int8'"),
            ({"format": ["int8_tensorwise"]}, "format"),
            ({**TURNED, "convrot_groupsize": 32}, "convrot_groupsize of 32"),
            ({**TURNED, "convrot_groupsize": 1}, "convrot_groupsize of 1"),
            ({**TURNED, "convrot_groupsize": "256"}, "convrot_groupsize of 256"),
            ({**TURNED, "convrot": "yes"}, "convrot of yes"),
            ({**TURNED, "convrot": 1}, "convrot of 1"),
            ({**INT8, "group_size": 16}, "group_size of 16"),
            ({"format": "int8_blockwise"}, "group_size of 0"),
            ({"format": "int8_blockwise", "group_size": -4}, "group_size of -4"),
            ({**INT8, "orig_shape": [31, 64]}, "'orig_shape'"),
        ],
    )
    @pytest.mark.parametrize("place", ["beside", "listed"])
    def test_a_word_that_is_not_understood(self, mark, word, place, refused):
        if place == "beside":
            said = refused(marked(mark))
        else:
            said = refused(marked(None), {METADATA: json.dumps({"layers": {LAYER: mark}})})
        assert word in said
        assert LAYER in said
        assert "not understood" in said

    @pytest.mark.parametrize(
        ("tensors", "metadata", "words"),
        [
            (marked(b"{"), None, "not readable"),
            (marked(b"[" * 9000), None, "not readable"),
            (marked(b"7"), None, "not readable"),
            (marked(None), {METADATA: "{"}, "not readable"),
            (marked(None), {METADATA: '{"layers": {"x": 1}}'}, "not readable"),
            (marked(None), {METADATA: json.dumps({"layers": {"other": TURNED}})}, "'other.weight'"),
            (marked(INT8, torch.float8_e4m3fn), None, "has numbers of F8_E4M3"),
            (marked({"format": "float8_e5m2"}, torch.float8_e4m3fn), None, "numbers of F8_E4M3"),
            (marked({"convrot": True, "convrot_groupsize": 4}, torch.bfloat16), None, "BF16"),
            (marked(TURNED, shape=(32, 40)), None, "groups of 16"),
            (marked(TURNED), {METADATA: json.dumps({"layers": {LAYER: INT8}})}, "two ways"),
            ({"x.weight_scale": torch.ones(())}, None, "'x.weight_scale'"),
            ({"x.comfy_quant": torch.zeros(2, dtype=torch.uint8)}, None, "not readable"),
            ({**marked(None), f"{LAYER}.scale_weight": torch.ones(())}, None, "two scales"),
        ],
    )  # fmt: skip
    def test_what_makes_no_sense(self, tensors, metadata, words, refused):
        assert words in refused(tensors, metadata, DamagedFile)

    @pytest.mark.parametrize(
        "tensors",
        [
            marked(None, scale=(31,)),
            marked(None, scale=(1, 32)),
            marked({"format": "int8_blockwise", "group_size": 16}, scale=(2, 3)),
            {**marked(None), f"{LAYER}.weight_scale": torch.ones(32, dtype=torch.uint8)},
            {**marked(None), f"{LAYER}.weight": torch.ones(32, 32, dtype=torch.uint8)},
            {f"{LAYER}.weight": torch.ones(32, 32, dtype=torch.int8)},
            {f"{LAYER}.weight": torch.ones(32, 32, dtype=torch.uint8)},
        ],
    )
    def test_scales_that_cannot_be_meant(self, tensors, refused):
        assert LAYER in refused(tensors)

    def test_files_that_are_read_as_one(self, tmp_path):
        """Each keeps its own list."""
        files = []
        for n, mark in enumerate((TURNED, INT8)):
            path = tmp_path / f"{n}.safetensors"
            listed = {METADATA: json.dumps({"layers": {LAYER: mark}})}
            save_file(marked(None, scale=(32, 1)), path, metadata=listed)
            files.append((f"{n}/", open_weights(path)))
        with joined(tmp_path, files) as file:
            turned = {name: known.rotated for name, known in file.quantized.items()}
        assert turned == {f"0/{LAYER}.weight": 16, f"1/{LAYER}.weight": 0}


# Of each quantiser a layer as its own files have it.
OTHERS = {
    "NF4": ({"w.weight": (64, 1), "w.weight.absmax": (4,), "w.weight.quant_map": (16,),
             "w.weight.quant_state.bitsandbytes__nf4": (90,)}, "bitsandbytes in 4 bits"),
    "LLM.int8": ({"w.weight": (8, 8), "w.SCB": (8,), "w.weight_format": ()}, "bitsandbytes in 8"),
    "GPTQ": ({"w.qweight": (8, 8), "w.qzeros": (8,), "w.scales": (8,), "w.g_idx": (8,)}, "GPTQ"),
    "AWQ": ({"w.qweight": (8, 8), "w.qzeros": (8,), "w.scales": (8,)}, "AWQ"),
    "SVDQuant": ({"w.qweight": (8, 8), "w.wscales": (8,), "w.smooth_factor": (8,),
                  "w.proj_down": (8, 4), "w.proj_up": (8, 4)}, "SVDQuant"),
    "HQQ": ({"w.W_q": (8, 8), "w.scale": (8,), "w.zero": (8,)}, "HQQ"),
    "Quanto": ({"w.weight._data": (8, 8), "w.weight._scale": (8,)}, "Quanto"),
    "torchao": ({"w._weight_qdata": (8, 8), "w._weight_scale": (8,)}, "torchao"),
    "compressed-tensors": ({"w.weight_packed": (8, 8), "w.weight_scale": (8,)},
                           "compressed-tensors"),
    "NVFP4": ({"w.weight": (8, 8), "w.weight_scale": (8, 1), "w.weight_scale_2": ()}, "NVFP4"),
    "DeepSeek": ({"w.weight": (8, 8), "w.weight_scale_inv": (1, 1)}, "DeepSeek"),
    "SmoothQuant": ({"w.weight": (8, 8), "w.weight_scale": (8,), "w.pre_quant_scale": (8,)},
                    "SmoothQuant"),
    "SDNQ": ({"w.weight": (8, 8), "w.scale": (8,), "w.svd_up": (8, 2), "w.svd_down": (2, 8)},
             "SDNQ"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_another_quantiser_wrote_is_refused_by_its_name(name, refused):
    shapes, word = OTHERS[name]
    said = refused({key: torch.ones(shape, dtype=torch.uint8) for key, shape in shapes.items()})
    assert word in said
    assert "not read" in said


@pytest.mark.parametrize("settings", [{"quant_method": "sdnq"}, {"method": "svdquant"}])
def test_settings_of_another_quantiser(settings, refused, tmp_path):
    (method,) = settings.values()
    tensors = {"conv_in.weight": torch.ones(4, 4, 3, 3)}
    assert method in refused(tensors, {SETTINGS: json.dumps(settings)})
    folder = tmp_path / "folder"
    folder.mkdir()
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors")
    (folder / "config.json").write_text(json.dumps({SETTINGS: settings}))
    with pytest.raises(UnsupportedModel, match=method):
        recognise(folder)


def test_what_is_no_quantisers_is_left_alone(read):
    """Names that look like marks and are those of networks."""
    names = ("a.norm.scale", "a.proj_down.weight", "a.smooth.weight", "b.scales.weight", "SU.bias")
    assert read({name: torch.ones(4, 4) for name in names}) == {}


def test_conversion_keeps_scales_and_marks_as_they_are(tmp_path):
    """Halved, a scale of 1e-6 would be another and one of 1e-9 nothing."""
    tensors = {**marked(TURNED, scale=(32, 1)), "b.weight": torch.ones(4, 4)}
    tensors[f"{LAYER}.weight_scale"] *= 1e-9
    save_file(tensors, tmp_path / "in.safetensors")
    convert(tmp_path / "in.safetensors", tmp_path / "out.safetensors", half=True)
    with open_weights(tmp_path / "in.safetensors") as one, \
            open_weights(tmp_path / "out.safetensors") as other:  # fmt: skip
        assert one.quantized == other.quantized
        name = f"{LAYER}.weight_scale"
        assert bytes(one.buffer(name)) == bytes(other.buffer(name))
        assert other.tensors["b.weight"].dtype == "F16"


def test_a_file_of_real_marks_is_recognised(tmp_path):
    path = tmp_path / "model.safetensors"
    more = {"double_blocks.0.img_attn.norm.key_norm.scale": torch.ones(8)}
    save_file({**marked(TURNED, scale=(32, 1)), **more}, path)
    found = recognise(path)
    assert (found.family, found.parts["model"].count) == ("flux", 2)
