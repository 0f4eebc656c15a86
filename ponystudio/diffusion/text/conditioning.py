"""What the text encoders of a family say of a prompt, put together as its denoiser reads it, and
how the weights of its tokens act on their states, by each dialect.

z are states [B,n,width], w weights [B,n,1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec, TextEncoderSpec

if TYPE_CHECKING:
    from ponystudio.diffusion.families import Family


@dataclass(frozen=True, eq=False)
class Encoded:
    """A prompt, or what one text encoder says of it.

    `context`: float32 [1,n,width]; of CLIP n is 77 a chunk.
    `padding`: float32 [1,77,width], the empty chunk, to lengthen the shorter of two prompts with
    (A1111); None where tokens are repeated instead (ComfyUI), and for families that read any
    length.
    `pooled`: float32 [1,width] for the families that read it, else None.
    """

    context: Tensor
    padding: Tensor | None = None
    pooled: Tensor | None = None

    def zeros(self) -> Encoded:
        """The same shapes, and nothing in them."""
        return Encoded(*(None if x is None else torch.zeros_like(x) for x in vars(self).values()))


def joined(shares: Sequence[Encoded | None], family: Family) -> Encoded:
    """The prompt, of the shares of a family's towers in their order; None for one not there.

    "beside": the states side by side, as many as the longest has. "apart": the states of the last
    tower, and what the others pool (FLUX). "in a row": CLIP's side by side and widened with zeros,
    then T5's; without T5 zeros stand there (SD3).
    """
    there = [share for share in shares if share is not None]
    if family.joined == "beside":
        return _beside(there)
    if family.joined == "apart":
        return Encoded(there[-1].context, pooled=_pooled(there))
    *clips, last = shares
    return _in_a_row(_beside([clip for clip in clips if clip]), last, family.towers[-1])


def _beside(shares: Sequence[Encoded]) -> Encoded:
    if len(shares) == 1:
        return shares[0]
    # A textual inversion may have more vectors for one encoder than for the other.
    longest = max(share.context.shape[1] for share in shares)
    contexts = [pad(share.context, (0, 0, 0, longest - share.context.shape[1])) for share in shares]
    paddings = [share.padding for share in shares if share.padding is not None]
    return Encoded(
        context=torch.cat(contexts, dim=-1),
        padding=torch.cat(paddings, dim=-1) if paddings else None,
        pooled=_pooled(shares),
    )


def _in_a_row(clips: Encoded, t5: Encoded | None, tower: TextEncoderSpec) -> Encoded:
    assert isinstance(tower, T5EncoderSpec)
    nothing = clips.context.new_zeros(1, tower.least, tower.width)
    rows = [clips.context, nothing if t5 is None else t5.context]
    width = max(row.shape[-1] for row in rows)
    context = torch.cat([pad(row, (0, width - row.shape[-1])) for row in rows], dim=1)
    return Encoded(context, pooled=clips.pooled)


def _pooled(shares: Sequence[Encoded]) -> Tensor | None:
    """What the encoders that pool anything do, side by side."""
    vectors = [share.pooled for share in shares if share.pooled is not None]
    return torch.cat(vectors, dim=-1) if vectors else None


def multiplied(z: Tensor, w: Tensor) -> Tensor:
    """A1111's: z' = z·w · mean(z)/mean(z·w), the means taken over each chunk."""
    zw = z * w
    mean, new_mean = (x.mean(dim=(1, 2), keepdim=True) for x in (z, zw))
    return torch.where(new_mean != 0, zw * (mean / new_mean), zw)


def moved(z: Tensor, w: Tensor, empty: Tensor) -> Tensor:
    """ComfyUI's: z' = (z − z∅)·w + z∅ at each position, z∅ the states of no words [1,n,width].

    Places of weight 1 stay as they are.
    """
    return torch.where(w == 1, z, (z - empty) * w + empty)
