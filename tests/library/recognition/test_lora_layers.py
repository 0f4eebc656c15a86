"""What the tensors of a LoRA are, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.sparse import write_sparse
from ponystudio.cli.arguments import main
from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.tensor_info import TensorInfo
from ponystudio.library.recognition.lora_layers import ROLES, contents, flat, is_lora
from ponystudio.library.recognition.model_file import check_kind
from ponystudio.library.recognition.recognise import recognise

FILE = Path("a.safetensors")
LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
# Of each kind that is known and not computed, one layer.
NOT_COMPUTED = {
    "OFT": {"oft_blocks": [2, 8, 8], "alpha": []},
    "OFT of kohya": {"oft_diag": [2, 8, 8]},
    "BOFT": {"boft_R": [2, 4, 8, 8], "boft_s": [64, 1]},
    "GLoRA": {"a1.weight": [4, 64], "a2.weight": [64, 4], "b1.weight": [4, 64],
              "b2.weight": [64, 4], "alpha": []},
    "IA³": {"weight": [64], "on_input": []},
    "IA³ of PEFT": {"ia3_l": [64, 1]},
    "VeRA": {"vera_lambda_b": [64], "vera_lambda_d": [4]},
    "larger": {"lora_A.weight": [4, 64], "lora_B.weight": [64, 4], "reshape_weight": [2]},
    "in the place of others": {"set_weight": [64, 64]},
    "tables of words": {"lora_embedding_A": [4, 64], "lora_embedding_B": [64, 4]},
}  # fmt: skip


def tensors(**shapes: tuple[int, ...]) -> dict[str, TensorInfo]:
    return {name: TensorInfo(name, "F16", shape, None, 0, 0) for name, shape in shapes.items()}


def test_layers_are_the_same_in_every_dialect():
    for down, up in (
        ("lora_unet_mid_to_q.lora_down.weight", "lora_unet_mid_to_q.lora_up.weight"),
        ("lora.unet.mid.to_q.lora_A.weight", "lora.unet.mid.to_q.lora_B.weight"),
    ):
        found = contents(FILE, tensors(**{down: (2, 8), up: (8, 2)}))
        assert found.layers == {flat("lora.unet.mid.to_q"): {"down": down, "up": up}}
        assert (found.unknown, found.words) == ((), ())


def test_what_is_bundled_and_what_is_not_known():
    found = contents(
        FILE,
        tensors(
            **{
                "x.lora_down.weight": (2, 8),
                "x.lora_up.weight": (8, 2),
                "y.alpha": (),
                "bundle_emb.mane.clip_l": (3, 768),
                "bundle_emb.mane.clip_g": (3, 1280),
                "strange": (1,),
            }
        ),
    )
    assert list(found.layers) == ["x"]  # an alpha alone was of no layer that was trained
    assert (found.unknown, found.words) == (("strange",), ("mane",))


def test_half_a_layer_is_damage():
    with pytest.raises(DamagedFile, match="'x' lacks one of its matrices"):
        contents(FILE, tensors(**{"x.lora_down.weight": (2, 8)}))


def test_kinds_that_are_not_read_are_named():
    with pytest.raises(UnsupportedModel, match="kind OFT"):
        contents(FILE, tensors(**{"x.oft_blocks": (2, 8, 8)}))


@pytest.mark.parametrize("suffix", [suffix for suffix in ROLES if suffix != ".alpha"])
def test_each_role_alone_tells_a_lora(suffix, tmp_path):
    """Whatever of a layer is read is enough to know what the file is."""
    path = write_sparse(tmp_path / "x.safetensors", {f"{LAYER}{suffix}": [4, 4]})
    assert recognise(path).kind == "lora"
    names = [f"{LAYER}{suffix}", f"{LAYER}.alpha"]
    assert is_lora(names)
    assert not is_lora([*names, "conv_in.weight", "conv_in.bias", "conv_out.weight"])


@pytest.mark.parametrize("kind", NOT_COMPUTED)
def test_a_kind_that_is_not_computed_is_known_and_refused(kind, tmp_path, capsys):
    tensors = {f"{LAYER}.{name}": shape for name, shape in NOT_COMPUTED[kind].items()}
    path = write_sparse(tmp_path / "x.safetensors", tensors)
    found = recognise(path)
    assert found.kind == "lora"
    word = kind.partition(" of ")[0]
    with pytest.raises(UnsupportedModel, match=rf"{word}.* not computed") as caught:
        check_kind(found, "loras")
    assert "LoHa" in caught.value.remedy
    assert main(["inspect", str(path)]) == 2
    said = capsys.readouterr()
    assert "kind        lora" in said.out
    assert "not computed" in said.err


@pytest.mark.parametrize(
    ("tensors", "dtype", "words"),
    [
        ({".diff": [8, 8]}, "I64", "numbers of I64"),
        ({".lora_down.weight": [4, 8], ".lora_up.weight": [8, 4],
          ".lora_up.weight_scale": []}, "F16", "packed in few bits"),
        ({".lora_down.weight": [4, 8]}, "F16", "lacks one of its matrices"),
        ({".lora_magnitude_vector": [8]}, "F16", "lacks one of its matrices"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_it_is_used(tensors, dtype, words, tmp_path):
    shapes = {LAYER + suffix: shape for suffix, shape in tensors.items()}
    found = recognise(write_sparse(tmp_path / "x.safetensors", shapes, dtype=dtype))
    assert words in found.refused
    with pytest.raises(UnsupportedModel, match=words):
        check_kind(found, "loras")


@pytest.mark.parametrize(("width", "family"), [(768, "sd1"), (1024, "sd2"), (320, "")])
def test_pairs_that_are_numbered(width, family, tmp_path):
    shapes = {"unet:0:up": [320, 4], "unet:0:down": [4, width], "text_encoder:0:up": [768, 4],
              "text_encoder:0:down": [4, 768]}  # fmt: skip
    path = write_sparse(tmp_path / "x.safetensors", shapes, {"unet": '["CrossAttention"]'})
    found = recognise(path)
    assert (found.kind, found.family, found.refused) == ("lora", family, "")
    assert not is_lora(["x:0:up", "unet:a:down", "unet:0:rank"])
