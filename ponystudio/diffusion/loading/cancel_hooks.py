"""Stop means stop: a look at the user's wish before every block of a network, and as it loads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any, Protocol, TypeVar

from torch import nn

from ponystudio.errors import Cancelled

# Seconds in which a cancel is seen while something loads.
POLL = 0.05


class Closable(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)
Check = Callable[[], None]


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


def aside(work: Callable[[Check], T], check: Check) -> T:
    """What `work` gives or raises, on a thread of its own: neither an import nor a page of a slow
    disk can be interrupted, but need not be waited for.

    `work` is handed a check to call where it may end. When `check`, which is asked all the while,
    raises Cancelled, the thread is left to itself: it ends at its next check, or closes what it has
    made for nobody.
    """
    left, done = Event(), Event()
    made: list[T] = []
    failed: list[BaseException] = []

    def check_both() -> None:
        if left.is_set():
            raise Cancelled
        check()

    def run() -> None:
        try:
            made.append(work(check_both))
        except BaseException as error:
            failed.append(error)
        done.set()
        if left.is_set():
            drop()

    def drop() -> None:
        with suppress(IndexError):  # whoever comes first
            made.pop().close()

    threading.Thread(target=run, name="loading", daemon=True).start()
    try:
        while not done.wait(POLL):
            check()
    except BaseException:
        left.set()
        if done.is_set():
            drop()
        raise
    if failed:
        raise failed.pop()
    return made[0]
