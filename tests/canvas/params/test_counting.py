"""Tokens of a prompt, counted as they are encoded."""

import pytest

from ponystudio.canvas.params.counting import Counts, count
from ponystudio.diffusion.prompt import parse
from ponystudio.diffusion.tokens import ClipTokenizer
from ponystudio.library.folders import Folders

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
    found = count(text, dialect)
    assert (found.tokens, found.chunks) == (
        sum(lengths(text, dialect)),
        len(lengths(text, dialect)),
    )
    assert len(found.breaks) == found.chunks - 1
    assert list(found.breaks) == sorted(found.breaks)


def test_a_break_is_where_the_next_chunk_begins():
    text = ", ".join(["unicorn"] * 60)
    place = count(text, "comfyui").breaks[0]
    assert ClipTokenizer().ids(text[:place]) == ClipTokenizer().ids(text)[:75]


def test_weights_are_no_words():
    text = "(1 2 3:1.2), 1 2 1.2, " * 12
    place = count(text, "comfyui").breaks[0]
    before = parse(text[:place], "comfyui")
    tokens = sum(len(ClipTokenizer().ids(part.text)) for part in before)
    assert tokens == lengths(text, "comfyui")[0]


def test_what_is_named_in_vain_is_told_and_counted():
    found = count("a unicorn, embedding:gone", "a1111")
    assert "gone" in found.problem
    assert found.tokens > 3


def test_an_embedding_counts_its_vectors():
    plain = count("a unicorn", "a1111").tokens
    assert count("a unicorn birb", "a1111", {"birb.pt": 8}).tokens == plain + 8


def test_counts_arrive_later(qtbot, tmp_path):
    counts = Counts(lambda: Folders([tmp_path]))
    with qtbot.waitSignal(counts.changed):
        assert counts.get("a unicorn", "a1111", "here") is None
    assert counts.get("a unicorn", "a1111", "here").tokens == 2
    with qtbot.waitSignal(counts.changed):
        # Until the new one is there the last one stays.
        assert counts.get("a unicorn, 3d", "a1111", "here").tokens == 2
    assert counts.get("a unicorn, 3d", "a1111", "here").tokens == 5
    assert counts.get("  ", "a1111", "here").tokens == 0


def test_a_long_prompt_is_counted_quickly_enough():
    text = "(word:1.2), " * 5000
    assert count(text, "a1111").tokens == 10_000


def test_counting_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from ponystudio.canvas.params.counting import count;"
        "print(count('a unicorn', 'a1111').tokens, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["2", "False"]


def test_embeddings_are_listed_and_measured_from_their_headers(tmp_path):
    import json
    import struct

    from ponystudio.canvas.params.counting import Embeddings

    (tmp_path / "embeddings").mkdir()
    header = json.dumps(
        {"emb_params": {"dtype": "F16", "shape": [3, 4], "data_offsets": [0, 24]}}
    ).encode()
    data = struct.pack("<Q", len(header)) + header + bytes(24)
    (tmp_path / "embeddings" / "birb.safetensors").write_bytes(data)
    (tmp_path / "embeddings" / "torn.safetensors").write_bytes(b"torn")
    found = Embeddings(Folders([tmp_path]))
    assert dict(found) == {"birb.safetensors": 3, "torn.safetensors": 1}
    plain = count("a unicorn", "a1111").tokens
    assert count("a unicorn, embedding:birb", "a1111", found).tokens == plain + 1 + 3
