"""Files that are not what is wanted of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.model_shapes import SD1, VAE
from helpers.sparse import write_sparse
from ponystudio.errors import WrongKind
from ponystudio.library.recognition.model_file import ACCEPTED, INSTEAD, NOUNS
from ponystudio.library.recognition.recognise import ModelFile, check_kind, recognise


def test_checkpoints_serve_for_their_parts(tmp_path: Path) -> None:
    found = recognise(write_sparse(tmp_path / "m.safetensors", SD1))
    for kind in ("checkpoints", "vae", "text_encoders", "diffusion_models"):
        check_kind(found, kind)
    bare = recognise(write_sparse(tmp_path / "v.safetensors", VAE))
    check_kind(bare, "vae")
    with pytest.raises(WrongKind, match="a VAE, not a checkpoint") as caught:
        check_kind(bare, "checkpoints")
    assert "core.load_vae" in caught.value.remedy


def test_every_wrong_kind_has_words() -> None:
    for kind in NOUNS:
        for wanted, accepted in ACCEPTED.items():
            model = ModelFile(Path("file"), "safetensors", kind)
            if kind in accepted:
                check_kind(model, wanted)
            else:
                with pytest.raises(WrongKind) as caught:
                    check_kind(model, wanted)
                assert caught.value.remedy == INSTEAD[kind]
                assert NOUNS[kind] in caught.value.what


def test_kinds_that_are_no_models_are_not_checked() -> None:
    check_kind(ModelFile(Path("file"), "safetensors", "lora"), "input")
