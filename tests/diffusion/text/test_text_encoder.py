"""Whole prompts of the families that read T5: what diffusers' pipelines make with their weights."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from helpers import encoders
from helpers.bfloat16 import require_attention
from helpers.encoders import HuggingFaceLike, network
from helpers.pipelines import _tokenizer as clip_tokenizer
from ponystudio.diffusion.loading.load import load
from ponystudio_resources import path as resource

FP32 = torch.float32
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
PROMPTS = ("", "a pony", "score_9, a unicorn on the hill (red mane)")
FAMILIES = tuple(encoders.TOWERS)


@cache
def t5_tokenizer():
    return HuggingFaceLike(resource("tokenizers", "t5", "spiece.model").read_bytes(), pad=0)


def opened(path, name, *options):
    return load(path, "clip", device="cpu", dtype=FP32, options=[("family", name), *options])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Of each family one, with the tokenizer in it where it does not ship."""
    root = tmp_path_factory.mktemp("folders")
    for name in FAMILIES:
        encoders.write_folder(name, root / name)
    encoders.write_tokenizer(root / "auraflow" / "tokenizer" / "tokenizer.model")
    return root


@pytest.fixture(scope="module")
def clips(folders):
    """By family, its text encoders."""
    found = {name: opened(folders / name, name) for name in FAMILIES}
    yield found
    for clip in found.values():
        clip.close()


def theirs(name, prompt, length=256, t5=True, others=(None, None)):
    """Context and pooled vector, as diffusers' own pipeline makes them; `others`: what the second
    and the third text encoder read, where it is not the same."""
    import diffusers

    nothing = {"vae": None, "scheduler": None, "transformer": None}
    with torch.no_grad():
        if name == "auraflow":
            pipe = diffusers.AuraFlowPipeline(
                text_encoder=network(name, "pile_t5xl"),
                tokenizer=HuggingFaceLike(encoders.tokenizer_model(), pad=2),
                **nothing,
            )
            found = pipe.encode_prompt(prompt, device="cpu", do_classifier_free_guidance=False)
            return found[0], None
        if name == "flux":
            pipe = diffusers.FluxPipeline(
                text_encoder=network(name, "clip_l"),
                tokenizer=clip_tokenizer(),
                text_encoder_2=network(name, "t5xxl"),
                tokenizer_2=t5_tokenizer(),
                **nothing,
            )
            found = pipe.encode_prompt(prompt, others[0], device="cpu", max_sequence_length=length)
            return found[:2]
        pipe = diffusers.StableDiffusion3Pipeline(
            text_encoder=network(name, "clip_l"),
            tokenizer=clip_tokenizer(),
            text_encoder_2=network(name, "clip_g"),
            tokenizer_2=clip_tokenizer(pad_token="!"),
            text_encoder_3=network(name, "t5xxl") if t5 else None,
            tokenizer_3=t5_tokenizer() if t5 else None,
            **nothing,
        )
        found = pipe.encode_prompt(
            prompt, *others, device="cpu", max_sequence_length=77,
            do_classifier_free_guidance=False,
        )  # fmt: skip
        return found[0], found[2]


@pytest.mark.parametrize("dialect", ["a1111", "comfyui"])
@pytest.mark.parametrize("name", FAMILIES)
def test_prompts_are_diffusers(clips, name, dialect):
    for prompt in PROMPTS:
        escaped = prompt.replace("(", r"\(").replace(")", r"\)")
        ours = clips[name].encode(escaped, dialect=dialect)
        context, pooled = theirs(name, prompt)
        torch.testing.assert_close(ours.context, context, **CLOSE)
        assert ours.context[0, 0].std() > 0.1
        assert ours.padding is None
        assert (ours.pooled is None) == (pooled is None)
        if pooled is not None:
            torch.testing.assert_close(ours.pooled, pooled, **CLOSE)


def test_each_text_encoder_may_read_words_of_its_own(clips):
    said = {"clip_l": "a pony", "clip_g": "on the moon", "t5xxl": "a picture of a pony"}
    found = clips["sd3"].encode(said, dialect="comfyui")
    context, pooled = theirs("sd3", said["clip_l"], others=(said["clip_g"], said["t5xxl"]))
    torch.testing.assert_close(found.context, context, **CLOSE)
    torch.testing.assert_close(found.pooled, pooled, **CLOSE)
    found = clips["flux"].encode(said, dialect="comfyui")
    context, pooled = theirs("flux", said["clip_l"], others=(said["t5xxl"], None))
    torch.testing.assert_close(found.context, context, **CLOSE)
    torch.testing.assert_close(found.pooled, pooled, **CLOSE)


def test_of_words_of_their_own_the_shorter_is_filled_with_empty_chunks(clips):
    long, short = "a pony on the moon, " * 20, "a pony"
    said = {"clip_l": long, "clip_g": short, "t5xxl": ""}
    encoder, width = clips["sd3"], clips["sd3"].module["clip_l"].config.hidden_size
    found = encoder.encode(said, dialect="comfyui", empty="zeros").context
    alone, empty = (encoder.encode(text, dialect="comfyui").context for text in (short, ""))
    assert not found[:, 2 * 77 :].any()
    clip_g = slice(width, width + encoder.module["clip_g"].config.hidden_size)
    for part, whole in ((found[:, :77], alone), (found[:, 77 : 2 * 77], empty)):
        torch.testing.assert_close(part[..., clip_g], whole[:, :77, clip_g], **CLOSE)
    nothing = encoder.encode({**said, "clip_g": ""}, dialect="comfyui", empty="zeros")
    assert not nothing.context[..., clip_g].any()


@pytest.mark.parametrize("name", ["auraflow", "flux"])
def test_a_long_prompt_is_read_to_its_end(clips, name):
    prompt = "a pony on the moon, " * 60
    found = clips[name].encode(f"{prompt}score_9").context
    assert found.shape[1] > 300
    assert not torch.equal(found[:, :5], clips[name].encode(prompt).context[:, :5])
    if name == "flux":
        context, _ = theirs(name, f"{prompt}score_9", found.shape[1])
        torch.testing.assert_close(found, context, **CLOSE)


def test_sd3_counts_chunks_of_clip_and_tokens_of_t5(clips):
    """Two chunks of CLIP, and as many tokens of T5 as there are; what is pooled is the first's."""
    words = "a pony on the moon, " * 20
    found = clips["sd3"].encode(words, dialect="comfyui")
    tokens = len(t5_tokenizer()(words, "longest")["input_ids"][0])
    assert found.context.shape[1] == 2 * 77 + tokens
    assert tokens > 77
    first = clips["sd3"].encode(words[:40], dialect="comfyui")
    assert found.pooled.shape == first.pooled.shape


class TestSd3WithoutT5:
    def test_zeros_stand_in_its_place(self, clips, tmp_path):
        without = opened(encoders.write_folder("sd3", tmp_path, without="t5xxl"), "sd3")
        found, whole = (clip.encode("a pony") for clip in (without, clips["sd3"]))
        assert found.context.shape == (1, 2 * 77, 4096)
        width = whole.context.shape[-1]
        torch.testing.assert_close(found.context[:, :77, :width], whole.context[:, :77], **CLOSE)
        assert not found.context[:, :77, width:].any()
        assert not found.context[:, 77:].any()
        torch.testing.assert_close(found.pooled, whole.pooled, **CLOSE)
        without.close()

    def test_it_may_be_given_beside(self, clips, tmp_path):
        encoders.write_folder("sd3", tmp_path / "sd3", without="t5xxl")
        t5 = encoders.write("sd3", "t5xxl", tmp_path / "t5.safetensors")
        with_t5 = opened(tmp_path / "sd3", "sd3", ("with", str(t5)))
        found, whole = with_t5.encode("a pony"), clips["sd3"].encode("a pony")
        torch.testing.assert_close(found.context, whole.context, **CLOSE)
        with_t5.close()


@pytest.mark.parametrize("name", FAMILIES)
def test_no_words_are_encoded_unless_zeros_are_asked_for(clips, name):
    encoded, zeros = (clips[name].encode("", empty=empty) for empty in ("auto", "zeros"))
    assert encoded.context.any()
    assert not zeros.context.any()
    assert zeros.context.shape == encoded.context.shape
    assert zeros.pooled is None or not zeros.pooled.any()


@pytest.mark.parametrize("name", FAMILIES)
def test_in_half_precision_it_gives_float32(folders, clips, name):
    require_attention()
    half = load(
        folders / name, "clip", device="cpu", dtype=torch.bfloat16, options=[("family", name)]
    )
    exact, rounded = (
        clip.encode("a (pony:1.3)", dialect="comfyui") for clip in (clips[name], half)
    )
    assert rounded.context.dtype == torch.float32
    assert 0 < (rounded.context - exact.context).norm() / exact.context.norm() < 0.1
    if exact.pooled is not None:
        assert rounded.pooled.dtype == torch.float32
    half.close()


@pytest.mark.parametrize("name", FAMILIES)
def test_blocks_may_come_and_go(folders, clips, name):
    """What is read with one block at a time in memory is the same to the bit."""
    coming = load(
        folders / name, "clip", device="cpu", dtype=FP32, options=[("family", name)], room=0
    )
    assert any("block.2" in block for block in coming.stream.names)
    assert not any("embed_tokens" in block for block in coming.stream.names)
    ours = coming.encode("a (pony:1.3)").context
    assert torch.equal(ours, clips[name].encode("a (pony:1.3)").context)
    coming.close()
