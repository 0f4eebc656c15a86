"""Text encoders of the T5 kind (Raffel et al. 2020), which read a prompt of any length at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec
from ponystudio.diffusion.text.clip_tokens import spelt
from ponystudio.diffusion.text.conditioning import Encoded, moved
from ponystudio.diffusion.text.embedding_names import split_at_embeddings
from ponystudio.diffusion.text.prompt_syntax import Break, parse
from ponystudio.diffusion.text.sentencepiece_tokens import BLANK, SentencePieces
from ponystudio.diffusion.text.token_lens import Pieces


class T5Encoder:
    """One of them, of `stack`: transformers' T5Stack or UMT5Stack, and its tokenizer.

    Raises UnsupportedModel for a tokenizer that was made for another encoder.
    """

    def __init__(self, tower: T5EncoderSpec, stack: Any, pieces: SentencePieces) -> None:
        pieces.check(tower, stack.config.vocab_size)
        self._tower, self._stack, self._pieces = tower, stack, pieces

    def encode(self, text: str, dialect: str, _skip: int, embeddings: Collection[str]) -> Encoded:
        """Its share of the prompt: as many tokens as it has with its end, or the tower's `least`.

        It has no layers to skip, and textual inversions have no vectors for it: what
        `embedding:name` says is left out.
        Raises MissingFile for a name that is not among `embeddings`.
        """
        tokens = [*self._tokens(text, dialect, embeddings), (self._tower.end, 1.0)]
        length = max(len(tokens), self._tower.least)
        rows = [[id for id, _ in tokens]]
        w = torch.tensor([weight for _, weight in tokens] + [1.0] * (length - len(tokens)))
        weighted = bool((w != 1).any())
        if weighted and dialect == "comfyui":
            rows.append([self._tower.end])
        states = self._states(rows, length)
        z, empty, w = states[:1], states[1:], w.to(states.device)[None, :, None]
        if weighted:
            # The mean of its states is next to nothing, so that to restore it would be to scale
            # them by chance.
            z = z * w if dialect == "a1111" else moved(z, w, empty)
        return Encoded(z)

    def pieces(self, text: str, dialect: str, embeddings: Collection[str]) -> Pieces:
        """A prompt token by token, without its end."""
        ids = [id for id, _ in self._tokens(text, dialect, embeddings)]
        states = self._states([[*ids, self._tower.end]], len(ids) + 1)[0, : len(ids)]
        table = self._stack.embed_tokens.weight
        vectors = table[torch.tensor(ids, dtype=torch.long, device=table.device)].float()
        return Pieces([self._spell(id) for id in ids], ids, vectors, states, table, self._spell)

    def _spell(self, id: int) -> str:
        """With a hyphen before what goes on with a word: this tokenizer marks where one begins."""
        piece = self._pieces.spell(id)
        return piece[1:] or piece if piece.startswith(BLANK) else f"-{piece}"

    def summary(self, text: str, dialect: str, embeddings: Collection[str]) -> Tensor:
        """A prompt as one vector, float32 [1,width]: the mean of the states of its tokens."""
        states = self.pieces(text, dialect, embeddings).states
        if not len(states):
            return states.new_zeros(1, states.shape[1])
        return states.mean(dim=0, keepdim=True)

    def _tokens(
        self, text: str, dialect: str, embeddings: Collection[str]
    ) -> list[tuple[int, float]]:
        """Ids and weights; each segment is tokenised by itself, as ComfyUI does."""
        names = spelt(tuple(embeddings))
        segments = [part for part in parse(text, dialect) if not isinstance(part, Break)]
        return [
            (id, segment.weight)
            for segment in segments
            for words, name in split_at_embeddings(segment.text, dialect, names)
            if name is None
            for id in self._pieces.ids(words)
        ]

    def _states(self, rows: list[list[int]], length: int) -> Tensor:
        """Its last states of token ids, padded to one length, float32 [B,length,width].

        Where the padding is not seen its own are zeros.
        """
        device = self._stack.embed_tokens.weight.device
        padded = [row + [self._tower.pad] * (length - len(row)) for row in rows]
        ids = torch.tensor(padded, device=device)
        if not self._tower.masked:
            states: Tensor = self._stack(input_ids=ids).last_hidden_state
            return states.float()
        ends = torch.tensor([[len(row)] for row in rows], device=device)
        seen = torch.arange(length, device=device) < ends
        states = self._stack(input_ids=ids, attention_mask=seen.long()).last_hidden_state
        return states.float().masked_fill(~seen[..., None], 0)
