"""What one layer of a LoRA, or of one of its kin, adds to a weight.

W' = W + m·s·Δ at strength m, with s = α/rank. The kinds differ in how Δ is put together: LoRA and
LoCon (Hu et al. 2021), LoHa (Hyeon-Woo et al. 2022), LoKr (Yeh et al. 2023), whole differences;
DoRA (Liu et al. 2024) sets the lengths of the rows of any of them. All arithmetic is float32.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from ponystudio.diffusion.weights.name_table import FusedSlice

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]
Roles = Mapping[str, "Tensor"]


@dataclass(frozen=True, eq=False)
class Delta(ABC):
    """`scale` is s; `lengths` are DoRA's, [out,1,…] or [1,in,…], None without.

    The tensors are mapped pages of the file, of any floating dtype.
    """

    rounds: ClassVar[bool] = False

    scale: float
    lengths: Tensor | None

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """[out,in·…] of Δ: 1×1 convolutions and linear layers are the same."""

    @abstractmethod
    def product(self, like: Tensor) -> Tensor:
        """Δ in float32, on the device and in the shape of a weight."""

    def fits(self, shape: Shape) -> bool:
        """Whether it can be added to a weight of that shape."""
        if not shape or self.shape != (shape[0], math.prod(shape[1:])):
            return False
        return self.lengths is None or self.lengths.numel() == (*shape, 1)[_axis(self.lengths)]

    def may_cut(self, cut: FusedSlice) -> bool:
        """Whether the rows in question can do without the others: not if lengths are columns'."""
        return cut.parts == 1 or self.lengths is None or _axis(self.lengths) == 0

    def cut(self, cut: FusedSlice) -> Delta:
        """What it adds to those rows of its weight alone."""
        return RowsDelta(self.scale, self._lengths(cut), self, cut)

    def added(self, weight: Tensor, strength: float) -> Tensor:
        """`weight`, float32, with this in it at a strength; may be the same memory."""
        change = self.scale * self.product(weight)
        if self.lengths is None:
            return weight.add_(change, alpha=strength)
        return weight + strength * (_with_lengths(weight + change, self.lengths) - weight)

    def most(self) -> float:
        """A number that no part of s·Δ is larger than, as far as that is quickly told; else ∞."""
        return math.inf

    def _lengths(self, cut: FusedSlice) -> Tensor | None:
        """Those of the same rows."""
        if self.lengths is None or _axis(self.lengths) == 1:
            return self.lengths
        return cut.of(self.lengths)


@dataclass(frozen=True, eq=False)
class LowRank(Delta):
    """Δ = up·down; with a `middle` (Tucker) the sum over both of up_im · middle_mnkl · down_nj."""

    up: Tensor
    down: Tensor
    middle: Tensor | None = None

    @property
    def shape(self) -> Shape:
        inner = 1 if self.middle is None else math.prod(self.middle.shape[2:])
        return len(self.up), self.down.numel() // len(self.down) * inner

    def cut(self, cut: FusedSlice) -> Self:
        return replace(self, lengths=self._lengths(cut), up=cut.of(self.up))

    def most(self) -> float:
        if self.middle is not None or self.lengths is not None:
            return math.inf
        up, down = (float(factor.abs().max()) for factor in (self.up, self.down))
        return abs(self.scale) * len(self.down) * up * down

    def added(self, weight: Tensor, strength: float) -> Tensor:
        if self.middle is not None or self.lengths is not None:
            return super().added(weight, strength)
        up, down = (_matrix(x, weight) for x in (self.up, self.down))
        weight.view(len(weight), -1).addmm_(up, down, alpha=strength * self.scale)
        return weight

    def product(self, like: Tensor) -> Tensor:
        up, down = (_matrix(x, like) for x in (self.up, self.down))
        if self.middle is None:
            return (up @ down).reshape(like.shape)
        return _tucker(_there(self.middle, like), up.t(), down).reshape(like.shape)


@dataclass(frozen=True, eq=False)
class Hadamard(Delta):
    """Δ = (a₁·b₁) ⊙ (a₂·b₂); with cores t (Tucker) each factor is a sum over both of its ranks."""

    factors: tuple[tuple[Tensor, Tensor, Tensor | None], ...]

    @property
    def shape(self) -> Shape:
        a, b, core = self.factors[0]
        if core is None:
            return len(a), b.numel() // len(b)
        return a.shape[1], b.shape[1] * math.prod(core.shape[2:])

    def product(self, like: Tensor) -> Tensor:
        first, second = (_factor(a, b, core, like) for a, b, core in self.factors)
        return (first * second).reshape(like.shape)


@dataclass(frozen=True, eq=False)
class Kronecker(Delta):
    """Δ = first ⊗ second, each whole (one tensor) or the product of its factors."""

    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]

    @property
    def shape(self) -> Shape:
        (a, b), (c, d) = (_sides(factor) for factor in (self.first, self.second))
        return a * c, b * d

    def product(self, like: Tensor) -> Tensor:
        import torch

        first, second = (_whole(factor, like) for factor in (self.first, self.second))
        if second.ndim == 4:
            first = first[..., None, None]
        elif like.ndim == 4 and second.ndim == 2:  # the second was flattened over the kernel
            second = second.reshape(len(second), -1, *like.shape[2:])
            first = first[..., None, None]
        return torch.kron(first, second.contiguous()).reshape(like.shape)


@dataclass(frozen=True, eq=False)
class FullDelta(Delta):
    """Δ is stored as it is."""

    difference: Tensor

    @property
    def shape(self) -> Shape:
        sides = self.difference.shape
        return sides[0], math.prod(sides[1:])

    def cut(self, cut: FusedSlice) -> Self:
        return replace(self, lengths=self._lengths(cut), difference=cut.of(self.difference))

    def product(self, like: Tensor) -> Tensor:
        return _there(self.difference, like).reshape(like.shape)


@dataclass(frozen=True, eq=False)
class RowsDelta(Delta):
    """Δ = some of the rows of another, whose weight is stored as one and is several here."""

    whole: Delta
    rows: FusedSlice

    @property
    def shape(self) -> Shape:
        return self.rows.shape(self.whole.shape)

    def fits(self, shape: Shape) -> bool:
        return self.whole.shape[0] % self.rows.parts == 0 and super().fits(shape)

    def product(self, like: Tensor) -> Tensor:
        whole = like.new_empty(()).expand(self.whole.shape[0], *like.shape[1:])
        return self.rows.of(self.whole.product(whole))


def rank_of(roles: Roles) -> int:
    """The rank that α is divided by; 0 where nothing has one."""
    for role in ("down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b"):
        if role in roles:
            return len(roles[role])
    return 0


def delta(roles: Roles, scale: float) -> Delta | None:
    """The change that these tensors make; None for a set that makes none."""
    lengths = roles.get("dora")
    if {"up", "down"} <= roles.keys():
        return LowRank(scale, lengths, roles["up"], roles["down"], roles.get("mid"))
    if "hada_w1_a" in roles:
        pairs = tuple(
            (roles[f"hada_w{n}_a"], roles[f"hada_w{n}_b"], roles.get(f"hada_t{n}")) for n in (1, 2)
        )
        return Hadamard(scale, lengths, pairs)
    if any(role.startswith("lokr_") for role in roles):
        return Kronecker(scale, lengths, _lokr(roles, "1"), _lokr(roles, "2"))
    if "diff" in roles:
        return FullDelta(1.0, lengths, roles["diff"])
    return None


def _lokr(roles: Roles, n: str) -> tuple[Tensor, ...]:
    """One side: (w,), (w_a, w_b) or (w_a, w_b, t)."""
    if f"lokr_w{n}" in roles:
        return (roles[f"lokr_w{n}"],)
    core = roles.get(f"lokr_t{n}")
    return (roles[f"lokr_w{n}_a"], roles[f"lokr_w{n}_b"], *([] if core is None else [core]))


def _sides(factor: tuple[Tensor, ...]) -> tuple[int, int]:
    first, last = factor[0], factor[-1]
    if len(factor) == 3:
        return first.shape[1], factor[1].shape[1] * math.prod(last.shape[2:])
    return first.shape[0], math.prod(last.shape[1:])


def _whole(factor: tuple[Tensor, ...], like: Tensor) -> Tensor:
    if len(factor) == 1:
        return _there(factor[0], like)
    a, b, *core = factor
    return _factor(a, b, core[0] if core else None, like)


def _factor(a: Tensor, b: Tensor, core: Tensor | None, like: Tensor) -> Tensor:
    """a·b, or for a core the sum over i and j of core_ijkl · b_jr · a_ip."""
    if core is None:
        return _there(a, like) @ _matrix(b, like)
    return _tucker(_there(core, like), _there(a, like), _there(b, like))


def _tucker(core: Tensor, a: Tensor, b: Tensor) -> Tensor:
    import torch

    return torch.einsum("ijkl,jr,ip->prkl", core, b, a)


def _matrix(factor: Tensor, like: Tensor) -> Tensor:
    return _there(factor, like).flatten(1)


def _there(tensor: Tensor, like: Tensor) -> Tensor:
    import torch

    return tensor.to(like.device, torch.float32)


def _with_lengths(weight: Tensor, lengths: Tensor) -> Tensor:
    """`weight` with its rows or columns of those lengths."""
    axis = _axis(lengths)
    others = tuple(n for n in range(weight.ndim) if n != axis)
    norms = weight.square().sum(dim=others, keepdim=True).sqrt()
    wanted = _there(lengths, weight).reshape([-1 if n == axis else 1 for n in range(weight.ndim)])
    # A row of zeros has no direction, so no length can be given to it.
    return weight * (wanted / norms.clamp_min(1e-12))


def _axis(lengths: Tensor) -> int:
    """Whose lengths they are: 0 the rows', as [out,1,…]; 1 the columns', as [1,in,…]."""
    return int(lengths.ndim > 1 and len(lengths) == 1 < lengths.numel())
