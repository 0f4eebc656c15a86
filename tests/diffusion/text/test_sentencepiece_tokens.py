"""Tokenizers of T5 and LLaMA: known ids, both kinds of files, and where they are found."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from helpers import encoders
from ponystudio.diffusion.families.text_encoder_specs import PILE_T5_XL, T5_XXL
from ponystudio.diffusion.text.sentencepiece_tokens import (
    SentencePieces,
    of_model,
    parse,
    read,
    shipped,
)
from ponystudio.errors import Cancelled, DamagedFile, MissingFile
from ponystudio.library.formats.weights_file import open_weights
from ponystudio_resources import path as resource

T5_FILE = resource("tokenizers", "t5", "spiece.model")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("a pony", [3, 9, 26190]),
        ("  a   pony ", [3, 9, 26190]),
    ],
)
def test_known_words_of_t5(text, ids):
    assert shipped("t5").ids(text) == ids


def test_ids_are_spelt(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(encoders.tokenizer_json(T5_FILE.read_bytes()), "utf-8")
    for found in (shipped("t5"), read(path)):
        assert [found.spell(id) for id in found.ids("a ponies")] == ["▁", "a", "▁po", "nies"]


def test_the_shipped_one_is_t5s():
    found = shipped("t5")
    assert found.end == T5_XXL.end == 1
    assert found.size <= 32128
    assert "Apache" in resource("tokenizers", "t5", "NOTICE").read_text("utf-8")


def test_lone_surrogates_are_replaced():
    assert shipped("t5").ids("\ud800 a") == shipped("t5").ids("? a")


def test_a_json_says_the_same_and_adds_nothing(tmp_path):
    """Not its own end, padding or cut, which a file may ask for."""
    path = tmp_path / "tokenizer.json"
    path.write_text(encoders.tokenizer_json(T5_FILE.read_bytes()), "utf-8")
    found = read(path)
    assert (found.size, found.end) == (shipped("t5").size, 1)
    for text in ("a pony", "score_9, a unicorn on the hill under a red moon", ""):
        assert found.ids(text) == shipped("t5").ids(text)


def test_blanks_count_where_the_model_keeps_them():
    found = parse(encoders.tokenizer_model(), "the test")
    assert found.end == 2
    assert len(found.ids("a  pony")) == len(found.ids("a pony")) + 1
    assert len(found.ids("é")) == 3  # a blank, and two bytes


def altered(**parts):
    """A tokenizer.json of which some parts are others."""
    return json.dumps({"version": "1.0", "model": WORDS, **parts}).encode()


# In Rust what is wrong in these is no error but a panic, which Python knows as no Exception.
WORDS = {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0], ["b", -1.0]]}
MERGES = {"type": "BPE", "vocab": {"ab": 0, "b": 1, "a": 2}, "merges": [["a", "b"]]}
PANICS = (
    altered(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
    altered(model={**MERGES, "continuing_subword_prefix": "##"}),
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"\x0a\xff\xff\xff\xff",
        b"{}",
        b'{"model": {"type": "BPE"}',
        b"[" * 100_000,
        b'{"a": ' * 100_000,
        json.dumps({"version": "1.0", "model": {"type": "none"}}).encode(),
        encoders.tokenizer_model()[:-200],
        b"\xff\xfe{",
        *PANICS,
        altered(model={**WORDS, "vocab": [], "unk_id": None}),
    ],
    ids=range(13),
)
def test_what_is_no_tokenizer_is_refused(content, tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(content)
    with pytest.raises(DamagedFile) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: This is no tokenizer that can be read. Get")


def test_one_that_fails_only_when_it_is_used():
    found = parse(
        altered(normalizer={"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8="}),
        "the file",
    )
    with pytest.raises(DamagedFile) as caught:
        found.ids("a pony")
    assert str(caught.value).startswith("the file: This is no tokenizer that can be read. Get")
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, Cancelled])
def test_a_stop_is_not_taken_for_damage(stop):
    def encode(_):
        raise stop

    with pytest.raises(stop):
        SentencePieces(encode, str, 1, None, "the file").ids("a pony")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingFile, match="no such file"):
        read(tmp_path / "tokenizer.model")
    with pytest.raises(DamagedFile, match="cannot be read"):
        read(tmp_path)


class TestOfModel:
    """Each place is tried with another tokenizer in it, told by its number of pieces."""

    @pytest.fixture
    def model(self, tmp_path):
        path = tmp_path / "pony.v7.safetensors"
        save_file({"shared.weight": torch.zeros(4, 4)}, path)
        return path

    def found(self, path, *more, tower=PILE_T5_XL, chosen=""):
        file = path if path.is_file() else next(path.rglob("*.safetensors"))
        with open_weights(file) as opened:
            return of_model(tower, [path, *more], opened, chosen)

    def test_the_chosen_one_goes_first(self, model, tmp_path):
        encoders.write_tokenizer(tmp_path / "tokenizer.model")
        own = tmp_path / "own.model"
        own.write_bytes(T5_FILE.read_bytes())
        for tower in (PILE_T5_XL, T5_XXL):
            assert self.found(model, tower=tower, chosen=str(own)).where == str(own)

    def test_one_that_ships_needs_no_file(self, model, tmp_path):
        encoders.write_tokenizer(tmp_path / "tokenizer.model")
        assert self.found(model, tower=T5_XXL) is shipped("t5")

    @pytest.mark.parametrize(
        "name",
        ["tokenizer.model", "tokenizer.json", "spiece.model", "pony.v7.tokenizer.model"],
    )
    def test_beside_the_file(self, model, tmp_path, name):
        content = encoders.tokenizer_model()
        place = tmp_path / name
        text = encoders.tokenizer_json(content).encode() if "json" in name else content
        place.write_bytes(text)
        assert self.found(model).where == str(place)

    def test_one_of_the_models_name_before_another(self, model, tmp_path):
        encoders.write_tokenizer(tmp_path / "tokenizer.json")
        own = encoders.write_tokenizer(tmp_path / "pony.v7.tokenizer.model")
        assert self.found(model).where == str(own)

    def test_beside_any_of_several_files(self, model, tmp_path):
        other = tmp_path / "other" / "encoder.safetensors"
        own = encoders.write_tokenizer(other.with_name("tokenizer.model"))
        assert self.found(model, other).where == str(own)

    def test_in_a_folder(self, tmp_path):
        folder = encoders.write_folder("auraflow", tmp_path / "model")
        own = encoders.write_tokenizer(folder / "tokenizer" / "tokenizer.model")
        assert self.found(folder).where == str(own)
        assert self.found(folder / "text_encoder").where == str(own)

    def test_among_the_tensors(self, tmp_path):
        path = tmp_path / "whole.safetensors"
        bytes_of = torch.frombuffer(bytearray(encoders.tokenizer_model()), dtype=torch.uint8)
        save_file({"text_encoders.spiece_model": bytes_of, "x": torch.zeros(1)}, path)
        assert self.found(path).end == 2

    def test_its_own_before_any_that_lies_there(self, tmp_path):
        """One called after it before that among its tensors, and that before one for all."""
        path = tmp_path / "whole.safetensors"
        bytes_of = torch.frombuffer(bytearray(encoders.tokenizer_model()), dtype=torch.uint8)
        save_file({"text_encoders.spiece_model": bytes_of, "x": torch.zeros(1)}, path)
        encoders.write_tokenizer(tmp_path / "tokenizer.model")
        assert self.found(path).where == f"{path}: spiece_model"
        own = encoders.write_tokenizer(tmp_path / "whole.spiece.model")
        assert self.found(path).where == str(own)

    def test_nowhere(self, model):
        with pytest.raises(MissingFile) as caught:
            self.found(model)
        said = str(caught.value)
        assert "There is no tokenizer for Pile-T5-XL" in said
        assert all(word in said for word in ("tokenizer.json", "`tokenizer`", "core.set_tokenizer"))
        assert str(model) in said


def test_no_torch_is_loaded():
    code = (
        "import sys; from ponystudio.diffusion.text.sentencepiece_tokens import shipped; "
        "shipped('t5').ids('a'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
