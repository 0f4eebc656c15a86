"""What every loaded network has: a module, the file its weights come from, a place and a size."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ponystudio.diffusion.weights.weights import Weights, assign

if TYPE_CHECKING:
    from ponystudio.diffusion.families import Family

Module = TypeVar("Module", bound=nn.Module)
NamedModule = tuple[re.Match[str], nn.Module]


class BlockStream(Protocol):
    """Those of a network's blocks that come from the file when they are needed
    (loading.block_streaming.Stream): `names` are their tensors, `deltas` what LoRAs add to them,
    `nbytes` what they take at most, `prefetch` how long was waited for how many bytes."""

    deltas: dict[str, Any]

    @property
    def names(self) -> frozenset[str]: ...
    @property
    def blocks(self) -> Sequence[Any]: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def prefetch(self) -> Any: ...
    def begin(self, check: Callable[[], None]) -> None: ...
    def rest(self) -> None: ...
    def close(self) -> None: ...


class Network(Generic[Module]):
    """A network with its weights.

    `part` is what recipes call it. Those of models have a `family`.
    `weights` are the stored tensors it was made from, still mapped; None for one that was made in
    memory.
    `patched` names the tensors that hold something else than the file does. `stream` has those
    of its blocks that come and go, where it is larger than the memory for it.
    `rounds_patches`: a patched tensor takes the stored precision before the computing one.
    """

    part: ClassVar[str]
    rounds_patches: ClassVar[bool] = False
    family: Family

    def __init__(self, module: Module, weights: Weights | None = None) -> None:
        self.module: Module = module.eval().requires_grad_(False)
        self.weights = weights
        self.patched: frozenset[str] = frozenset()
        self.stream: BlockStream | None = None

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype it computes in."""
        return next(self.module.parameters()).dtype

    @property
    def nbytes(self) -> int:
        """Bytes that its weights take at most where it is, mapped pages included."""
        here: int = sum(value.nbytes for value in self.module.parameters() if not value.is_meta)
        return here + (self.stream.nbytes if self.stream else 0)

    def restore(self, name: str) -> None:
        """Put the file's tensor back in the place of a patched one."""
        if self.stream and name in self.stream.names:
            self.stream.deltas.pop(name, None)
            return
        assert self.weights is not None
        value = self.module.get_parameter(name)
        stored = self.weights.stored(name, value.shape)
        assign(self.module, name, stored.on(value.device, value.dtype))

    def to(self, device: torch.device | str) -> Self:
        """Move the weights. On the way to the CPU, what can be mapped again is not copied.

        Not for networks whose blocks come and go: those belong to their device.

        Where the memory does not suffice they are moved back, and the error goes through.
        """
        home = self.device
        try:
            self._move(torch.device(device))
        except BaseException:
            self._move(home)
            raise
        return self

    def close(self) -> None:
        """Give the weights up and let go of the file; the network cannot be used afterwards."""
        if self.stream is not None:
            self.stream.close()
        self.module.to("meta")
        if self.weights is not None:
            self.weights.close()

    def _move(self, target: torch.device) -> None:
        for name, value in self._tensors():
            mapped = self._mapped(name, value) if target.type == "cpu" else None
            assign(self.module, name, value.to(target) if mapped is None else mapped)

    def _tensors(self) -> list[tuple[str, Tensor]]:
        return [*self.module.named_parameters(), *self.module.named_buffers()]

    def _mapped(self, name: str, value: Tensor) -> Tensor | None:
        """The file's tensor, where it is exactly what is in memory."""
        if self.weights is None or name in self.patched or name not in self.weights:
            return None
        stored = self.weights.stored(name, value.shape)
        if stored.precision != value.dtype:
            return None
        return stored.on(torch.device("cpu"), value.dtype)


# By network and pattern, as long as the network is there: SDXL's has thousands of modules, and some
# are asked for at every step.
_named: WeakKeyDictionary[nn.Module, dict[re.Pattern[str], Sequence[NamedModule]]] = (
    WeakKeyDictionary()
)


def modules_named(module: nn.Module, pattern: re.Pattern[str]) -> Sequence[NamedModule]:
    """The modules of a network whose whole names a pattern matches, each with the match."""
    known = _named.setdefault(module, {})
    if pattern not in known:
        matches = ((pattern.fullmatch(name), inner) for name, inner in module.named_modules())
        known[pattern] = [(match, inner) for match, inner in matches if match]
    return known[pattern]
