"""What the tensors of a LoRA are, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponystudio.diffusion.lora.lora_layers import contents, flat, listed
from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.tensor_info import TensorInfo

FILE = Path("a.safetensors")


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


def test_long_lists_are_cut():
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(["a", "b", "c", "d"]) == "a, b, c, ..."
