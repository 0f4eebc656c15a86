"""Stop means stop: a look at the user's wish before every block of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The network itself and, in it, every composite element of a list of layers.

    That is each residual block, transformer, resampler and text layer: no more than a few hundred,
    none of them longer than a small part of a step.
    """
    yield module
    for holder in module.modules():
        if isinstance(holder, nn.ModuleList | nn.Sequential):
            yield from (child for child in holder if next(child.children(), None) is not None)


@contextmanager
def cancel_hooks(module: nn.Module, check: Callable[[], None]) -> Iterator[None]:
    """Within the `with`, `check` is called before every block runs; what it raises goes through.

    `check` raises Cancelled when the user asked to stop.
    """

    def before(*_: Any) -> None:
        check()

    # Before other hooks: those may wait for what a cancelled run needs no more.
    handles = [block.register_forward_pre_hook(before, prepend=True) for block in blocks(module)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
