"""Nodes that show what models read, called as functions."""

from __future__ import annotations

import pytest
import torch

from helpers import checkpoints, encoders
from helpers.node_context import FakeContext
from ponystudio.api import AestheticHead, Clip, Image, VisionOutput
from ponystudio.diffusion.loading.load import load
from ponystudio.errors import MismatchedValues
from ponystudio_nodes.looking import group_pictures, score_pictures, token_lens


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = checkpoints.micro(tmp_path_factory.mktemp("clip") / "m.safetensors")
    encoder = load(path, "clip", device="cpu", dtype=torch.float32)
    yield encoder
    encoder.close()


def lens(reader, family="sd1", **params):
    context = FakeContext({"clip": reader})
    return token_lens(Clip("clip", "content", family), ctx=context, **params), context.notes


class TestTokenLens:
    def test_the_pieces_of_a_prompt(self, clip):
        found, _ = lens(clip, text="score_9, Twilight Sparkle, score_9", nearest=0)
        assert found.text.splitlines() == [
            "10 tokens",
            "  4431  score (×2)",
            "   318  _ (×2)",
            "   280  9 (×2)",
            "   267  , (×2)",
            " 14512  twilight",
            " 18287  sparkle",
        ]
        assert found.image.pixels.shape[:2] == (1, 3)

    def test_pieces_of_one_word_and_of_one_letter(self, clip):
        found, _ = lens(clip, text="pierogarts 猫", nearest=0)
        lines = found.text.splitlines()[1:]
        assert [line.split()[1] for line in lines[-3:]] == ["\\xe7-", "\\x8c-", "\\xab"]
        assert all(line.endswith("-") for line in lines[:2])

    def test_what_an_embedding_stands_for(self, clip, tmp_path):
        table = clip.module.embeddings.token_embedding.weight
        path = tmp_path / "birb.pt"
        torch.save({"string_to_param": {"*": table[[12678, 2368]] * 3}}, path)
        clip.embeddings = {"birb.pt": path}
        found, _ = lens(clip, text="a birb", nearest=1)
        clip.embeddings = {}
        assert found.text.splitlines()[2:] == [
            "     *  birb.pt 1: pony 1.00",
            "     *  birb.pt 2: cat 1.00",
        ]

    def test_prompts_as_a_whole(self, clip):
        one, _ = lens(clip, text="a pony\na cat", compare="prompts")
        two, _ = lens(clip, text="a pony\na cat", other="a city", compare="prompts")
        assert one.text == two.text == "2 prompts"
        assert one.image.pixels.shape[-1] > two.image.pixels.shape[-1]

    def test_states_differ_by_place(self, clip):
        tokens = clip.pieces("cat cat")
        assert torch.equal(tokens.vectors[0], tokens.vectors[1])
        assert not torch.allclose(tokens.states[0], tokens.states[1])

    def test_long_prompts_are_cut_in_the_picture_alone(self, clip):
        found, notes = lens(clip, text="pony " * 90, nearest=0)
        assert found.text.splitlines() == ["90 tokens", " 12678  pony (×90)"]
        assert "the first 80" in notes[0]

    def test_no_words(self, clip):
        with pytest.raises(MismatchedValues, match="no words"):
            lens(clip, text=" ")

    def test_of_t5_and_by_its_name(self, tmp_path):
        paths = [encoders.write("flux", tower, tmp_path / tower) for tower in ("t5xxl", "clip_l")]
        options = (("family", "flux"), ("with", str(paths[1])))
        flux = load(paths[0], "clip", device="cpu", dtype=torch.float32, options=options)
        found, _ = lens(flux, "flux", text="a pony", encoder="t5xxl", nearest=0)
        assert found.text.splitlines()[1:] == ["     3  ▁", "     9  -a", " 26190  pony"]
        whole, _ = lens(flux, "flux", text="a pony", encoder="t5xxl", compare="prompts")
        assert whole.text == "1 prompts"
        with pytest.raises(MismatchedValues, match="no clip_g"):
            lens(flux, "flux", text="a pony", encoder="clip_g")
        flux.close()


class Scorer:
    def __init__(self, of_one=False):
        self.of_one = of_one

    def __call__(self, embeds):
        return embeds[:, 0]


def seen(*values):
    embeds = torch.tensor(values)[:, None].expand(-1, 4).contiguous()
    return VisionOutput(embeds, embeds[:, None], embeds[:, None])


class TestScores:
    def scores(self, of_one, *values):
        head = AestheticHead("head", "content", "")
        return score_pictures(head, seen(*values), ctx=FakeContext({"head": Scorer(of_one)}))

    def test_the_best_of_several(self):
        found = self.scores(False, 5.0, 6.5, 6.25)
        assert (found.score, found.best) == (6.5, 1)
        assert found.text.splitlines() == ["5.00", "6.50", "6.25"]

    def test_of_pony_as_words(self):
        assert self.scores(True, 0.75).text == "0.750 score_7"


class TestGroups:
    def test_a_sheet_of_groups(self):
        pixels = torch.rand(3, 3, 16, 16)
        unlike = torch.tensor([[1.0, 0], [0, 1], [1, 0.1]])
        found = group_pictures(Image(pixels), VisionOutput(unlike, unlike, unlike))
        assert found.count == 2
        assert found.text.splitlines() == ["Group 1: 1, 3", "Group 2: 2"]
        assert found.image.pixels.shape[:2] == (1, 3)

    def test_other_pictures_than_were_looked_at(self):
        with pytest.raises(MismatchedValues, match="2 pictures, and 1"):
            group_pictures(Image(torch.rand(2, 3, 8, 8)), seen(1.0))

    def test_an_encoder_without_a_vector(self):
        hidden = torch.zeros(1, 2, 2)
        with pytest.raises(MismatchedValues, match="as a whole"):
            group_pictures(Image(torch.rand(1, 3, 8, 8)), VisionOutput(None, hidden, hidden))
