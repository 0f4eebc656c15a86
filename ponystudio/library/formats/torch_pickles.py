"""What `torch.save` writes inside: which names a weights file may use, and what becomes of them.

Tensors become `StoredTensor` records, containers become dicts and lists, and the odds and ends of
training frameworks become `InertObject`. The bytes of the tensors lie outside of the pickle; before
torch 1.6 behind it in the same stream: five pickles, then the storages one after another.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ponystudio.errors import DamagedFile, UnsafeFile, UnsupportedModel
from ponystudio.library.formats.pickle_machine import (
    MOST_STEPS,
    Global,
    InertObject,
    is_plain,
    read_pickle,
)
from ponystudio.library.formats.tensor_info import (
    ITEM_SIZES,
    MOST_DIMENSIONS,
    TensorInfo,
    is_contiguous,
    span,
)

STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
    "ComplexFloatStorage": "C64",
}
STORAGE_MODULES = ("torch", "torch.cuda", "torch.storage")
# Of the untyped kind, whose tensors bring their own type and whose lengths are bytes.
UNTYPED = "torch.storage.UntypedStorage"
DTYPES = {
    "torch.float64": "F64",
    "torch.float32": "F32",
    "torch.float16": "F16",
    "torch.bfloat16": "BF16",
    "torch.float8_e4m3fn": "F8_E4M3",
    "torch.float8_e5m2": "F8_E5M2",
    "torch.int64": "I64",
    "torch.int32": "I32",
    "torch.int16": "I16",
    "torch.int8": "I8",
    "torch.uint8": "U8",
    "torch.uint16": "U16",
    "torch.uint32": "U32",
    "torch.uint64": "U64",
    "torch.bool": "BOOL",
    "torch.complex64": "C64",
}

DICTIONARIES = {
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.Counter",
    "builtins.dict",
    "__builtin__.dict",
}
SEQUENCES = {
    "builtins.list",
    "builtins.tuple",
    "builtins.set",
    "builtins.frozenset",
    "__builtin__.list",
    "__builtin__.tuple",
    "__builtin__.set",
    "__builtin__.frozenset",
    "torch.Size",
}
PARAMETER_DICT = "torch.nn.modules.container.ParameterDict"
# Scalars of training logs, settings, callbacks: passed over.
IGNORED = {
    "_codecs.encode",
    "argparse.Namespace",
    "builtins.bool",
    "builtins.complex",
    "builtins.float",
    "builtins.int",
    "builtins.str",
    "__builtin__.float",
    "__builtin__.int",
    "__builtin__.str",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "torch.device",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    "typing.Any",
}
IGNORED_PACKAGES = (
    "pytorch_lightning.",
    "lightning.",
    "lightning_fabric.",
    "lightning_utilities.",
    "omegaconf.",
    "numpy.dtypes.",
)


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers outside of the pickle: `numel` of them under `key`.

    `offset` counts numbers; it is not 0 for the views of the oldest files.
    """

    key: str
    dtype: str
    numel: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A window on a storage; offset and strides count numbers."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def info(self, name: str, start: int) -> TensorInfo:
        """The tensor as it lies in a file whose storage begins at byte `start`."""
        size = ITEM_SIZES[self.dtype]
        plain = is_contiguous(self.shape, self.strides)
        return TensorInfo(
            name,
            self.dtype,
            self.shape,
            None if plain else self.strides,
            span(self.shape, self.strides) * size,
            start + self.offset * size,
        )


class TorchNames:
    """The machine's table for one file; `storages` collects what the pickle refers to."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.storages: dict[str, Storage] = {}
        self.pairs = 0  # copied so far: one list may be turned into a dictionary again and again

    def known(self, name: str) -> bool:
        return (
            name in _MAKERS
            or name in DICTIONARIES
            or name in SEQUENCES
            or name in IGNORED
            or name in DTYPES
            or name in (UNTYPED, PARAMETER_DICT)
            or name.startswith(IGNORED_PACKAGES)
            or _storage_dtype(name) is not None
        )

    def make(self, name: str, args: tuple[Any, ...]) -> Any:
        if name in _MAKERS:
            return _MAKERS[name](self, *args)
        if name in DICTIONARIES:
            return self._dictionary(args)
        if name in SEQUENCES:
            return args[0] if args and isinstance(args[0], list | tuple) else []
        return InertObject(name)

    def _dictionary(self, args: tuple[Any, ...]) -> dict[Any, Any]:
        """OrderedDict() or OrderedDict([[key, value], ...]); a defaultdict's maker is moot."""
        if not args or isinstance(args[0], Global):
            return {}
        if isinstance(args[0], dict):
            return args[0]
        self.pairs += len(args[0])
        if self.pairs > MOST_STEPS or not all(is_plain(key) for key, _ in args[0]):
            raise ValueError
        return dict(args[0])

    def build(self, target: Any, state: Any) -> Any:
        if isinstance(target, InertObject) and target.name == PARAMETER_DICT:
            return state["_parameters"]
        if isinstance(target, InertObject | dict | StoredTensor):
            return target  # `_metadata` of a state dict, attributes of a parameter
        raise UnsafeFile(
            "This file changes things that are not its own; nothing in it was run.",
            where=self.where,
        )

    def stored(self, identity: Any) -> Storage:
        """("storage", type, key, device, numel[, view]); view is (key, offset, numel) or None."""
        if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
            raise UnsafeFile(
                "This file refers to things other than tensors; nothing in it was run.",
                where=self.where,
            )
        kind, key, numel = identity[1], identity[2], identity[4]
        view = identity[5] if len(identity) > 5 else None
        dtype = _storage_dtype(kind.name)
        if dtype is None or not isinstance(key, str):
            raise UnsupportedModel(f"The storage type {kind.name} is not known.", where=self.where)
        root = Storage(key, dtype, _count(numel))
        if self.storages.setdefault(key, root) != root:
            raise DamagedFile("Two tensors disagree on where they lie.", where=self.where)
        if view is None:
            return root
        return Storage(key, dtype, _count(view[2]), _count(view[1]))

    def tensor(
        self,
        storage: Any,
        offset: Any,
        shape: Any,
        strides: Any,
        *_: Any,
        dtype: str = "",
    ) -> StoredTensor:
        if not isinstance(storage, Storage):
            raise TypeError
        if len(shape) != len(strides) or len(shape) > MOST_DIMENSIONS:
            raise ValueError
        dtype = dtype or storage.dtype
        shape, strides = tuple(map(_count, shape)), tuple(map(_count, strides))
        offset, length = _count(offset), span(shape, strides)
        # The length of an untyped storage is in bytes.
        numel = storage.numel if storage.dtype else storage.numel // ITEM_SIZES[dtype]
        # A small storage must not pose as a large tensor: a copy of that would fill the memory.
        if offset + length > numel or math.prod(shape) > length:
            raise DamagedFile("A tensor reaches beyond its own numbers.", where=self.where)
        return StoredTensor(storage, dtype, storage.offset + offset, shape, strides)

    def tensor_v3(
        self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any
    ) -> StoredTensor:
        _requires_grad, _hooks, dtype, *_ = rest
        return self.tensor(storage, offset, shape, strides, dtype=DTYPES[dtype.name])

    def parameter(self, data: Any, *_: Any) -> Any:
        return data

    def typed(self, function: Any, _type: Any, args: Any, _state: Any) -> Any:
        """A tensor that carries attributes of its own; they are left behind."""
        if not isinstance(function, Global) or function.name not in _TENSOR_MAKERS:
            raise UnsafeFile(
                "This file makes a tensor in an unknown way; nothing in it was run.",
                where=self.where,
            )
        return _MAKERS[function.name](self, *args)


def _storage_dtype(name: str) -> str | None:
    """The numbers in a storage of this type; "" for one that does not say; None: no storage."""
    module, _, kind = name.rpartition(".")
    if name == UNTYPED:
        return ""
    return STORAGES.get(kind) if module in STORAGE_MODULES else None


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError
    return value


_TENSOR_MAKERS: Mapping[str, Any] = {
    "torch._utils._rebuild_tensor": TorchNames.tensor,
    "torch._utils._rebuild_tensor_v2": TorchNames.tensor,
    "torch._utils._rebuild_tensor_v3": TorchNames.tensor_v3,
}
_MAKERS: Mapping[str, Any] = {
    **_TENSOR_MAKERS,
    "torch._utils._rebuild_parameter": TorchNames.parameter,
    "torch._utils._rebuild_parameter_with_state": TorchNames.parameter,
    "torch._tensor._rebuild_from_type_v2": TorchNames.typed,
}

MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa8")
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_COUNT = struct.Struct("<q")


def read_legacy(data: memoryview, where: str) -> tuple[Any, dict[str, int]]:
    """The saved object, and at which byte each storage that it refers to begins.

    Raises UnsafeFile, DamagedFile, UnsupportedModel.
    """
    names, at = TorchNames(where), 0
    parts: list[Any] = []
    for _ in range(5):
        part, length = read_pickle(data[at:], names, where)
        parts.append(part)
        at += length
    magic, protocol, system, content, keys = parts
    if magic != MAGIC_NUMBER or protocol != PROTOCOL or not _are_texts(keys):
        raise DamagedFile("The file does not begin as torch's files do.", where=where)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise UnsupportedModel("This file was written on a big-endian machine.", where=where)
    if len(keys) != len(names.storages) or set(keys) != set(names.storages):
        raise DamagedFile("The file does not list the numbers that it refers to.", where=where)
    positions: dict[str, int] = {}
    for key in keys:
        storage = names.storages[key]
        if at + _COUNT.size > len(data) or _COUNT.unpack_from(data, at)[0] != storage.numel:
            raise _cut_short(where)
        at += _COUNT.size
        positions[key] = at
        at += storage.numel * (ITEM_SIZES[storage.dtype] if storage.dtype else 1)
    if at > len(data):
        raise _cut_short(where)
    return content, positions


def _are_texts(keys: Any) -> bool:
    return isinstance(keys, list) and all(isinstance(key, str) for key in keys)


def _cut_short(where: str) -> DamagedFile:
    return DamagedFile(
        "The file ends before its last number: it was cut short.",
        where=where,
        remedy="Download it again.",
    )
