"""What modifiers change inside a network, as hooks that are there for one call of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ponystudio.api.modifiers import FreeU, Modifier, PerturbedAttention, SkipLayers
from ponystudio.diffusion.sampling.frequencies import scaled_frequencies
from ponystudio.diffusion.sampling.modified_guidance import skipped_blocks
from ponystudio.diffusion.sampling.self_attention import WatchedAttention
from ponystudio.diffusion.weights.network import modules_named

if TYPE_CHECKING:
    from ponystudio.diffusion.loading.hypernetwork import Nets

# The middle of a UNet, whose self-attentions are the first of each of its blocks.
MIDDLE_ATTENTION = re.compile(r"\Amid_block\..*\.attn1")
KEYS_OR_VALUES = re.compile(r"\A.*\.attn[12]\.(to_[kv])")
Undo = Callable[[], Any]


@contextmanager
def changed(
    module: nn.Module, modifiers: Iterable[Modifier], nets: Nets, mode: Modifier | None
) -> Iterator[None]:
    """Within it the network computes as these modifiers and hypernetworks have it, and as a pass
    of `mode`'s own; modifiers that concern no network, or only passes of theirs, do nothing."""
    with ExitStack() as undone:
        changes = [
            *(_freeu(module, each) for each in modifiers if isinstance(each, FreeU)),
            _hypernetworks(module, nets),
        ]
        if isinstance(mode, PerturbedAttention):
            changes.append(_perturbed(module))
        if isinstance(mode, WatchedAttention):
            changes.append(_watched(module, mode))
        if isinstance(mode, SkipLayers):
            changes.append(_skipped(module, mode))
        for undo in chain.from_iterable(changes):
            undone.callback(undo)
        yield


def freed(
    hidden: Tensor, skip: Tensor, b: float, s: float, *, adaptive: bool
) -> tuple[Tensor, Tensor]:
    """The hidden states and the skip of a decoder's block [B,C,h,w] as FreeU has them.

    b acts on the first half of the hidden channels, s on the lowest frequencies of the skip.
    """
    half = hidden.shape[1] // 2
    strength: Tensor | float = b
    if adaptive:
        mean = hidden.mean(dim=1, keepdim=True)
        low, high = mean.amin(dim=(2, 3), keepdim=True), mean.amax(dim=(2, 3), keepdim=True)
        strength = (b - 1) * ((mean - low) / (high - low).clamp_min(1e-12)) + 1
    hidden = torch.cat([hidden[:, :half] * strength, hidden[:, half:]], dim=1)
    return hidden, scaled_frequencies(skip, low=s, high=1.0, reach=1)


def _freeu(module: Any, modifier: FreeU) -> Iterator[Undo]:
    if not hasattr(module, "up_blocks"):
        return
    narrowest = module.config.block_out_channels[0]
    factors = {4 * narrowest: (modifier.b1, modifier.s1), 2 * narrowest: (modifier.b2, modifier.s2)}
    width = module.up_blocks[0].resnets[0].in_channels  # where there is no middle
    if module.mid_block is not None:
        width = module.mid_block.resnets[-1].out_channels
    for block in module.up_blocks:
        for resnet in block.resnets:
            if found := factors.get(width):
                yield resnet.register_forward_pre_hook(
                    _before_joined(width, *found, adaptive=modifier.adaptive)
                ).remove
            width = resnet.out_channels


def _before_joined(width: int, b: float, s: float, *, adaptive: bool) -> Any:
    """diffusers joins the two before its block: the first `width` channels are hidden states."""

    def before(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        joined, *others = given
        hidden, skip = freed(joined[:, :width], joined[:, width:], b, s, adaptive=adaptive)
        return (torch.cat([hidden, skip], dim=1), *others)

    return before


class ValuesAsTheyAre:
    """An attention, as diffusers calls one, in which every place attends to itself alone."""

    def __call__(self, attention: Any, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        projection, dropout = attention.to_out
        out: Tensor = dropout(projection(attention.to_v(hidden_states)))
        return out


def _perturbed(module: nn.Module) -> Iterator[Undo]:
    for _, attention in modules_named(module, MIDDLE_ATTENTION):
        yield _replaced(attention, "processor", ValuesAsTheyAre())


def _watched(module: nn.Module, watch: WatchedAttention) -> Iterator[Undo]:
    """Of the first block in the middle."""
    for _, attention in modules_named(module, MIDDLE_ATTENTION):
        yield attention.register_forward_pre_hook(_watching(watch), with_kwargs=True).remove
        return


def _watching(watch: WatchedAttention) -> Any:
    def before(attention: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        hidden = given[0] if given else named["hidden_states"]
        q, k = (
            layer(hidden).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
            for layer in (attention.to_q, attention.to_k)
        )
        seen = [  # a head at a time: all pairs of places are many
            (q[:, head] @ k[:, head].transpose(1, 2) * attention.scale).float().softmax(-1).sum(1)
            for head in range(attention.heads)
        ]
        watch.maps.append(torch.stack(seen).mean(0))

    return before


def _skipped(module: nn.Module, modifier: SkipLayers) -> Iterator[Undo]:
    for block in skipped_blocks(module, modifier):
        yield _replaced(block, "forward", _pass_through)


def _pass_through(hidden_states: Tensor, encoder_hidden_states: Any = None, **_: Any) -> Any:
    """A block that changes nothing, for those over one stream and over two."""
    if encoder_hidden_states is None:
        return hidden_states
    return encoder_hidden_states, hidden_states


def _replaced(module: Any, name: str, value: Any) -> Undo:
    """Have an attribute of a module be another until it is undone, submodule or not."""
    own, before = name in vars(module), getattr(module, name)
    vars(module)[name] = value

    def undo() -> None:
        if own:
            vars(module)[name] = before
        else:
            del vars(module)[name]

    return undo


def _hypernetworks(module: nn.Module, nets: Nets) -> Iterator[Undo]:
    """k and v are made of x + s·net(x), x what the attention reads: itself, or the prompt."""
    if not nets:
        return
    for match, layer in modules_named(module, KEYS_OR_VALUES):
        index = ("to_k", "to_v").index(match[1])
        yield layer.register_forward_pre_hook(_through(nets, index)).remove


def _through(nets: Nets, index: int) -> Any:
    def before(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        x, *others = given
        for by_width, strength in nets:
            if pair := by_width.get(x.shape[-1]):
                x = x + strength * pair[index](x)
        return (x, *others)

    return before
