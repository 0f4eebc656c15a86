"""Tiny text encoders of AuraFlow, FLUX.1 and SD3: transformers' own, and the files that hold them.

They are as wide as the tiny denoisers of `flows` read them. The names of each layout are spelt out
here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from helpers.flows import CONTEXT, randomised
from helpers.relatives import CLIP_G, CLIP_L

tqdm.monitor_interval = 0  # or its thread outlasts what is saved
State = dict[str, Tensor]

# By family, its text encoders by their names in files that hold several.
TOWERS = {
    "auraflow": ("pile_t5xl",),
    "flux": ("clip_l", "t5xxl"),
    "sd3": ("clip_l", "clip_g", "t5xxl"),
}
T5 = {
    "d_ff": 80,
    "d_kv": 8,
    "num_heads": 3,
    "num_layers": 3,
    "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu",
    "relative_attention_num_buckets": 16,
}
WORDS = "a pony on the moon, score_9, (house) unicorn of hill and sky with red mane 0123456789"


@cache
def network(family: str, tower: str) -> nn.Module:
    """One of a family's, whole, as transformers has it, of random weights. Do not change it."""
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        T5Config,
        T5EncoderModel,
        UMT5Config,
        UMT5EncoderModel,
    )

    if tower == "clip_l" and family == "flux":
        return randomised(CLIPTextModel(CLIPTextConfig(**CLIP_L)), seed=11)
    if tower == "clip_l":
        config = CLIPTextConfig(**CLIP_L, projection_dim=CLIP_L["hidden_size"])
        return randomised(CLIPTextModelWithProjection(config), seed=12)
    if tower == "clip_g":
        return randomised(CLIPTextModelWithProjection(CLIPTextConfig(**CLIP_G)), seed=13)
    arguments = T5 | {"d_model": CONTEXT[family]}
    if tower == "pile_t5xl":
        ids = {"pad_token_id": 1, "eos_token_id": 2}
        return randomised(UMT5EncoderModel(UMT5Config(**arguments, **ids)), seed=14)
    return randomised(T5EncoderModel(T5Config(**arguments)), seed=15)


def state(family: str, tower: str) -> State:
    """Its tensors as transformers saves them, but for what it has twice."""
    found = dict(network(family, tower).state_dict())
    found.pop("encoder.embed_tokens.weight", None)
    if tower == "clip_l" and family == "flux":  # as other libraries than the newest name them
        found = {f"text_model.{name}": value for name, value in found.items()}
    return {name: value.clone() for name, value in found.items()}


def all_in_one(family: str) -> State:
    """All of a family's under the prefixes of a checkpoint."""
    return {
        f"text_encoders.{tower}.transformer.{name}": value
        for tower in TOWERS[family]
        for name, value in state(family, tower).items()
    }


def write(family: str, tower: str, path: Path, **more: Tensor) -> Path:
    """A file of one encoder alone."""
    save_file(state(family, tower) | more, path)
    return path


def write_checkpoint(family: str, path: Path, **more: Tensor) -> Path:
    """A file that holds all of a family's encoders."""
    save_file(all_in_one(family) | more, path)
    return path


def write_folder(family: str, folder: Path, without: str = "") -> Path:
    """A folder as diffusers' pipelines save it, of text encoders alone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_index.json").write_text("{}")
    for index, tower in enumerate(TOWERS[family]):
        if tower != without:
            place = folder / ("text_encoder" + (f"_{index + 1}" if index else ""))
            network(family, tower).save_pretrained(place)
    return folder


def llama_cpp(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """llama.cpp's names of the tensors of a T5 encoder."""
    attention, feed = "layer.0.SelfAttention.", "layer.1.DenseReluDense."
    inner = {
        "layer.0.layer_norm": "attn_norm",
        **{f"{attention}{x}": f"attn_{x}" for x in "qkvo"},
        f"{attention}relative_attention_bias": "attn_rel_b",
        "layer.1.layer_norm": "ffn_norm",
        f"{feed}wi_0": "ffn_gate",
        f"{feed}wi_1": "ffn_up",
        f"{feed}wo": "ffn_down",
    }
    outer = {
        "shared.weight": "token_embd.weight",
        "encoder.final_layer_norm.weight": "enc.output_norm.weight",
    }
    for name, value in state.items():
        if name in outer:
            yield outer[name], value
        else:
            _, _, number, rest = name.split(".", 3)
            yield f"enc.blk.{number}.{inner[rest.removesuffix('.weight')]}.weight", value


@cache
def tokenizer_model() -> bytes:
    """A sentencepiece model of the kind that LLaMA has: bytes where no piece fits, blanks kept."""
    from sentencepiece import SentencePieceTrainer

    words, written = WORDS.split(), io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(" ".join(words[n:] + words[:n]) for n in range(len(words))),
        model_writer=written,
        model_type="bpe",
        vocab_size=320,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=2,
    )
    return written.getvalue()


def tokenizer_json(model: bytes) -> str:
    """A unigram model such as T5's in the form of the library tokenizers."""
    from sentencepiece import SentencePieceProcessor
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    source = SentencePieceProcessor(model_proto=model)
    pieces = [(source.id_to_piece(n), source.get_score(n)) for n in range(len(source))]
    made = Tokenizer(models.Unigram(pieces, unk_id=source.unk_id()))
    made.normalizer = normalizers.Nmt()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", source.eos_id())]
    )
    made.enable_truncation(4)
    made.enable_padding(length=8)
    return str(made.to_str())


class HuggingFaceLike:
    """As a tokenizer of transformers' answers a pipeline, of a sentencepiece model.

    transformers makes its own of one only with a library (protobuf) that nothing else needs.
    """

    def __init__(self, model: bytes, pad: int) -> None:
        from sentencepiece import SentencePieceProcessor

        self._model, self._pad = SentencePieceProcessor(model_proto=model, add_eos=True), pad
        self.added_tokens_encoder: dict[str, int] = {}

    def tokenize(self, text: str) -> list[str]:
        """Pipelines look in it for textual inversions."""
        return list(map(self._model.id_to_piece, self._model.encode(text)))

    def __call__(self, text: Any, padding: str, max_length: int = 0, **_: Any) -> Any:
        from transformers import BatchEncoding

        texts = [text] if isinstance(text, str) else text
        rows = [self._model.encode(one) for one in texts]
        length = max_length if padding == "max_length" else max(map(len, rows))
        return BatchEncoding(
            {
                "input_ids": [(row + [self._pad] * (length - len(row)))[:length] for row in rows],
                "attention_mask": [[int(n < len(row)) for n in range(length)] for row in rows],
            },
            tensor_type="pt",
        )


def write_tokenizer(path: Path) -> Path:
    """That of the tiny AuraFlow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tokenizer_model())
    return path
