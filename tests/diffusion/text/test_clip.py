"""CLIP's text encoder: equal to transformers' own, and each rule of weighting by its formula."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import ponystudio_resources
from helpers import relatives
from helpers.bfloat16 import require_attention
from helpers.make_checkpoint import tensors
from helpers.paths import DATA, needs_data
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.text import clip as module_under_test
from ponystudio.diffusion.text.clip_tokens import ClipTokenizer
from ponystudio.diffusion.text.text_encoder import TextEncoder
from ponystudio.diffusion.weights.embedding_tensors import bundled
from ponystudio.errors import MismatchedValues, MissingFile, ParamRange

PARITY = Path(__file__).parents[2] / "data" / "parity"

WIDTH, LAYERS = 32, 4


@pytest.fixture(scope="module")
def network():
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        hidden_size=WIDTH,
        intermediate_size=64,
        num_attention_heads=4,
        num_hidden_layers=LAYERS,
        vocab_size=49408,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    torch.manual_seed(0)
    network = CLIPTextModel(config).eval()
    for parameter in network.parameters():
        # The library's initial values are so small that no layer would make a difference.
        parameter.data = torch.randn(parameter.shape) * 0.3
    return network


@pytest.fixture
def encoder(network):
    return TextEncoder(network, find_family("sd1"))


@cache
def ids_of(text: str) -> torch.Tensor:
    from transformers import CLIPTokenizer

    folder = ponystudio_resources.path("tokenizers", "clip")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    return tokenizer(text, padding="max_length", max_length=77, return_tensors="pt")["input_ids"]


@pytest.mark.parametrize("dialect", ["a1111", "comfyui"])
@pytest.mark.parametrize("text", ["", "a photo of a pony", "score_9, 1girl"])
class TestAgainstTransformers:
    def test_last_layer(self, encoder, network, text, dialect):
        theirs = network(ids_of(text)).last_hidden_state
        ours = encoder.encode(text, dialect=dialect).context
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("skip", [2, 3, LAYERS])
    def test_clip_skip(self, encoder, network, text, dialect, skip):
        hidden = network(ids_of(text), output_hidden_states=True).hidden_states
        theirs = network.final_layer_norm(hidden[-skip])
        ours = encoder.encode(text, dialect=dialect, clip_skip=skip).context
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_eager_attention_gives_the_same(network, encoder):
    """The mask is explicit: an attention that makes none of its own must still be causal."""
    expected = encoder.encode("a pony on a hill").context
    network.set_attn_implementation("eager")
    try:
        torch.testing.assert_close(
            encoder.encode("a pony on a hill").context, expected, rtol=0, atol=1e-5
        )
    finally:
        network.set_attn_implementation("sdpa")


def test_clip_skip_0_is_the_familys_own(network):
    encoder = TextEncoder(network, replace(find_family("sd1"), clip_skip=2))
    assert torch.equal(encoder.encode("a").context, encoder.encode("a", clip_skip=2).context)
    assert not torch.equal(encoder.encode("a").context, encoder.encode("a", clip_skip=1).context)


@pytest.mark.parametrize("skip", [-1, LAYERS + 1])
def test_clip_skip_beyond_the_layers_is_refused(encoder, skip):
    with pytest.raises(ParamRange, match=r"4 layers.*1 to 4"):
        encoder.encode("a", clip_skip=skip)


class TestChunks:
    def test_each_is_encoded_by_itself(self, encoder):
        both = encoder.encode("a pony BREAK (a hill)").context
        alone = encoder.encode("a pony").context
        assert both.shape == (1, 154, WIDTH)
        torch.testing.assert_close(both[:, :77], alone, rtol=0, atol=1e-5)
        assert not torch.allclose(both[:, 77:], alone, atol=0.1)

    def test_more_than_one_batch(self, encoder, monkeypatch):
        text = " BREAK ".join(["a", "pony", "(on:1.4)", "a", "hill"])
        at_once = encoder.encode(text).context
        monkeypatch.setattr(module_under_test, "BATCH", 2)
        torch.testing.assert_close(encoder.encode(text).context, at_once, rtol=0, atol=1e-5)

    def test_padding_is_the_empty_prompt_in_a1111_alone(self, encoder):
        encoded = encoder.encode("a (pony:1.2)", dialect="a1111")
        torch.testing.assert_close(encoded.padding, encoder.encode("").context, rtol=0, atol=1e-5)
        assert encoder.encode("a (pony:1.2)", dialect="comfyui").padding is None
        assert encoded.pooled is None


class TestWeights:
    """Token 2 is `pony` (after START and `a`); all other weights are 1."""

    def test_a1111_multiplies_and_restores_the_mean_of_each_chunk(self, encoder):
        z = encoder.encode("a pony BREAK a hill").context
        weighted = encoder.encode("a (pony:1.5) BREAK a hill", dialect="a1111").context
        scale = weighted[0, 0] / z[0, 0]
        torch.testing.assert_close(scale, scale[:1].expand(WIDTH), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(weighted[0, 2], z[0, 2] * 1.5 * scale[0], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(weighted[:, :77].mean(), z[:, :77].mean(), rtol=1e-3, atol=1e-6)
        torch.testing.assert_close(weighted[:, 77:], z[:, 77:], rtol=0, atol=1e-5)

    def test_comfyui_moves_away_from_the_empty_prompt(self, encoder):
        z = encoder.encode("a pony", dialect="comfyui").context
        empty = encoder.encode("", dialect="comfyui").context
        weighted = encoder.encode("a (pony:1.5)", dialect="comfyui").context
        expected = z.clone()
        expected[0, 2] = (z[0, 2] - empty[0, 2]) * 1.5 + empty[0, 2]
        torch.testing.assert_close(weighted, expected, rtol=0, atol=1e-5)

    def test_comfyui_weight_0_is_the_empty_prompt_there(self, encoder):
        empty = encoder.encode("", dialect="comfyui").context
        weighted = encoder.encode("a (pony:0)", dialect="comfyui").context
        torch.testing.assert_close(weighted[0, 2], empty[0, 2], rtol=0, atol=1e-5)

    def test_a_chunk_of_mean_0_stays_finite(self, encoder):
        assert encoder.encode("(a pony:0)", dialect="a1111").context.isfinite().all()

    @pytest.mark.parametrize("dialect", ["a1111", "comfyui"])
    def test_a_weight_of_1_changes_nothing(self, encoder, dialect):
        plain = encoder.encode("a pony", dialect=dialect).context
        assert torch.equal(encoder.encode("a (pony:1)", dialect=dialect).context, plain)


class TestEmbeddings:
    @pytest.fixture
    def embedded(self, encoder, network, tmp_path):
        """An embedding that holds the very vectors of the words "pony" and "hill"."""
        ids = ClipTokenizer().ids("pony hill")
        table = network.embeddings.token_embedding.weight
        save_file({"emb_params": table[ids].detach().clone()}, tmp_path / "twilight.safetensors")
        save_file({"emb_params": torch.zeros(2, 1024)}, tmp_path / "sd2.safetensors")
        encoder.embeddings = {path.name: path for path in tmp_path.iterdir()}
        return encoder

    @pytest.mark.parametrize(
        ("dialect", "text"), [("a1111", "a twilight, b"), ("comfyui", "a embedding:twilight, b")]
    )
    def test_vectors_stand_where_the_words_would(self, embedded, dialect, text):
        expected = embedded.encode("a pony hill, b", dialect=dialect).context
        assert torch.equal(embedded.encode(text, dialect=dialect).context, expected)

    def test_they_can_be_weighted(self, embedded):
        expected = embedded.encode("a (pony hill:1.4)").context
        assert torch.equal(embedded.encode("a (twilight:1.4)").context, expected)

    def test_a_bare_name_is_a_word_in_comfyui(self, embedded, encoder):
        plain = encoder.encode("twilight", dialect="comfyui").context
        with_vectors = embedded.encode("embedding:twilight", dialect="comfyui").context
        assert not torch.equal(plain, with_vectors)

    def test_another_familys_is_refused(self, embedded):
        with pytest.raises(MismatchedValues, match="SD2"):
            embedded.encode("embedding:sd2")

    @pytest.mark.parametrize("in_lora", [False, True])
    def test_half_of_a_pair_for_sdxl_is_refused(self, encoder, network, tmp_path, in_lora):
        width = network.embeddings.token_embedding.weight.shape[1]
        file = tmp_path / "xl.safetensors"
        start = "bundle_emb.xl." if in_lora else ""
        pair = {"clip_l": torch.zeros(2, width), "clip_g": torch.zeros(2, 1280)}
        save_file({f"{start}{name}": vectors for name, vectors in pair.items()}, file)
        encoder.embeddings = bundled(file) if in_lora else {file.name: file}
        with pytest.raises(MismatchedValues, match="a pair for SDXL's two text encoders"):
            encoder.encode("a xl, b")

    def test_an_unknown_one_is_refused(self, embedded):
        with pytest.raises(MissingFile, match="Did you mean twilight"):
            embedded.encode("embedding:twiligth")


@needs_data
def test_a_published_embedding_is_read_by_its_name():
    from transformers import CLIPTextConfig, CLIPTextModel

    file = DATA / "embedding" / "sd1_birb-style_learned_embeds.bin"
    (vector,) = torch.load(file, weights_only=True).values()
    torch.manual_seed(0)
    config = CLIPTextConfig(hidden_size=768, num_attention_heads=1, num_hidden_layers=1)
    encoder = TextEncoder(CLIPTextModel(config).eval(), find_family("sd1"))
    table = encoder.module.embeddings.token_embedding.weight
    table.data[ClipTokenizer().ids("pony")] = vector
    expected = encoder.encode("a (pony:1.2), b").context
    encoder.embeddings = {file.name: file}
    name = file.name.removesuffix(".bin")
    for text in (f"a (embedding:{name}:1.2), b", f"a ({name}:1.2), b"):
        assert torch.equal(encoder.encode(text).context, expected)


@pytest.fixture(scope="module")
def two():
    """Both encoders, and the vectors of "pony hill" in the first, of "pony" in the second."""
    clip_l, clip_g = relatives.relative("sdxl").texts
    module = torch.nn.ModuleDict({"clip_l": clip_l, "clip_g": clip_g})
    tables = clip_l.embeddings, clip_g.text_model.embeddings
    words = (ClipTokenizer().ids("pony hill"), ClipTokenizer().ids("pony"))
    vectors = [
        table.token_embedding.weight[ids].detach().clone()
        for table, ids in zip(tables, words, strict=True)
    ]
    return TextEncoder(module, find_family("sdxl")), vectors


class TestEmbeddingsOfSdxl:
    @pytest.mark.parametrize("in_lora", [False, True])
    def test_each_encoder_reads_its_own_vectors(self, two, tmp_path, in_lora):
        encoder, (first, second) = two
        file = tmp_path / "twilight.safetensors"
        start = "bundle_emb.twilight." if in_lora else ""
        save_file({f"{start}clip_l": first, f"{start}clip_g": second}, file)
        encoder.embeddings = bundled(file) if in_lora else {file.name: file}
        found = encoder.encode("a twilight, b")
        encoder.embeddings = {}
        width = first.shape[1]
        as_first, as_second = (encoder.encode(f"a {words}, b") for words in ("pony hill", "pony"))
        assert torch.equal(found.context[..., :width], as_first.context[..., :width])
        assert torch.equal(found.context[..., width:], as_second.context[..., width:])
        assert torch.equal(found.pooled, as_second.pooled)

    def test_one_of_sd1_is_refused(self, two, tmp_path):
        encoder, (first, _) = two
        file = tmp_path / "sd1.safetensors"
        save_file({"emb_params": first}, file)
        encoder.embeddings = {file.name: file}
        with pytest.raises(MismatchedValues, match=r"has 32 numbers.*reads 64"):
            encoder.encode("a sd1")
        encoder.embeddings = {}


class TestHolder:
    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_runs_in_its_dtype_and_gives_float32(self, encoder, network, dtype):
        if dtype == torch.bfloat16:
            require_attention()
        exact = encoder.encode("a (pony:1.3), hill", dialect="comfyui").context
        half = TextEncoder(deepcopy(network).to(dtype), encoder.family)
        encoded = half.encode("a (pony:1.3), hill", dialect="comfyui").context
        assert half.dtype == dtype
        assert encoded.dtype == torch.float32
        # Rounded, so run in low precision, yet close.
        assert 0 < (encoded - exact).norm() / exact.norm() < 0.05

    def test_what_a_pool_asks(self, encoder, network):
        assert encoder.device == torch.device("cpu")
        assert encoder.dtype == torch.float32
        assert encoder.nbytes == 4 * sum(tensor.numel() for tensor in network.parameters())

    def test_states_carry_no_history(self, encoder):
        encoded = encoder.encode("a (pony:1.2)")
        assert not encoded.context.requires_grad
        assert not encoded.padding.requires_grad


def test_states_of_the_reference():
    """The mean and deviation of ComfyUI's states, with an encoder of full size."""
    from transformers import CLIPTextConfig, CLIPTextModel

    prefix = "cond_stage_model.transformer.text_model."
    weights = {
        name.removeprefix(prefix): tensor.float()
        for name, tensor in tensors("tiny").items()
        if name.startswith(prefix) and not name.endswith("position_ids")
    }
    with torch.device("meta"):
        network = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=768,
                intermediate_size=3072,
                num_attention_heads=12,
                num_hidden_layers=12,
                hidden_act="quick_gelu",
                eos_token_id=2,
            )
        )
    network.load_state_dict(weights, assign=True)
    network.embeddings.position_ids = torch.arange(77)[None]
    encoder = TextEncoder(network, find_family("sd1"))
    cases = json.loads((PARITY / "tokens.json").read_text("utf-8"))
    # Empty, weighted, negative weight, two chunks, beyond ASCII; all 22 would take half a minute.
    for case in (cases[number] for number in ("0", "4", "7", "15", "19")):
        states = encoder.encode(case["prompt"], dialect="comfyui").context
        assert list(states.shape) == case["cond_shape"]
        assert [states.mean().item(), states.std().item()] == pytest.approx(
            case["cond_mean_std"], rel=1e-5, abs=1e-7
        ), case["prompt"]
