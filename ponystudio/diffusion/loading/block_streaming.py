"""Networks larger than the memory for them: their blocks come from the file as they are needed.

While one block computes, a thread brings the next: it reads its pages, and moves, unpacks, casts
and patches its tensors, exactly as loading them does; so the bits of the result are the same.
As many blocks stay as there is room for, spread evenly, so that the others have time to come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ponystudio.diffusion.loading.lora_patching import WeightChange, with_changes
from ponystudio.diffusion.weights.weights import FileTensor, Weights, assign
from ponystudio.system import main_memory

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

# Blocks of more than this are taken apart, where they have parts.
MOST = 2 << 30
PAGE = 4096
ALIGNED = 64  # bytes, in pinned memory
POLL = 0.05  # seconds between looks at the user's wish, while a block is waited for
Deltas = Sequence[tuple[float, WeightChange]]


def _nothing() -> None: ...


@dataclass(eq=False)
class Block:
    """A part of a network that computes by itself: where it is, and the names of its tensors."""

    path: str
    module: nn.Module
    names: tuple[str, ...]
    nbytes: int


@dataclass
class PrefetchStats:
    """Seconds that were spent waiting for blocks, and bytes of the file that came."""

    wait_seconds: float = 0.0
    bytes_read: int = 0


class _Stopped(Exception):
    """What a block raises in its thread that need not come any more."""


class Stream:
    """The blocks of a network that come and go.

    `names` are their tensors; they have no memory but while their block computes. `deltas` is what
    LoRAs and merges make of them. `nbytes`: what the coming blocks take at most, beside those that
    stay.
    """

    def __init__(
        self,
        module: nn.Module,
        weights: Weights,
        blocks: Sequence[Block],
        device: torch.device,
        dtype: torch.dtype,
        *,
        rounds: bool = False,
    ) -> None:
        self.device, self.dtype = device, dtype
        self.deltas: dict[str, Deltas] = {}
        self.names = frozenset(name for block in blocks for name in block.names)
        self.blocks = tuple(blocks)
        self.prefetch = PrefetchStats()
        self._module, self._weights, self._rounds = module, weights, rounds
        self._shapes = {name: module.get_parameter(name).shape for name in self.names}
        self._following = dict(zip(blocks, [*blocks[1:], *blocks[:1]], strict=True))
        self._first = self.blocks[0]
        self._here: Block | None = None
        self._last: Block | None = None
        self._coming: tuple[Block, Future[dict[str, Tensor]]] | None = None
        self._check: Callable[[], None] = _nothing
        self._stop = Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="weights")
        self._mover = _Mover(device)
        # Pages that will be read over before they are wanted again only drive others out.
        stored = sum(self._stored(block) for block in blocks)
        self._lets_go = device.type == "cpu" and stored > main_memory.available()
        self._hooks = [hook for block in blocks for hook in self._hooked(block)]

    @property
    def nbytes(self) -> int:
        sizes = sorted(block.nbytes for block in self.blocks)
        return sum(sizes[-2:])

    def begin(self, check: Callable[[], None] = _nothing) -> None:
        """Count anew what is waited for, and let the first block come.

        `check` is called while a block is waited for, and may raise Cancelled.
        """
        self.prefetch, self._check = PrefetchStats(), check
        self._fetch(self._first)

    def rest(self) -> None:
        """Let go of what is here or coming; the next pass begins with the first block again."""
        self._leave()
        if self._coming is not None:
            _, coming = self._coming
            self._coming = None
            self._stop.set()
            if not coming.cancel():
                coming.exception()  # it holds memory until it has come, or stopped
            self._stop.clear()
        self._last, self._check = None, _nothing
        self._mover.rest()

    def close(self) -> None:
        """End the thread; the network cannot be used afterwards."""
        self.rest()
        for hook in self._hooks:
            hook.remove()
        self._thread.shutdown()

    def _hooked(self, block: Block) -> Iterator[RemovableHandle]:
        def before(*_: Any) -> None:
            self._enter(block)

        def after(*_: Any) -> None:
            self._leave()

        yield block.module.register_forward_pre_hook(before)
        yield block.module.register_forward_hook(after)

    def _enter(self, block: Block) -> None:
        self._leave()
        # Networks need not run in the order of their parts.
        if self._last is None:
            self._first = block
        else:
            self._following[self._last] = block
        self._last = block
        start = time.perf_counter()
        values = self._come(block)
        self.prefetch.wait_seconds += time.perf_counter() - start
        self.prefetch.bytes_read += self._stored(block)
        for name, value in values.items():
            assign(self._module, name, value)
        self._here = block
        if self._following[block] is not block:
            self._fetch(self._following[block])

    def _leave(self) -> None:
        block, self._here = self._here, None
        if block is None:
            return
        for name in block.names:
            self._mover.leave(self._module.get_parameter(name))
            shape = self._shapes[name]
            assign(self._module, name, torch.empty(shape, dtype=self.dtype, device="meta"))
            if self._lets_go:
                self._weights.let_go(name)
        self._mover.left()

    def _come(self, block: Block) -> dict[str, Tensor]:
        if self._coming is None or self._coming[0] is not block:
            if self._coming is not None:
                self._coming[1].exception()  # one thread, and memory for one
            self._fetch(block)
        assert self._coming is not None
        coming = self._coming[1]
        while not wait([coming], POLL).done:
            self._check()
        self._coming = None
        return coming.result()

    def _fetch(self, block: Block) -> None:
        """Let a block come, while others compute."""
        self._coming = block, self._thread.submit(self._bring, block, self._mover.before)

    def _bring(self, block: Block, before: Any) -> dict[str, Tensor]:
        stored = {name: self._weights.stored(name, self._shapes[name]) for name in block.names}
        for name in block.names:
            self._weights.read_ahead(name)
        if before is not None:
            before.synchronize()  # else kernels that wait would hold more and more blocks
        with torch.no_grad(), self._mover.at_work(stored.values()):
            return {name: self._tensor(name, x) for name, x in stored.items()}

    def _tensor(self, name: str, stored: FileTensor) -> Tensor:
        if self._stop.is_set():
            raise _Stopped
        if deltas := self.deltas.get(name):
            room = torch.empty(stored.shape.numel(), device=self.device)
            return with_changes(stored, deltas, room, rounds=self._rounds).to(self.dtype)
        value = stored.on(self.device, self.dtype, self._mover.move)
        if value.data_ptr() == stored.data.data_ptr():
            _touch(value)
        return value

    def _stored(self, block: Block) -> int:
        """Bytes in the file; of what is stored as one, once."""
        names = self._weights.naming.names
        once = {names[name]: name for name in block.names}
        return sum(self._weights.nbytes(name) for name in once.values())


class _Mover:
    """Brings mapped tensors to a device: to CUDA's by way of pinned memory, on a stream of its own,
    so that neither the CPU nor the kernels wait.

    `before` is when the kernels of the last block that left are done; None where nobody waits.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._pinned = torch.empty(0, dtype=torch.uint8)
        self._used = 0
        self.before: Any = None

    @contextmanager
    def at_work(self, tensors: Iterable[FileTensor]) -> Iterator[None]:
        """Within it these may be moved; at its end they have arrived."""
        if self._stream is None:
            yield
            return
        self._used = 0
        nbytes = sum(_aligned(stored.data.nbytes) for stored in tensors)
        if len(self._pinned) < nbytes:
            self._pinned = torch.empty(0, dtype=torch.uint8)
            with suppress(RuntimeError):  # there may be none to be had: then it goes without
                self._pinned = torch.empty(nbytes, dtype=torch.uint8, pin_memory=True)
        with torch.cuda.stream(self._stream):
            yield
        self._stream.synchronize()

    def move(self, data: Tensor) -> Tensor:
        """On the device; mapped until then."""
        end = self._used + data.nbytes
        if self._stream is None or end > len(self._pinned):
            return data.to(self._device)
        pinned = self._pinned[self._used : end].view(data.dtype).view(data.shape)
        self._used = _aligned(end)
        return pinned.copy_(data).to(self._device, non_blocking=True)

    def leave(self, value: Tensor) -> None:
        """Keep its memory until the kernels that were begun with it are done."""
        if value.device.type == "cuda":
            value.record_stream(torch.cuda.current_stream(value.device))

    def left(self) -> None:
        """All of a block has left."""
        if self._stream is not None:
            self.before = torch.cuda.Event()
            self.before.record(torch.cuda.current_stream(self._device))

    def rest(self) -> None:
        """Give the pinned memory back."""
        self._pinned = torch.empty(0, dtype=torch.uint8)


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNED) * ALIGNED


def blocks(module: nn.Module, dtype: torch.dtype, most: int = MOST) -> list[Block]:
    """The elements of the outermost lists of layers, in their order; too large ones in parts."""

    def walk(path: str, parent: nn.Module, inside: bool) -> Iterator[Block]:
        for name, child in parent.named_children():
            place, listed = f"{path}{name}", isinstance(child, nn.ModuleList | nn.ModuleDict)
            element = inside or isinstance(parent, nn.ModuleList)
            if element and not listed and _fits(child, dtype, most):
                names = tuple(f"{place}.{inner}" for inner, _ in child.named_parameters())
                yield Block(place, child, names, _nbytes(child, dtype))
            else:
                yield from walk(f"{place}.", child, element)

    return [block for block in walk("", module, False) if block.names]


def coming(module: nn.Module, dtype: torch.dtype, room: int | None) -> list[Block]:
    """Those of the blocks that come and go where the weights of a network have `room` bytes.

    None of them where there is room for all (None). Those that stay are spread evenly.
    """
    found = [] if room is None else blocks(module, dtype)
    if room is None or not found:
        return []
    sizes = sorted(block.nbytes for block in found)
    rest = _nbytes(module, dtype) - sum(sizes)
    n, mean = len(sizes), sum(sizes) / len(sizes)
    stay = max(0, int((room - rest - sum(sizes[-2:])) / mean))
    # Of n blocks the k-th stays where ⌊k·stay/n⌋ grows.
    return [b for k, b in enumerate(found) if (k + 1) * stay // n == k * stay // n]


def _fits(module: nn.Module, dtype: torch.dtype, most: int) -> bool:
    has_lists = any(isinstance(inside, nn.ModuleList) for inside in module.modules())
    return not has_lists or _nbytes(module, dtype) <= most


def _nbytes(module: nn.Module, dtype: torch.dtype) -> int:
    return int(sum(value.numel() for value in module.parameters()) * dtype.itemsize)


def _touch(data: Tensor) -> None:
    """Read a byte of every page, so that all are in memory when the kernels want them."""
    if data.device.type == "cpu" and data.is_contiguous() and data.numel():
        data.view(-1).view(torch.uint8)[::PAGE].sum()
