"""What to do when memory runs short: one fallback after the other, each told to the user.

1. forget cached results that the run does not need      changes nothing
2. take idle weights off the device                      changes nothing
3. ask the node to be frugal: tiles, one row at a time   may change the last bits of its result
4. let more blocks of the weights come as needed         changes nothing; slower
5. run it on the CPU                                     may change the last bits; slow
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

from ponystudio.engine.cache.result_cache import ResultCache
from ponystudio.engine.memory.devices import DeviceChoice, release_cached
from ponystudio.engine.memory.weights_pool import WeightsPool
from ponystudio.engine.protocol.run_events import Event, Memory
from ponystudio.errors import OutOfMemory

T = TypeVar("T")


@dataclass(frozen=True)
class Fallback:
    """How a node is run. Results made otherwise than plainly carry `suffix` in their keys."""

    frugal: bool = False
    on_cpu: bool = False

    @property
    def suffix(self) -> str:
        return " ".join(["frugal"] * self.frugal + ["on the cpu"] * self.on_cpu)


PLAIN, FRUGAL, ON_CPU = Fallback(), Fallback(frugal=True), Fallback(frugal=True, on_cpu=True)


@dataclass(frozen=True)
class FailedAttempt:
    """What an attempt that ran out of memory was about.

    `adapts`: the node knows how to be frugal. `opened`: content id and part of every network that
    it asked for.
    """

    adapts: bool
    opened: frozenset[tuple[str, str]]

    @property
    def parts(self) -> set[str]:
        return {part for _, part in self.opened}


class OomFallbacks:
    """Runs a node in one way after the other until the memory suffices, and remembers which did.

    `known` has those that were needed, by digest of the node's key.
    """

    def __init__(
        self,
        choice: DeviceChoice,
        results: ResultCache,
        pool: WeightsPool,
        emit: Callable[[Event], None],
    ) -> None:
        self._choice, self._results, self._pool, self._emit = choice, results, pool, emit
        self.known: dict[str, Fallback] = {}

    def attempt(
        self,
        node: str,
        digest: str,
        run: Callable[[Fallback], T],
        failed: Callable[[], FailedAttempt],
        *,
        denoiser_on_cpu: bool = False,
    ) -> T:
        """What `run` returns with the first fallback that suffices, from the known one on.

        `failed` describes the last attempt; `denoiser_on_cpu`: when nothing else helps, be slow.
        Raises OutOfMemory when none is left; every other error goes through.
        """
        fallback = start = self.known.get(digest, PLAIN)
        following = self._following(node, start, failed, denoiser_on_cpu)
        while True:
            try:
                result = run(fallback)
                break
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                # The frames of the failed attempt hold tensors that the next one needs gone.
                traceback.clear_frames(error.__traceback__)
            gc.collect()
            release_cached(self._choice.device)
            next_fallback = next(following, None)
            if next_fallback is None:
                raise OutOfMemory(
                    f"There is not enough memory on {self._choice.why.partition(',')[0]}.",
                    node=node,
                    remedy="Make the picture or the batch smaller, or close other programs.",
                )
            fallback = next_fallback
        if fallback != start:
            self.known[digest] = fallback
        return result

    def _following(
        self,
        node: str,
        start: Fallback,
        failed: Callable[[], FailedAttempt],
        denoiser_on_cpu: bool,
    ) -> Iterator[Fallback]:
        """The fallbacks that are still worth a try, each after what it frees was freed."""
        on_device = self._choice.device.type != "cpu"
        if freed := self._results.drop_unpinned(device=on_device):
            self._emit(Memory(f"forgot cached results ({_size(freed)})", node))
            yield start
        if freed := self._pool.offload_idle():
            self._emit(Memory(f"took idle weights off the device ({_size(freed)})", node))
            yield start
        frugal = start
        if not start.frugal and failed().adapts:
            self._emit(Memory("works in smaller pieces", node))
            frugal = FRUGAL
            yield FRUGAL
        while self._pool.halve_rooms(failed().opened):
            self._emit(Memory("keeps fewer blocks of the weights in memory", node))
            yield frugal
        parts = failed().parts
        movable = parts and ("model" not in parts or denoiser_on_cpu)
        if on_device and movable and not start.on_cpu:
            self._emit(Memory("runs on the CPU", node))
            self._pool.offload_idle()
            yield ON_CPU


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError | OutOfMemory):
        return True
    # The CPU's and Apple's allocators have no class of their own for it.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "not enough memory" in text or "out of memory" in text or "can't allocate memory" in text
    )


def _size(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
