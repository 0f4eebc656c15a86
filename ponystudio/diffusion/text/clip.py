"""CLIP's text encoder (Radford et al. 2021): chunks of 77 tokens, each read by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ponystudio.diffusion.families.text_encoder_specs import END, ClipEncoderSpec
from ponystudio.diffusion.text.clip_tokens import FRAMED, Chunk, ClipTokenizer, Token
from ponystudio.diffusion.text.conditioning import Encoded, moved, multiplied
from ponystudio.diffusion.text.prompt_syntax import parse
from ponystudio.diffusion.text.textual_inversion import read_embedding
from ponystudio.diffusion.text.token_lens import Pieces
from ponystudio.diffusion.weights.embedding_tensors import Bundled
from ponystudio.errors import ParamRange

# Chunks that are encoded at once; bounds the memory that a pasted book takes.
BATCH = 64


class ClipEncoder:
    """One of CLIP's, of `module`: transformers' CLIPTextModel, or that with a projection.

    `towers` are the names of all text encoders that its model has.
    """

    def __init__(self, tower: ClipEncoderSpec, module: Any, towers: Collection[str]) -> None:
        self._tower, self._towers = tower, towers
        self._projection = getattr(module, "text_projection", None)
        self._text = module if self._projection is None else module.text_model
        self._tokenizer = ClipTokenizer(tower.pad)

    def encode(
        self,
        text: str,
        dialect: str,
        skip: int,
        embeddings: Mapping[str, Path | Bundled],
        least: int = 1,
    ) -> Encoded:
        """Its share of the prompt, of at least so many chunks; `skip` 1 takes the last layer, 2 the
        one before.

        Raises ParamRange for more than there are layers, and what `ClipTokenizer.chunks` and
        `read_embedding` raise.
        """
        chunks, vectors = self._cut(text, dialect, embeddings)
        chunks += [self._tokenizer.frame()] * (least - len(chunks))
        weighted = any(chunk.weighted for chunk in chunks)
        needs_empty = dialect == "a1111" or weighted
        rows = [*chunks, self._tokenizer.frame()] if needs_empty else chunks
        states, pooled = self._states(rows, vectors, self._depth(skip))

        n = len(chunks)
        z, empty = states[:n], states[n:]
        if weighted:
            w = torch.tensor([chunk.weights for chunk in chunks], device=z.device)[..., None]
            z = multiplied(z, w) if dialect == "a1111" else moved(z, w, empty)
        return Encoded(
            context=z.reshape(1, n * FRAMED, -1),
            padding=empty if dialect == "a1111" else None,
            pooled=pooled,
        )

    def pieces(self, text: str, dialect: str, embeddings: Mapping[str, Path | Bundled]) -> Pieces:
        """A prompt token by token, without what frames its chunks."""
        chunks, vectors = self._cut(text, dialect, embeddings)
        states, _ = self._states(chunks, vectors, len(self._text.encoder.layers))
        before = self._look_up(chunks, vectors).float()
        places = [
            (i, j) for i, chunk in enumerate(chunks) for j in range(1, chunk.ids.index(END, 1))
        ]
        tokens = [chunks[i].tokens[j] for i, j in places]
        at = tuple(torch.tensor(places, dtype=torch.long).view(-1, 2).t())
        return Pieces(
            [self._read(token) for token in tokens],
            [token.id if token.row is None else None for token in tokens],
            before[at],
            states[at],
            self._text.embeddings.token_embedding.weight,
            self._tokenizer.spell,
        )

    def _read(self, token: Token) -> str:
        if token.row is None:
            return self._tokenizer.spell(token.id)
        return f"{token.row.name} {token.row.place + 1}"

    def summary(self, text: str, dialect: str, embeddings: Mapping[str, Path | Bundled]) -> Tensor:
        """The first chunk of a prompt as one vector, float32 [1,width]: the END behind all layers
        and the last norm, before any projection."""
        chunks, vectors = self._cut(text, dialect, embeddings)
        h = self._text.embeddings(inputs_embeds=self._look_up(chunks[:1], vectors))
        return self._end(h, chunks[0], 0, _causal(h)).float()

    def chunks(self, text: str, dialect: str, embeddings: Mapping[str, Path | Bundled]) -> int:
        """How many chunks a prompt takes."""
        return len(self._cut(text, dialect, embeddings)[0])

    def _cut(
        self, text: str, dialect: str, embeddings: Mapping[str, Path | Bundled]
    ) -> tuple[list[Chunk], dict[str, Tensor]]:
        """The prompt in chunks, and the vectors of the textual inversions in it, by name."""
        vectors: dict[str, Tensor] = {}

        def size(name: str) -> int:
            if name not in vectors:
                width = self._text.embeddings.token_embedding.weight.shape[1]
                vectors[name] = read_embedding(
                    embeddings[name], width, self._tower.name, self._towers
                )
            return len(vectors[name])

        segments = parse(text, dialect)
        chunks = self._tokenizer.chunks(segments, dialect, embeddings=embeddings, size=size)
        return chunks, vectors

    def _depth(self, skip: int) -> int:
        """How many layers to run for the states."""
        layers = len(self._text.encoder.layers)
        # Files that leave the last one out are of models that never read it.
        left_out = 1 if layers == self._tower.whole - 1 else 0
        if not 1 <= skip <= layers + left_out:
            raise ParamRange(
                f"Clip skip {skip} leaves nothing of a text encoder of {layers} layers.",
                socket="clip_skip",
                remedy=f"Choose 1 to {layers}, or 0 for what the model was made for.",
            )
        return min(layers, layers + left_out + 1 - skip)

    def _states(
        self, chunks: list[Chunk], vectors: Mapping[str, Tensor], depth: int
    ) -> tuple[Tensor, Tensor | None]:
        """The output of layer number `depth`, float32 [n,77,width], and the pooled vector of the
        first chunk [1,width]."""
        batches, pooled = [], None
        for start in range(0, len(chunks), BATCH):
            batch = chunks[start : start + BATCH]
            h = self._text.embeddings(inputs_embeds=self._look_up(batch, vectors))
            mask = _causal(h)
            for layer in self._text.encoder.layers[:depth]:
                h = layer(h, mask)
            batches.append((self._text.final_layer_norm(h) if self._tower.normed else h).float())
            if self._tower.pooled and pooled is None:
                pooled = self._pooled(h[:1], batch[0], depth, mask)
        return torch.cat(batches), pooled

    def _pooled(self, h: Tensor, chunk: Chunk, depth: int, mask: Tensor) -> Tensor:
        """What the whole encoder makes of the END, float32 [1,width] or [1,projection]."""
        pooled = self._end(h, chunk, depth, mask)
        if self._projection is not None:
            pooled = self._projection(pooled)
        return pooled.float()

    def _end(self, h: Tensor, chunk: Chunk, depth: int, mask: Tensor) -> Tensor:
        """The normed state at the END, of what comes out of layer number `depth`."""
        for layer in self._text.encoder.layers[depth:]:
            h = layer(h, mask)
        end: Tensor = self._text.final_layer_norm(h)[:, chunk.ids.index(END, 1)]
        return end

    def _look_up(self, chunks: list[Chunk], vectors: Mapping[str, Tensor]) -> Tensor:
        """Token embeddings [n,77,width] with the textual inversions in their places."""
        table = self._text.embeddings.token_embedding
        ids = torch.tensor([chunk.ids for chunk in chunks], device=table.weight.device)
        embedded: Tensor = table(ids)
        for i, chunk in enumerate(chunks):
            for j, token in enumerate(chunk.tokens):
                if token.row is not None:
                    embedded[i, j] = vectors[token.row.name][token.row.place].to(embedded)
        return embedded


def _causal(h: Tensor) -> Tensor:
    """What keeps each place of states [n,77,width] from seeing those behind it."""
    mask = torch.full((FRAMED, FRAMED), -torch.inf, device=h.device, dtype=h.dtype)
    return mask.triu(1)[None, None]
