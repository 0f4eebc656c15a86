"""From a prompt to what the denoiser reads: the text encoders of a family and their tokenizers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ponystudio.diffusion.families.text_encoder_specs import (
    ClipEncoderSpec,
    T5EncoderSpec,
    TextEncoderSpec,
)
from ponystudio.diffusion.text.clip import ClipEncoder
from ponystudio.diffusion.text.conditioning import Encoded, joined
from ponystudio.diffusion.text.sentencepiece_tokens import SentencePieces, shipped
from ponystudio.diffusion.text.t5 import T5Encoder
from ponystudio.diffusion.text.token_lens import Pieces
from ponystudio.diffusion.weights.embedding_tensors import Bundled
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights
from ponystudio.errors import MismatchedValues

if TYPE_CHECKING:
    from torch import nn

    from ponystudio.diffusion.families import Family


class TextEncoder(Network["nn.Module"]):
    """The text encoders of a family with their tokenizers.

    `module` is the only one, or a ModuleDict by the names of the family's towers, of which those
    that are optional may be missing; on any device and of any floating dtype, while what comes out
    is float32. `pieces`: the tokenizers, by tower, that take the place of those that ship.
    `embeddings` are the textual inversions that prompts may name: file name → path, and the words
    of those in LoRA files.
    """

    part = "clip"
    # As ComfyUI does, whose pictures a LoRA shall give here too.
    rounds_patches = True

    def __init__(
        self,
        module: nn.Module,
        family: Family,
        weights: Weights | None = None,
        pieces: Mapping[str, SentencePieces] | None = None,
    ) -> None:
        super().__init__(module, weights)
        self.family = family
        self._encoders = [self._encoder(tower, pieces or {}) for tower in family.towers]
        self.embeddings: Mapping[str, Path | Bundled] = {}

    @torch.no_grad()
    def encode(
        self,
        text: str | Mapping[str, str],
        *,
        dialect: str = "a1111",
        clip_skip: int = 0,
        empty: str = "auto",
    ) -> Encoded:
        """Encode a prompt, or one for each of the towers by its name.

        `dialect` is one of `prompt.DIALECTS`. `clip_skip` 1 takes the last layer of CLIP, 2 the one
        before, 0 the family's own. `empty`, of `prompt.EMPTY`: whether a prompt of no words is
        encoded or is all zeros; auto is the family's own way. Raises ParamRange for more than
        there are layers, MissingFile for an unknown `embedding:name`, MismatchedValues for one of
        another model family.
        """
        skip = clip_skip or self.family.clip_skip
        if skip > 0:
            skip = max(skip, self.family.least_skip)
        zeros = self.family.zero_empty if empty == "auto" else empty == "zeros"
        if isinstance(text, str):
            shares = [
                encoder.encode(text, dialect, skip, self.embeddings) if encoder else None
                for encoder in self._encoders
            ]
            encoded = joined(shares, self.family)
            return encoded.zeros() if zeros and not text else encoded
        return joined(self._apart(text, dialect, skip, zeros), self.family)

    @torch.no_grad()
    def summary(self, text: str, *, dialect: str = "a1111", tower: str = "") -> Tensor:
        """A prompt as one vector, float32 [1,width], as the tower of that name reads it ("": the
        first).

        Raises MismatchedValues for a tower that is not there, and what `encode` raises.
        """
        return self._named(tower).summary(text, dialect, self.embeddings)

    @torch.no_grad()
    def pieces(self, text: str, *, dialect: str = "a1111", tower: str = "") -> Pieces:
        """A prompt token by token, as one of the towers reads it; the rest is as of `summary`."""
        return self._named(tower).pieces(text, dialect, self.embeddings)

    def _named(self, tower: str) -> ClipEncoder | T5Encoder:
        there = zip(self.family.towers, self._encoders, strict=True)
        found = {spec.name: encoder for spec, encoder in there if encoder}
        if not tower:
            return next(iter(found.values()))
        if tower not in found:
            raise MismatchedValues(
                f"There is no {tower} in this text encoder of {self.family.title}.",
                remedy=f"Choose one of: {', '.join(found)}.",
                socket="clip",
            )
        return found[tower]

    def _apart(
        self, texts: Mapping[str, str], dialect: str, skip: int, zeros: bool
    ) -> list[Encoded | None]:
        """Each tower's share of its own text, those of CLIP with empty chunks to the same number;
        of no words, where that is wanted, zeros."""
        there = list(zip(self.family.towers, self._encoders, strict=True))
        clips = [
            encoder.chunks(texts[tower.name], dialect, self.embeddings)
            for tower, encoder in there
            if isinstance(encoder, ClipEncoder)
        ]
        shares: list[Encoded | None] = []
        for tower, encoder in there:
            words = texts[tower.name]
            share: Encoded | None = None
            if isinstance(encoder, ClipEncoder):
                share = encoder.encode(words, dialect, skip, self.embeddings, max(clips))
            elif encoder:
                share = encoder.encode(words, dialect, skip, self.embeddings)
            shares.append(share.zeros() if share and zeros and not words else share)
        return shares

    def _encoder(
        self, tower: TextEncoderSpec, pieces: Mapping[str, SentencePieces]
    ) -> ClipEncoder | T5Encoder | None:
        """What reads a prompt with one of the towers; None for one that is not there."""
        module: Any = self.module
        if len(self.family.towers) > 1:
            if tower.name not in module:
                return None
            module = module[tower.name]
        if isinstance(tower, ClipEncoderSpec):
            return ClipEncoder(tower, module, {tower.name for tower in self.family.towers})
        assert isinstance(tower, T5EncoderSpec)
        return T5Encoder(tower, module, pieces.get(tower.name) or shipped(tower.pieces))
