"""Results as bytes: safetensors for the tensors, JSON for the rest. Never a pickle.

The bytes are a safetensors file whose metadata has the value as a JSON tree (a tensor is
{"$tensor": its name}, a value of the node API {"$value": its class, its fields...}), what the
caller wants said, and a checksum of all that: a byte that a disk has changed is noticed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ponystudio.api import (
    A1111Rules,
    AestheticHead,
    Area,
    Clip,
    Conditioning,
    Control,
    ControlNet,
    Differential,
    Entry,
    FreeU,
    FreSca,
    Gligen,
    Guider,
    Hypernetwork,
    Image,
    Latent,
    Mask,
    Merge,
    Model,
    Noise,
    NormedGuidance,
    Patch,
    PerturbedAttention,
    Pictured,
    PlacedText,
    Predicts,
    Rescaled,
    Sampler,
    SelfAttention,
    Shift,
    Sigmas,
    SkipLayers,
    StyleModel,
    Upscaler,
    Vae,
    Vision,
    VisionOutput,
)

FORMAT = "ponystudio.result 2"
_CLASSES: Mapping[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        *(Area, Clip, Conditioning, Control, ControlNet, Entry, Image, Latent, Mask, Merge),
        *(Model, Patch, Upscaler, Vae),
        *(Differential, FreSca, FreeU, Hypernetwork, NormedGuidance, PerturbedAttention),
        SelfAttention,
        *(A1111Rules, Predicts, Rescaled, Shift, SkipLayers),
        *(AestheticHead, Gligen, Pictured, PlacedText, StyleModel, Vision, VisionOutput),
        *(Guider, Noise, Sampler, Sigmas),
    )
}
_TENSOR, _VALUE, _TUPLE = "$tensor", "$value", "$tuple"


# What the bytes of others may lead to when they are read as ours.
_WHEN_DAMAGED = (
    SafetensorError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


class NotStorable(Exception):
    """The value is of a kind that only its own pack knows, so it stays in memory."""


class Damaged(Exception):
    """The bytes are no result, or not one as it was written."""


def encode(value: Any, about: Mapping[str, str]) -> bytes:
    """The value as bytes; `about` travels with it. Raises NotStorable."""
    tensors: dict[str, Tensor] = {}
    said = {**about, "format": FORMAT, "value": json.dumps(_to_json(value, tensors))}
    return bytes(save(tensors, metadata={**said, "checksum": _checksum(tensors, said)}))


def decode(data: bytes) -> tuple[Any, dict[str, str]]:
    """What `encode` was given, tensors on the CPU. Raises Damaged for anything else."""
    try:
        length = int.from_bytes(data[:8], "little")
        about = json.loads(data[8 : 8 + length])["__metadata__"]
        if about["format"] != FORMAT:
            raise Damaged("another format")
        tensors = load(data)
        if about.pop("checksum") != _checksum(tensors, about):
            raise Damaged("the checksum differs")
        del about["format"]
        value = _from_json(json.loads(about.pop("value")), tensors)
    except _WHEN_DAMAGED as error:
        raise Damaged(str(error)) from None
    return value, about


def _to_json(value: Any, tensors: dict[str, Tensor]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Tensor) and value.layout == torch.strided:
        name = str(len(tensors))
        # A copy: two values may share memory, or be a slice of a far larger tensor.
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: name}
    if type(value) in (list, tuple):
        items = [_to_json(item, tensors) for item in value]
        return items if type(value) is list else {_TUPLE: items}
    if _CLASSES.get(type(value).__name__) is type(value):
        content = {f.name: _to_json(getattr(value, f.name), tensors) for f in fields(value)}
        return {_VALUE: type(value).__name__, **content}
    raise NotStorable(type(value).__name__)


def _from_json(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(tree, list):
        return [_from_json(item, tensors) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if _TENSOR in tree:
        return tensors[tree[_TENSOR]]
    if _TUPLE in tree:
        return tuple(_from_json(item, tensors) for item in tree[_TUPLE])
    content = {name: _from_json(item, tensors) for name, item in tree.items() if name != _VALUE}
    return _CLASSES[tree[_VALUE]](**content)


def _checksum(tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> str:
    """CRC-32 over all tensors, their types and shapes, and what is said: it guards against torn
    files and bad disks, not against people."""
    shapes = {name: f"{tensor.dtype} {tuple(tensor.shape)}" for name, tensor in tensors.items()}
    total = zlib.crc32(json.dumps([shapes, said], sort_keys=True).encode())
    for name in sorted(tensors):
        flat = tensors[name].contiguous().reshape(-1)
        total = zlib.crc32(flat.view(torch.uint8).numpy() if flat.numel() else b"", total)
    return f"{total:08x}"
