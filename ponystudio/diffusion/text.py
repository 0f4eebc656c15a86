"""From a prompt to what the denoiser reads: the states of CLIP's text encoders."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ponystudio.diffusion.embedding_files import Bundled
from ponystudio.diffusion.embeddings import read_embedding
from ponystudio.diffusion.network import Network
from ponystudio.diffusion.prompt import parse
from ponystudio.diffusion.tokens import FRAMED, Chunk, ClipTokenizer
from ponystudio.diffusion.towers import END, Tower
from ponystudio.diffusion.weights import Weights
from ponystudio.errors import ParamRange

if TYPE_CHECKING:
    from torch import nn

    from ponystudio.diffusion.families import Family

# Chunks that are encoded at once; bounds the memory that a pasted book takes.
BATCH = 64


@dataclass(frozen=True, eq=False)
class Encoded:
    """A prompt of n chunks.

    `context`: float32 [1,77·n,width].
    `padding`: float32 [1,77,width], the empty chunk, to lengthen the shorter of two prompts with
    (A1111); None where tokens are repeated instead (ComfyUI).
    `pooled`: float32 [1,width] for the families that read it, else None.
    """

    context: Tensor
    padding: Tensor | None = None
    pooled: Tensor | None = None

    def zeros(self) -> Encoded:
        """The same shapes, and nothing in them."""
        return Encoded(*(None if x is None else torch.zeros_like(x) for x in vars(self).values()))


class TextEncoder(Network["nn.Module"]):
    """The text encoders of a family with their tokenizers.

    `module` is the only one, or a ModuleDict by the names of the family's towers; on any device
    and of any floating dtype, while what comes out is float32.
    `embeddings` are the textual inversions that prompts may name: file name → path, and the words
    of those in LoRA files.
    """

    part = "clip"
    # As ComfyUI does, whose pictures a LoRA shall give here too.
    rounds_patches = True

    def __init__(self, module: nn.Module, family: Family, weights: Weights | None = None) -> None:
        super().__init__(module, weights)
        self.family = family
        alone = len(family.towers) == 1
        names = {tower.name for tower in family.towers}
        self._clips = [
            _Clip(tower, module if alone else module.get_submodule(tower.name), names)
            for tower in family.towers
        ]
        self.embeddings: Mapping[str, Path | Bundled] = {}

    @torch.no_grad()
    def encode(
        self, text: str, *, dialect: str = "a1111", clip_skip: int = 0, empty: str = "auto"
    ) -> Encoded:
        """Encode a prompt.

        `dialect` is one of `prompt.DIALECTS`. `clip_skip` 1 takes the last layer, 2 the one
        before, 0 the family's own. `empty`, of `prompt.EMPTY`: whether a prompt of no words is
        encoded or is all zeros; auto is the family's own way. Raises ParamRange for more than
        there are layers, MissingFile for an unknown `embedding:name`, MismatchedValues for one of
        another model family.
        """
        skip = clip_skip or self.family.clip_skip
        if skip > 0:
            skip = max(skip, self.family.least_skip)
        encoded = _side_by_side(
            [clip.encode(text, dialect, skip, self.embeddings) for clip in self._clips]
        )
        zeros = self.family.zero_empty if empty == "auto" else empty == "zeros"
        return encoded.zeros() if zeros and not text else encoded


class _Clip:
    """One of the encoders; `towers` are the names of all."""

    def __init__(self, tower: Tower, module: Any, towers: Collection[str]) -> None:
        self._tower, self._towers = tower, towers
        self._text = module.text_model if tower.projected else module
        self._projection = module.text_projection if tower.projected else None
        self._tokenizer = ClipTokenizer(tower.pad)

    def encode(
        self, text: str, dialect: str, skip: int, embeddings: Mapping[str, Path | Bundled]
    ) -> Encoded:
        """Its share of the prompt."""
        vectors: dict[str, Tensor] = {}

        def size(name: str) -> int:
            if name not in vectors:
                width = self._text.embeddings.token_embedding.weight.shape[1]
                vectors[name] = read_embedding(
                    embeddings[name], width, self._tower.name, self._towers
                )
            return len(vectors[name])

        chunks = self._tokenizer.chunks(
            parse(text, dialect), dialect, embeddings=embeddings, size=size
        )
        weighted = any(chunk.weighted for chunk in chunks)
        needs_empty = dialect == "a1111" or weighted
        rows = [*chunks, self._tokenizer.frame()] if needs_empty else chunks
        states, pooled = self._states(rows, vectors, self._depth(skip))

        n = len(chunks)
        z, empty = states[:n], states[n:]
        if weighted:
            w = torch.tensor([chunk.weights for chunk in chunks], device=z.device)[..., None]
            z = _emphasise_a1111(z, w) if dialect == "a1111" else _emphasise_comfyui(z, w, empty)
        return Encoded(
            context=z.reshape(1, n * FRAMED, -1),
            padding=empty if dialect == "a1111" else None,
            pooled=pooled,
        )

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
            mask = torch.full((FRAMED, FRAMED), -torch.inf, device=h.device, dtype=h.dtype)
            mask = mask.triu(1)[None, None]
            for layer in self._text.encoder.layers[:depth]:
                h = layer(h, mask)
            batches.append((self._text.final_layer_norm(h) if self._tower.normed else h).float())
            if self._projection is not None and pooled is None:
                pooled = self._pooled(h[:1], batch[0], depth, mask)
        return torch.cat(batches), pooled

    def _pooled(self, h: Tensor, chunk: Chunk, depth: int, mask: Tensor) -> Tensor:
        """What the whole encoder makes of the END, float32 [1,projection]."""
        for layer in self._text.encoder.layers[depth:]:
            h = layer(h, mask)
        at_end = self._text.final_layer_norm(h)[:, chunk.ids.index(END, 1)]
        pooled: Tensor = self._projection(at_end).float()  # type: ignore[misc]
        return pooled

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


def _side_by_side(parts: list[Encoded]) -> Encoded:
    """The shares of all encoders as one; the pooled vector is the only one's that makes any."""
    if len(parts) == 1:
        return parts[0]
    # A textual inversion may have more vectors for one encoder than for the other.
    longest = max(part.context.shape[1] for part in parts)
    contexts = [pad(part.context, (0, 0, 0, longest - part.context.shape[1])) for part in parts]
    paddings = [part.padding for part in parts if part.padding is not None]
    return Encoded(
        context=torch.cat(contexts, dim=-1),
        padding=torch.cat(paddings, dim=-1) if paddings else None,
        pooled=next((part.pooled for part in parts if part.pooled is not None), None),
    )


def _emphasise_a1111(z: Tensor, w: Tensor) -> Tensor:
    """z' = z·w · mean(z)/mean(z·w), the means taken over each chunk."""
    zw = z * w
    mean, new_mean = (x.mean(dim=(1, 2), keepdim=True) for x in (z, zw))
    return torch.where(new_mean != 0, zw * (mean / new_mean), zw)


def _emphasise_comfyui(z: Tensor, w: Tensor, empty: Tensor) -> Tensor:
    """z' = (z − z∅)·w + z∅ at each position; places of weight 1 stay as they are."""
    return torch.where(w == 1, z, (z - empty) * w + empty)
