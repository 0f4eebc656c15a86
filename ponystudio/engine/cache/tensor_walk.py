"""The tensors inside a result: to weigh it, to move it, to see whether it changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor


def tensors_of(value: Any) -> Iterator[Tensor]:
    """Every tensor of a value of the node API, or of a list, tuple or dict of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_of(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_of(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from tensors_of(getattr(value, field.name))


def to_device(value: Any, device: torch.device) -> Any:
    """The value with every tensor on `device`; what lies there already is shared, not copied."""
    return _mapped(value, lambda tensor: tensor.to(device))


def size_in_bytes(value: Any) -> int:
    """Bytes that the value keeps alive; shared memory counts once, and a view all of it."""
    return sum(storages(value).values()) + sys.getsizeof(value)


def storages(value: Any) -> dict[int, int]:
    """The memory that the value's tensors lie in: address and bytes of each piece."""
    found = [tensor.untyped_storage() for tensor in tensors_of(value)]
    return {storage.data_ptr(): storage.nbytes() for storage in found if storage.nbytes()}


def on_device(value: Any) -> bool:
    """Whether any of it lies in the memory of a GPU."""
    return any(tensor.device.type != "cpu" for tensor in tensors_of(value))


def versions(value: Any) -> list[tuple[int, int]]:
    """Which memory, in which version: differs after any change in place."""
    return [(id(tensor), tensor._version) for tensor in tensors_of(value)]


def all_finite(value: Any) -> bool:
    return all(
        bool(torch.isfinite(tensor).all())
        for tensor in tensors_of(value)
        if tensor.is_floating_point()
    )


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_mapped(item, change) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(_mapped(item, change) for item in value)
    if isinstance(value, dict):
        return {name: _mapped(item, change) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type) and any(tensors_of(value)):
        content = {f.name: _mapped(getattr(value, f.name), change) for f in fields(value) if f.init}
        return replace(value, **content)
    return value
