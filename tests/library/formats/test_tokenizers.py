"""Tokenizers that lie beside a model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from helpers import checkpoints
from ponystudio.library.formats.content_id import content_id


@pytest.mark.parametrize("name", ["tokenizer/spiece.model", "tokenizer/tokenizer.json"])
def test_the_tokenizer_of_a_folder_counts(name: str, tmp_path: Path) -> None:
    folder = checkpoints.diffusers_folder(tmp_path / "a")
    seen = [content_id(folder)]
    (folder / "tokenizer").mkdir()
    for content in ("one", "another"):
        (folder / name).write_text(content)
        seen.append(content_id(folder))
    assert len(set(seen)) == 3


SECOND_BIAS = "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight"


@pytest.mark.parametrize("name", ["m.tokenizer.json", "tokenizer.model", "spiece.model"])
def test_sees_the_tokenizer_beside_a_model_that_reads_with_it(name: str, tmp_path: Path) -> None:
    """That of UMT5; beside other models it may lie without changing what they are."""
    model, other = tmp_path / "m.safetensors", tmp_path / "t5.safetensors"
    save_file({f"text_encoders.x.{SECOND_BIAS}": torch.zeros(4, 2)}, model)
    save_file({SECOND_BIAS.replace("block.1", "block.0"): torch.zeros(4, 2)}, other)
    ids, others = [content_id(model)], [content_id(other)]
    for count, text in enumerate(("one", "another")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, ns=(count, count))
        ids.append(content_id(model))
        others.append(content_id(other))
    (tmp_path / name).unlink()
    assert len(set(ids)) == 3
    assert content_id(model) == ids[0]
    assert len(set(others)) == 1


def test_sees_the_tokenizer_beside_the_folder_of_a_text_encoder(tmp_path: Path) -> None:
    folder = tmp_path / "text_encoder"
    for place in (folder, tmp_path / "tokenizer"):
        place.mkdir()
    save_file({SECOND_BIAS: torch.zeros(4, 2)}, folder / "model.safetensors")
    ids = [content_id(folder)]
    for text in ("one", "the other"):
        (tmp_path / "tokenizer" / "tokenizer.json").write_text(text)
        ids.append(content_id(folder))
    assert len(set(ids)) == 3
