"""Tokens of a prompt, counted as they are encoded."""

import base64
import json

import pytest
from PIL import Image, PngImagePlugin

from helpers.sparse import write_sparse
from ponystudio.diffusion.text.clip_tokens import ClipTokenizer
from ponystudio.diffusion.text.prompt_syntax import parse
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.models.count_tokens import Embeddings, count
from ponystudio.studio.models.token_counts import PromptState

LONG = ", ".join(f"word{i} (weighted words:1.2)" for i in range(20))


def lengths(text, dialect):
    """The tokens of each chunk, by the encoder's own packing."""
    chunks = ClipTokenizer(pad=0).chunks(parse(text, dialect), dialect)
    return [chunk.ids.index(49407) - 1 for chunk in chunks]


@pytest.mark.parametrize("dialect", ["a1111", "comfyui"])
@pytest.mark.parametrize(
    "text",
    ["unicorn, 3d", "(rainbow mane:1.2), blue", LONG, "a BREAK b", r"\(a\) [b] ((c",
     "日本語 été 🦄", "unicorn " * 200, LONG.replace(",", "")],
)  # fmt: skip
def test_counts_as_the_encoder_does(text, dialect):
    found = count(PromptState(text, dialect))
    assert (found.tokens, found.chunks) == (
        sum(lengths(text, dialect)),
        len(lengths(text, dialect)),
    )
    assert len(found.breaks) == found.chunks - 1
    assert list(found.breaks) == sorted(found.breaks)


def test_a_break_is_where_the_next_chunk_begins():
    text = ", ".join(["unicorn"] * 60)
    place = count(PromptState(text, "comfyui")).breaks[0]
    assert ClipTokenizer().ids(text[:place]) == ClipTokenizer().ids(text)[:75]


def test_weights_are_no_words():
    text = "(1 2 3:1.2), 1 2 1.2, " * 12
    place = count(PromptState(text, "comfyui")).breaks[0]
    before = parse(text[:place], "comfyui")
    tokens = sum(len(ClipTokenizer().ids(part.text)) for part in before)
    assert tokens == lengths(text, "comfyui")[0]


def test_what_is_named_in_vain_is_told_and_counted():
    found = count(PromptState("a unicorn, embedding:gone", "a1111"))
    assert "gone" in found.problem
    assert found.tokens > 3


def test_an_embedding_counts_its_vectors():
    plain = count(PromptState("a unicorn", "a1111")).tokens
    assert count(PromptState("a unicorn birb", "a1111"), {"birb.pt": 8}).tokens == plain + 8


def test_a_long_prompt_is_counted_quickly_enough():
    text = "(word:1.2), " * 4000
    assert count(PromptState(text, "a1111")).tokens == 8000


def test_counting_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from ponystudio.studio.models.count_tokens import count;"
        "from ponystudio.studio.models.token_counts import PromptState;"
        "print(count(PromptState('a unicorn', 'a1111')).tokens, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["2", "False"]


def test_embeddings_are_listed_and_measured_from_their_headers(tmp_path):
    folder = tmp_path / "embeddings"
    folder.mkdir()
    write_sparse(folder / "birb.safetensors", {"emb_params": [3, 4]})
    write_sparse(folder / "pair.safetensors", {"clip_l": [2, 4], "clip_g": [5, 8]})
    write_sparse(folder / "words.safetensors", {"a": [4], "b": [4], "c": [2, 4]})
    write_sparse(folder / "layer.safetensors", {"a.weight": [4, 4]})
    (folder / "torn.safetensors").write_bytes(b"torn")
    found = Embeddings(ModelFolders([tmp_path]))
    sizes = {"birb": 3, "pair": 2, "words": 4, "layer": 1, "torn": 1}
    assert dict(found) == {f"{name}.safetensors": size for name, size in sizes.items()}
    plain = count(PromptState("a unicorn", "a1111")).tokens
    assert count(PromptState("a unicorn, embedding:birb", "a1111"), found).tokens == plain + 1 + 3


def test_those_in_pictures_are_measured(tmp_path):
    field = json.dumps({"string_to_param": {"*": {"TORCHTENSOR": [[0.0] * 4] * 6}}}).encode()
    info = PngImagePlugin.PngInfo()
    info.add_text("sd-ti-embedding", base64.b64encode(field).decode(), zip=True)
    (tmp_path / "embeddings").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "embeddings" / "birb.png", pnginfo=info)
    assert dict(Embeddings(ModelFolders([tmp_path]))) == {"birb.png": 6}


class TestReadAtOnce:
    """FLUX and AuraFlow read a prompt of any length by T5, which has no chunks."""

    def test_flux_by_its_own_tokenizer(self):
        found = count(PromptState("a (pony:1.2)", "comfyui", family="flux"))
        assert (found.tokens, found.chunks, found.room, found.exact) == (3, 1, 255, True)

    def test_auraflow_by_one_that_is_like_its_own(self):
        found = count(PromptState("a pony", "comfyui", family="auraflow"))
        assert not found.exact

    def test_a_long_prompt_takes_the_room_it_needs(self):
        found = count(PromptState("a pony, " * 200, "comfyui", family="flux"))
        assert found.room == found.tokens > 255
        assert found.breaks == ()

    def test_a_textual_inversion_has_no_tokens_for_it(self):
        plain = count(PromptState("a pony,", "comfyui", family="flux")).tokens
        named = PromptState("a pony embedding:birb,", "comfyui", family="flux")
        found = count(named, {"birb.pt": 8})
        assert (found.tokens, found.problem) == (plain + 1, "")  # the comma is a word now
        lost = count(named)
        assert "birb" in lost.problem
        assert lost.tokens > plain

    def test_others_count_in_chunks(self):
        for family in ("", "sdxl", "sd3"):
            assert count(PromptState("a pony", "comfyui", family=family)).room == 75


def test_a_text_that_no_hand_wrote_is_not_counted():
    counted = count(PromptState("x " * 200_000, "a1111"))
    assert counted.tokens == 0
    assert "400,000 letters" in counted.problem
