"""What a text encoder makes of a prompt, token by token, for people who want to see why two words
mean the same to a model, or what a textual inversion stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

# Rows of a table of tokens that are compared at once.
STRETCH = 1 << 14


@dataclass(frozen=True, eq=False)
class Pieces:
    """What a text encoder cuts a prompt into.

    `texts`: each piece as one reads it, with a hyphen where its word goes on; `ids`: its number in
    the vocabulary, None for a vector of a textual inversion. `vectors`, `states`: float32
    [n,width], what stands for it before the encoder reads the prompt, and after. `table` [V,width]
    has the vectors of the vocabulary, in the dtype of the encoder; `spell` reads a number of it.
    """

    texts: Sequence[str]
    ids: Sequence[int | None]
    vectors: Tensor
    states: Tensor
    table: Tensor
    spell: Callable[[int], str]

    def nearest(self, count: int) -> list[list[tuple[str, float]]]:
        """For each piece the tokens of the vocabulary whose vectors point most alike, and their
        cosines; itself left out."""
        vectors = normalize(self.vectors, dim=1)
        parts = [vectors @ normalize(part.float(), dim=1).t() for part in self.table.split(STRETCH)]
        cosines = torch.cat(parts, dim=1)
        for row, id in zip(cosines, self.ids, strict=True):
            if id is not None:
                row[id] = -2.0
        found = cosines.topk(count, dim=1)
        return [
            [(self.spell(id), value) for id, value in zip(ids, values, strict=True)]
            for ids, values in zip(found.indices.tolist(), found.values.tolist(), strict=True)
        ]


def cosines(first: Tensor, second: Tensor) -> Tensor:
    """How alike the vectors [n,width] and [m,width] point, [n,m] in −1..1."""
    return normalize(first.float(), dim=1) @ normalize(second.float(), dim=1).t()
