"""GLIGEN (Li et al. 2023): layers in a UNet, by which it knows what to place where.

A box with the words for what is in it becomes a token; in every transformer block of the UNet the
picture attends to those tokens too, by as much as a gate is open:
x ← x + tanh(α)·attention(norm([x, boxes]))[:n], between self-attention and the prompt's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights import tensor_names
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights
from ponystudio.errors import MismatchedValues

# As many boxes as the network was trained with; those that are free stand for nothing.
MOST_BOXES = 30


class GatedLayers(nn.Module):
    """GLIGEN's layers: `position_net` makes tokens of boxes, `fusers` are those of the blocks.

    `arguments`: of diffusers' GLIGENTextBoundingboxProjection, and under "fusers" those of each
    GatedSelfAttentionDense.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        from diffusers.models.attention import GatedSelfAttentionDense
        from diffusers.models.embeddings import GLIGENTextBoundingboxProjection

        super().__init__()
        said = {name: value for name, value in arguments.items() if name != "fusers"}
        self.position_net = GLIGENTextBoundingboxProjection(**said)
        self.fusers = nn.ModuleList(GatedSelfAttentionDense(**one) for one in arguments["fusers"])


class GligenNetwork(Network[GatedLayers]):
    """GLIGEN's layers with their weights. `blocks`: the transformer block, as the file calls it,
    that each of the fusers stands in; `width`: of the words for a box."""

    part = "gligen"

    def __init__(
        self,
        module: GatedLayers,
        family: Family,
        blocks: Sequence[str],
        weights: Weights | None = None,
    ) -> None:
        super().__init__(module, weights)
        self.family = family
        self.width: int = module.position_net.positive_len
        self._blocks = blocks

    @torch.no_grad()
    def tokens(self, words: Tensor, boxes: Tensor) -> Tensor:
        """The tokens [1,30,context] of boxes, for `placed`.

        `words` [n,width]: the pooled words of each. `boxes` [n,4]: left, top, right and bottom, as
        shares of the picture. Raises MismatchedValues for more than 30 of them.
        """
        n = len(boxes)
        if n > MOST_BOXES:
            raise MismatchedValues(
                f"Texts are placed in {n} boxes, and GLIGEN was made for {MOST_BOXES}.",
                remedy="Place fewer.",
            )
        there = {"device": self.device, "dtype": torch.float32}
        places, masks = torch.zeros(1, MOST_BOXES, 4, **there), torch.zeros(1, MOST_BOXES, **there)
        said = torch.zeros(1, MOST_BOXES, self.width, **there)
        places[0, :n], masks[0, :n], said[0, :n] = boxes.to(**there), 1, words.to(**there)
        net = self.module.position_net
        return net(*(x.to(self.dtype) for x in (places, masks, said)))

    @contextmanager
    def placed(self, unet: Any) -> Iterator[None]:
        """Within it diffusers' `unet` has the layers, for whose tokens it takes
        `cross_attention_kwargs={"gligen": {"objs": tokens}}`.

        Raises MismatchedValues for a UNet of other blocks than they were made for.
        """
        ours = [name for name, _ in unet.named_modules()]
        of_ldm = tensor_names.ldm_modules(ours)
        try:
            blocks = [unet.get_submodule(of_ldm.get(name, name)) for name in self._blocks]
        except AttributeError as error:
            raise MismatchedValues(
                f"The GLIGEN model was made for another model: {error}.",
                remedy="Use one that was made for the model's family.",
            ) from None
        # Not registered: to everybody else the network stays what its file says.
        for block, fuser in zip(blocks, self.module.fusers, strict=True):
            vars(block)["fuser"] = fuser
        vars(unet)["position_net"] = lambda objs: objs
        try:
            yield
        finally:
            for block in blocks:
                del vars(block)["fuser"]
            del vars(unet)["position_net"]
