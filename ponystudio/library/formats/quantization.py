"""Weights of few bits: what stands beside them and says what their numbers mean.

Read are numbers of 8 bits, floating or whole, with one scale for all, one a row, or one a square
block; and those whose inputs were rotated in groups before they were rounded (ConvRot). The marks
are those of ComfyUI, a tensor of JSON beside each weight or one list in the metadata. Whatever else
says how to read a weight is refused by name: half understood, it would give another picture.
Sources: the formats of ComfyUI, and the names that each quantiser's own files have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.tensor_info import FLOATS, PACKED, TensorInfo
from ponystudio.system.json_reader import read_json

# What the numbers of a weight are to be multiplied by stands beside it under these endings; with it
# may stand the scales of inputs, which only kernels for such numbers use, and marks.
SCALES = (".scale_weight", ".weight_scale")
MARK = ".comfy_quant"
BESIDE = (*SCALES, ".scale_input", ".input_scale", MARK, "scaled_fp8")
METADATA = "_quantization_metadata"
# Under what other libraries keep their settings, in metadata and in the configs of folders.
SETTINGS = "quantization_config"
REMEDY = "Get the model in another kind, such as bf16, fp8 or GGUF."

# The formats that marks may name, and what numbers those have.
FORMATS = {
    "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fn_rowwise": "F8_E4M3",
    "float8_e4m3fn_blockwise": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int8_tensorwise": "I8",
    "int8_rowwise": "I8",
    "int8_blockwise": "I8",
}
# Of the other entries of a mark these say nothing of the numbers: what they were, how they are
# multiplied, and how many scales there are, which is seen.
SILENT = ("orig_dtype", "full_precision_matrix_mult", "per_row")
ROTATED_GROUP = 256
SMALLEST_BLOCK, LARGEST_BLOCK = 2, 1 << 16
LONGEST = 1 << 14
"""Bytes of a mark that are read; real ones have some hundred."""

# Quantisers that are not read, by the endings that only theirs have; the special first.
OTHERS = {
    r"\.(wscales|wtscale|wcscales|wzeros|smooth_factor(_orig)?|smooth|proj_(down|up))": "SVDQuant",
    r"\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\.bitsandbytes__\w{1,16})": (
        "bitsandbytes in 4 bits (NF4 or FP4)"
    ),
    r"\.(SCB|weight_format)": "bitsandbytes in 8 bits",
    r"\.g_idx": "GPTQ",
    r"\.(qweight|qzeros)": "AWQ or GPTQ",
    r"\.W_q": "HQQ",
    r"\.weight\._(data|scale|shift)|\.weight_qtype": "Quanto",
    r"[._]weight_qdata|\.weight\.tensor_impl\..{1,40}": "torchao",
    r"\.weight_(packed|shape|zero_point|global_scale|g_idx)": "compressed-tensors",
    r"\.svd_(up|down)": "SDNQ",
    r"\.weight_scale_2": "NVFP4",
    r"\.weight_scale_inv": "fp8 in blocks, as DeepSeek has it",
    r"\.weight_(s_rel|s_channel|codebook)": "ConvRot in 4 bits",
    r"\.(pre_quant_scale|smooth_scale)": "SmoothQuant",
    r"\.(quip_s_[uv]|Qidxs|SU|SV)": "QuIP",
    r"\.codebooks": "AQLM",
    r"\.q_(invperm|scale_max|group_map)": "EXL2",
    r"\.weight_scales": "EETQ",
}
OTHER = re.compile(f"(?:{'|'.join(OTHERS)})$")


@dataclass(frozen=True)
class Quantization:
    """How the numbers of one stored weight [n,m,…] are to be read.

    `scale` names the tensor that they are multiplied by, "" for none: of one number, of n, or with
    a `block` of one for every square of so many rows and columns. `rotated`: of how many inputs
    each group was rotated together, 0 for none.
    """

    scale: str = ""
    block: int = 0
    rotated: int = 0


def read(
    tensors: Mapping[str, TensorInfo],
    metadata: Mapping[str, str],
    buffer: Callable[[str], memoryview],
    where: str,
) -> dict[str, Quantization]:
    """Name of a weight → how it is to be read, of those whose numbers are not what they say.

    `buffer` gives the bytes of a tensor. Raises UnsupportedModel for what another quantiser wrote
    and for marks that are not understood, DamagedFile for those that belong to nothing.
    """
    _refuse_others(tensors, metadata, where)
    scales = _scales(tensors, where)
    marks = {
        f"{name.removesuffix(MARK)}.weight": _parsed(bytes(buffer(name)[:LONGEST]), name, where)
        for name in tensors
        if name.endswith(MARK)
    }
    listed = {f"{layer}.weight": mark for layer, mark in _listed(metadata, where).items()}
    found = {}
    for weight, mark in {**listed, **marks}.items():
        if weight in listed and weight in marks and listed[weight] != mark:
            raise _damaged(f"{weight!r} is marked in two ways", where)
        known = _quantization(weight, mark, scales.get(weight, ""), tensors, where)
        if weight in tensors:
            found[weight] = known
        elif weight in marks or known.rotated:
            raise _damaged(f"a mark speaks of {weight!r}, which is not there", where)
    for weight, scale in scales.items():
        found.setdefault(weight, Quantization(scale))
    for weight, known in found.items():
        _check_scale(weight, known, tensors, where)
    _refuse_whole_numbers(tensors, found, where)
    return found


def of_networks(names: Iterable[str]) -> list[str]:
    """Those that are tensors of a network, and not what is said beside one of few bits."""
    return [name for name in names if not name.endswith(BESIDE)]


def carried(files: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """The list of marks of several files as one's, each with a prefix before its names."""
    layers = {
        prefix + layer: mark
        for prefix, metadata in files
        for layer, mark in _layers(metadata).items()
    }
    return {METADATA: json.dumps({"layers": layers})} if layers else {}


def refuse_settings(config: Mapping[str, Any], where: str) -> None:
    """Raise UnsupportedModel where a config says that another library packed the weights."""
    settings = config.get(SETTINGS)
    if not settings:
        return
    said = settings if isinstance(settings, dict) else {}
    method = said.get("quant_method") or said.get("method") or "an unknown quantiser"
    raise UnsupportedModel(
        f"The weights were packed by {str(method)[:60]}, as {SETTINGS} says, which is not read.",
        where=where,
        remedy=REMEDY,
    )


def _refuse_others(
    tensors: Mapping[str, TensorInfo], metadata: Mapping[str, str], where: str
) -> None:
    if name := next((name for name in tensors if OTHER.search(name)), None):
        kind = next(kind for ending, kind in OTHERS.items() if re.search(f"(?:{ending})$", name))
        raise UnsupportedModel(
            f"The weights were packed by {kind} (it holds {name!r}), which is not read.",
            where=where,
            remedy=REMEDY,
        )
    if text := metadata.get(SETTINGS):
        refuse_settings({SETTINGS: _json(text) or text}, where)


def _scales(tensors: Mapping[str, TensorInfo], where: str) -> dict[str, str]:
    """Weight → what it is multiplied by."""
    scales: dict[str, str] = {}
    for name in tensors:
        ending = next((ending for ending in SCALES if name.endswith(ending)), None)
        if ending is None:
            continue
        weight = f"{name.removesuffix(ending)}.weight"
        if weight not in tensors:
            raise _damaged(f"{name!r} is the scale of a weight that is not there", where)
        if weight in scales:
            raise _damaged(f"{weight!r} has two scales", where)
        scales[weight] = name
    return scales


def _quantization(
    weight: str,
    mark: Mapping[str, Any],
    scale: str,
    tensors: Mapping[str, TensorInfo],
    where: str,
) -> Quantization:
    """What a mark says, once every word of it is understood."""
    said = dict(mark)
    params = said.pop("params", None)
    if isinstance(params, dict):  # some writers put a level around the rest
        said = {**params, **said}
    format = said.pop("format", None)
    if format is not None and FORMATS.get(str(format)) is None:
        raise _unknown(f"the format {str(format)[:60]!r}", weight, where)
    info = tensors.get(weight)
    if info is not None and format is not None and info.dtype != FORMATS[str(format)]:
        raise _damaged(f"{weight!r} is marked as {format} and has numbers of {info.dtype}", where)
    block = said.pop("group_size", 0) or 0
    is_block = format is not None and str(format).endswith("_blockwise")
    turned, rotated = said.pop("convrot", False), said.pop("convrot_groupsize", ROTATED_GROUP)
    if not isinstance(turned, bool):
        raise _unknown(f"a convrot of {str(turned)[:20]}", weight, where)
    rotated = rotated if turned else 0
    for silent in SILENT:
        said.pop(silent, None)
    if "orig_shape" in said and info is not None and said["orig_shape"] == list(info.shape):
        del said["orig_shape"]
    if said:
        word = min(map(str, said))[:60]
        raise _unknown(f"{word!r}", weight, where)
    if is_block != bool(block) or (
        is_block and not (isinstance(block, int) and SMALLEST_BLOCK <= block <= LARGEST_BLOCK)
    ):
        raise _unknown(f"a group_size of {str(block)[:20]} for {format}", weight, where)
    if rotated and not _is_power_of_four(rotated):
        raise _unknown(f"a convrot_groupsize of {str(rotated)[:20]}", weight, where)
    if rotated and info is not None and info.dtype not in FORMATS.values():
        raise _damaged(f"{weight!r} is marked as rotated and has numbers of {info.dtype}", where)
    if rotated and info is not None and (len(info.shape) < 2 or info.shape[1] % rotated):
        raise _damaged(
            f"{weight!r} is marked as rotated in groups of {rotated}, and its inputs are"
            f" {list(info.shape[1:2])}",
            where,
        )
    return Quantization(scale, block, rotated)


def _is_power_of_four(value: Any) -> bool:
    return isinstance(value, int) and value > 1 and value & (value - 1) == 0 and value % 3 == 1


def _check_scale(
    weight: str, known: Quantization, tensors: Mapping[str, TensorInfo], where: str
) -> None:
    """Raise for scales of other numbers, or of another count, than can be used."""
    info = tensors[weight]
    if not known.scale:
        if info.dtype not in FLOATS:
            raise _damaged(f"{weight!r} lacks what it is to be multiplied by", where)
        return
    scale = tensors[known.scale]
    if info.dtype in PACKED or scale.dtype not in FLOATS or info.dtype not in (*FLOATS, "I8"):
        raise UnsupportedModel(
            f"{weight!r} has numbers of {info.dtype} and scales of {scale.dtype}, of a quantiser"
            " that is not known here.",
            where=where,
            remedy=REMEDY,
        )
    n = info.shape[0] if info.shape else 1
    if known.block:
        wanted = tuple(-(-side // known.block) for side in info.shape)
        fits = len(info.shape) == 2 and scale.shape == wanted
    else:
        fits = scale.numel == 1 or (scale.numel == n and scale.shape[:1] == (n,))
    if not fits:
        counted = "one a block" if known.block else "one, or one a row,"
        raise UnsupportedModel(
            f"There are {scale.numel:,} numbers in {known.scale!r}, and {counted} can be used.",
            where=where,
            remedy=REMEDY,
        )


def _refuse_whole_numbers(
    tensors: Mapping[str, TensorInfo], found: Mapping[str, Quantization], where: str
) -> None:
    for name, info in tensors.items():
        whole = info.dtype not in FLOATS and info.dtype not in PACKED
        if whole and len(info.shape) > 1 and name.endswith(".weight") and name not in found:
            raise UnsupportedModel(
                f"{name!r} has numbers of {info.dtype}, and nothing says what they are to be"
                " multiplied by.",
                where=where,
                remedy=REMEDY,
            )


def _listed(metadata: Mapping[str, str], where: str) -> dict[str, Mapping[str, Any]]:
    """Layer → mark, by the metadata."""
    text = metadata.get(METADATA)
    if text is None:
        return {}
    said = _json(text)
    if not isinstance(said, dict) or not isinstance(said.get("layers"), dict):
        raise _damaged(f"{METADATA} is not readable", where)
    if odd := next((name for name in said if name not in ("layers", "format_version")), None):
        raise _unknown(f"{odd[:60]!r} in {METADATA}", "", where)
    if any(not isinstance(mark, dict) for mark in said["layers"].values()):
        raise _damaged(f"{METADATA} is not readable", where)
    return dict(said["layers"])


def _layers(metadata: Mapping[str, str]) -> dict[str, Any]:
    said = _json(metadata.get(METADATA, ""))
    layers = said.get("layers") if isinstance(said, dict) else None
    return layers if isinstance(layers, dict) else {}


def _parsed(data: bytes, name: str, where: str) -> dict[str, Any]:
    said = _json(data.decode("utf-8", "replace").rstrip("\0 "))
    if not isinstance(said, dict):
        raise _damaged(f"the mark {name!r} is not readable", where)
    return said


def _json(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return None


def _unknown(word: str, weight: str, where: str) -> UnsupportedModel:
    place = f" (at {weight.removesuffix('.weight')!r})" if weight else ""
    return UnsupportedModel(
        f"The weights are marked with {word} by their quantiser{place}, which is not understood.",
        where=where,
        remedy=REMEDY,
    )


def _damaged(what: str, where: str) -> DamagedFile:
    return DamagedFile(
        f"What the file says of its quantised weights makes no sense: {what}.",
        where=where,
        remedy=REMEDY,
    )
