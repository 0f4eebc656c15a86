"""Any file of weights to one .safetensors, a piece at a time, without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy

from ponystudio.errors import UnknownModel, UnsupportedModel, UsageError
from ponystudio.graph.atomic_write import check_room, writing
from ponystudio.library.formats.diffusers_folder import ModelFolder, open_folder
from ponystudio.library.formats.quantization import BESIDE, carried
from ponystudio.library.formats.safetensors_file import METADATA, header_bytes, writing_order
from ponystudio.library.formats.tensor_info import ITEM_SIZES, PACKED, TensorInfo
from ponystudio.library.formats.tensor_values import Bits, floats, largest, pieces
from ponystudio.library.formats.weights_file import WeightsFile, open_weights
from ponystudio.library.recognition.recognise import COMPONENTS, CONFIG, recognise

EMA = "model_ema."
LARGEST_HALF = 65504.0


@dataclass(frozen=True)
class _Source:
    """A tensor to be written: where it is read from and what it will be stored as."""

    file: WeightsFile
    name: str
    dtype: str

    @property
    def info(self) -> TensorInfo:
        return self.file.tensors[self.name]

    @property
    def nbytes(self) -> int:
        return self.info.numel * ITEM_SIZES[self.dtype]


def convert(source: Path, target: Path, *, ema: bool = False, half: bool = False) -> None:
    """Write the weights of `source`, a file of any known format or a diffusers folder, to `target`.

    Averaged weights (EMA) are left out, or with `ema` take the place of the others. With `half`
    numbers of 32 and 64 bits become 16-bit floats, where they fit; packed ones do without it too.
    Metadata is carried over, and what the denoiser predicts, which a config beside the source may
    say, is added to it; of a folder, the configs go into `ponystudio.config`, and names begin with
    the component's, unless it is the only one. Tensors that share numbers in a pickle are written
    apart. `target` is written whole or not at all.
    Raises UsageError, StorageFull, NotWritable, and what `open_weights` raises.
    """
    _check_target(source, target)
    with ExitStack() as opened:
        if source.is_dir():
            if ema:
                raise _no_averages(source)
            folder = opened.enter_context(open_folder(source))
            tensors, metadata = _of_folder(folder), _folder_metadata(folder)
        else:
            file = opened.enter_context(open_weights(source))
            tensors, metadata = _of_file(file, ema), {**file.metadata, **_prediction(source)}
        if not tensors:
            raise UnknownModel("There are no weights in this file.", where=str(source))
        tensors = {name: _as_written(tensor, half) for name, tensor in tensors.items()}
        _write(target, tensors, {**metadata, "format": "pt"})


def _check_target(source: Path, target: Path) -> None:
    if target.exists():
        itself = source.exists() and target.samefile(source)
        raise UsageError(
            "A file cannot be converted onto itself."
            if itself
            else "There is a file of that name already.",
            where=str(target),
            remedy="Choose another name.",
        )


def _of_file(file: WeightsFile, ema: bool) -> dict[str, _Source]:
    names = {name: name for name in file.tensors if not name.startswith((EMA, METADATA))}
    if ema:
        averaged = {name: _ema_name(name) for name in names}
        names = {name: averaged[name] if averaged[name] in file.tensors else name for name in names}
        if not any(name.startswith(EMA) for name in names.values()):
            raise _no_averages(file.path)
    return {
        name: _Source(file, stored, file.tensors[stored].dtype) for name, stored in names.items()
    }


def _no_averages(path: Path) -> UsageError:
    return UsageError(
        "There are no averaged weights in this file.",
        where=str(path),
        remedy="Convert it without --ema.",
    )


def _ema_name(name: str) -> str:
    """LDM keeps averages under the name below `model`, without its dots."""
    return EMA + name.removeprefix("model.").replace(".", "")


def _of_folder(folder: ModelFolder) -> dict[str, _Source]:
    return {
        f"{component}.{name}" if component else name: _Source(file, name, info.dtype)
        for component, file in folder.components.items()
        for name, info in file.tensors.items()
    }


def _folder_metadata(folder: ModelFolder) -> dict[str, str]:
    configs = dict(folder.configs)
    if (config := configs.pop("", None)) is not None:
        # For whichever it will be taken: T5 is the second text encoder of FLUX, SD3's third.
        parts = recognise(folder.path).parts
        configs = {name: config for name, role in COMPONENTS.items() if role in parts}
    marks = carried(
        (f"{name}." if name else "", file.metadata) for name, file in folder.components.items()
    )
    return {CONFIG: json.dumps(configs), **_prediction(folder.path), **marks}


def _prediction(source: Path) -> dict[str, str]:
    """What the denoiser predicts, in the words of the metadata fields that say it."""
    try:
        found = recognise(source)
    except (UnknownModel, UnsupportedModel):
        return {}  # may be converted all the same
    if found.prediction not in ("eps", "v"):
        return {}
    word = "epsilon" if found.prediction == "eps" else "v"
    zsnr = {"ss_zero_terminal_snr": "true"} if found.zsnr else {}
    return {"modelspec.prediction_type": word, **zsnr}


def _as_written(tensor: _Source, half: bool) -> _Source:
    """With the dtype that it will have; .safetensors knows no packed numbers."""
    wide = tensor.dtype in PACKED or (half and tensor.dtype in ("F32", "F64"))
    # Scales of other weights are small and few: half a precision would be all of theirs.
    if not wide or tensor.name.endswith(BESIDE):
        return tensor
    if largest(tensor.file, tensor.name) <= LARGEST_HALF:
        return replace(tensor, dtype="F16")
    return replace(tensor, dtype="F32") if tensor.dtype in PACKED else tensor


def _write(target: Path, tensors: Mapping[str, _Source], metadata: Mapping[str, str]) -> None:
    order = writing_order({name: tensor.dtype for name, tensor in tensors.items()})
    entries = {name: (tensors[name].dtype, tensors[name].info.shape) for name in order}
    header = header_bytes(entries, metadata)
    check_room(target, len(header) + sum(tensor.nbytes for tensor in tensors.values()))
    with writing(target) as file:
        file.write(header)
        for name in order:
            _write_tensor(file, tensors[name])


def _write_tensor(file: BinaryIO, tensor: _Source) -> None:
    for bits in pieces(tensor.file, tensor.name):
        file.write(_cast(bits, tensor.info.dtype, tensor.dtype).data)


def _cast(bits: Bits, stored: str, wanted: str) -> Bits:
    if stored == wanted or (stored in PACKED and wanted == "F32"):
        return bits
    with numpy.errstate(over="ignore"):  # infinities stay what they are
        return floats(bits, stored).astype("<f2").view("<u2")
