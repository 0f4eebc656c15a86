"""From a prompt to what the denoiser reads: the states of CLIP's text encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ponystudio.diffusion.embeddings import read_embedding
from ponystudio.diffusion.network import Network
from ponystudio.diffusion.prompt import parse
from ponystudio.diffusion.tokens import FRAMED, Chunk, ClipTokenizer
from ponystudio.diffusion.weights import Weights
from ponystudio.errors import ParamRange

if TYPE_CHECKING:
    from transformers import CLIPTextModel

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


class TextEncoder(Network["CLIPTextModel"]):
    """CLIP's text encoder with its tokenizer.

    `module` may be on any device and of any floating dtype; what comes out is float32.
    `embeddings` are the textual inversions that prompts may name: file name → path.
    """

    part = "clip"
    # As ComfyUI does, whose pictures a LoRA shall give here too.
    rounds_patches = True

    def __init__(
        self, module: CLIPTextModel, family: Family, weights: Weights | None = None
    ) -> None:
        super().__init__(module, weights)
        self.family = family
        self.tokenizer = ClipTokenizer()
        self.embeddings: Mapping[str, Path] = {}

    @torch.no_grad()
    def encode(self, text: str, *, dialect: str = "a1111", clip_skip: int = 0) -> Encoded:
        """Encode a prompt.

        `dialect` is one of `prompt.DIALECTS`. `clip_skip` 1 takes the last layer, 2 the one
        before, 0 the family's own. Raises ParamRange for more than there are layers, MissingFile
        for an unknown `embedding:name`, MismatchedValues for one of another model family.
        """
        vectors: dict[str, Tensor] = {}

        def size(name: str) -> int:
            if name not in vectors:
                vectors[name] = read_embedding(self.embeddings[name], self._table.shape[1])
            return len(vectors[name])

        chunks = self.tokenizer.chunks(
            parse(text, dialect), dialect, embeddings=self.embeddings, size=size
        )
        weighted = any(chunk.weighted for chunk in chunks)
        needs_empty = dialect == "a1111" or weighted
        rows = [*chunks, self.tokenizer.frame()] if needs_empty else chunks
        states = self._states(rows, vectors, self._layers(clip_skip))

        n = len(chunks)
        z, empty = states[:n], states[n:]
        if weighted:
            w = torch.tensor([chunk.weights for chunk in chunks], device=z.device)[..., None]
            z = _emphasise_a1111(z, w) if dialect == "a1111" else _emphasise_comfyui(z, w, empty)
        return Encoded(
            context=z.reshape(1, n * FRAMED, -1), padding=empty if dialect == "a1111" else None
        )

    @property
    def _table(self) -> Tensor:
        """The token embeddings, [49408,width]."""
        table: Tensor = self.module.embeddings.token_embedding.weight
        return table

    def _layers(self, clip_skip: int) -> int:
        """How many layers to run."""
        layers = len(self.module.encoder.layers)
        skip = clip_skip or self.family.clip_skip
        if not 1 <= skip <= layers:
            raise ParamRange(
                f"Clip skip {skip} leaves nothing of a text encoder of {layers} layers.",
                socket="clip_skip",
                remedy=f"Choose 1 to {layers}, or 0 for what the model was made for.",
            )
        return layers + 1 - skip

    def _states(self, chunks: list[Chunk], vectors: Mapping[str, Tensor], layers: int) -> Tensor:
        """The normalised output of the last of `layers`, float32 [n,77,width]."""
        batches = []
        for start in range(0, len(chunks), BATCH):
            h = self.module.embeddings(
                inputs_embeds=self._look_up(chunks[start : start + BATCH], vectors)
            )
            mask = torch.full((FRAMED, FRAMED), -torch.inf, device=h.device, dtype=h.dtype)
            mask = mask.triu(1)[None, None]
            for layer in self.module.encoder.layers[:layers]:
                h = layer(h, mask)
            batches.append(self.module.final_layer_norm(h).float())
        return torch.cat(batches)

    def _look_up(self, chunks: list[Chunk], vectors: Mapping[str, Tensor]) -> Tensor:
        """Token embeddings [n,77,width] with the textual inversions in their places."""
        ids = torch.tensor([chunk.ids for chunk in chunks], device=self.device)
        embedded = self.module.embeddings.token_embedding(ids)
        for i, chunk in enumerate(chunks):
            for j, token in enumerate(chunk.tokens):
                if token.row is not None:
                    embedded[i, j] = vectors[token.row.name][token.row.place].to(embedded)
        return embedded


def _emphasise_a1111(z: Tensor, w: Tensor) -> Tensor:
    """z' = z·w · mean(z)/mean(z·w), the means taken over each chunk."""
    zw = z * w
    mean, new_mean = (x.mean(dim=(1, 2), keepdim=True) for x in (z, zw))
    return torch.where(new_mean != 0, zw * (mean / new_mean), zw)


def _emphasise_comfyui(z: Tensor, w: Tensor, empty: Tensor) -> Tensor:
    """z' = (z − z∅)·w + z∅ at each position; places of weight 1 stay as they are."""
    return torch.where(w == 1, z, (z - empty) * w + empty)
