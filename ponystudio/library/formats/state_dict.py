"""Find the weights in what a pickle holds, among training state and under wrappers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ponystudio.errors import UnsafeFile
from ponystudio.library.formats.torch_pickles import StoredTensor

# Keys that a state dict stands under, the preferred first.
WRAPPERS = (
    "state_dict",
    "params_ema",
    "params",
    "model_state_dict",
    "model",
    "module",
    "generator",
    "ema",
)
# Keys of training state, whose tensors nobody asks for.
TRAINING = (
    "optimizer_states",
    "optimizer",
    "optimizers",
    "optimizer_state_dict",
    "lr_schedulers",
    "schedulers",
    "callbacks",
    "loops",
)
MOST_VALUES = 2_000_000
MOST_DEPTH = 12
LONGEST_NAME = 1000
LONGEST_VALUE = 200
HOLDERS = (StoredTensor, dict, list, tuple)


@dataclass(frozen=True)
class State:
    """A state dict with nested names joined by dots, and what stood around it."""

    tensors: Mapping[str, StoredTensor]
    wrapper: str
    siblings: tuple[str, ...]
    extra_keys: tuple[str, ...]
    metadata: dict[str, str]


def unwrap(content: Any, where: str, wanted: str = "") -> State:
    """The innermost state dict in `content`, or the one under the key `wanted`.

    Raises UnsafeFile for nesting without end.
    """
    wrapper, siblings, extra, metadata = "", [], [], {}
    for _ in range(MOST_DEPTH):
        if not isinstance(content, dict):
            break
        found = [key for key in WRAPPERS if _holds_tensors(content.get(key))]
        if not found:
            break
        wrapper = wanted if wanted in found else found[0]
        siblings += [key for key in found if key != wrapper]
        extra += [str(key) for key in content if key not in found]
        metadata.update(_scalars(content))
        content = content[wrapper]
    if isinstance(content, dict):
        training = [key for key in TRAINING if isinstance(content.get(key), dict | list)]
        extra += training
        metadata.update(_scalars(content))
        content = {key: value for key, value in content.items() if key not in training}
    tensors: dict[str, StoredTensor] = {}
    if isinstance(content, HOLDERS):
        for name, tensor in _Walk(where).tensors(content, ""):
            tensors.setdefault(name, tensor)
    return State(tensors, wrapper, tuple(siblings), tuple(extra), metadata)


def _holds_tensors(value: Any) -> bool:
    """Whether this is a state dict, or a wrapper of one."""
    return isinstance(value, dict) and any(
        isinstance(item, StoredTensor)
        or (key in WRAPPERS and isinstance(item, dict) and _is_flat(item))
        for key, item in value.items()
    )


def _is_flat(value: dict[Any, Any]) -> bool:
    return any(isinstance(item, StoredTensor) for item in value.values())


def _scalars(content: Mapping[Any, Any]) -> dict[str, str]:
    """Epoch, step, version, name: what is told of the training in short."""
    return {
        str(key): str(value)
        for key, value in content.items()
        if isinstance(value, str | int | float) and len(str(value)) <= LONGEST_VALUE
    }


class _Walk:
    """Goes through containers, which may hold themselves or each other many times over."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.seen = 0

    def tensors(self, value: Any, name: str, depth: int = 0) -> Iterator[tuple[str, StoredTensor]]:
        self.seen += 1 if isinstance(value, StoredTensor) else len(value)
        if self.seen > MOST_VALUES or depth > MOST_DEPTH or len(name) > LONGEST_NAME:
            raise UnsafeFile("This file nests its contents without end.", where=self.where)
        if isinstance(value, StoredTensor):
            yield name or "tensor", value
            return
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(item, HOLDERS):
                yield from self.tensors(item, f"{name}.{key}" if name else str(key), depth + 1)
