"""Looks into the files that params name: what they are, how they look as small pictures.

It takes readers of all formats, so it is imported when the first file is looked into.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtGui import QImage

from ponystudio.errors import MissingFile, PonyStudioError
from ponystudio.library.formats.weights_file import open_weights
from ponystudio.library.model_folders import ModelFolders
from ponystudio.library.model_index import ModelIndex
from ponystudio.library.recognition.control_signatures import ControlSignature
from ponystudio.library.recognition.denoiser_signatures import PURPOSES
from ponystudio.library.recognition.few_steps import few_steps
from ponystudio.library.recognition.model_file import ACCEPTED, NOUNS, ModelFile, check_kind
from ponystudio.library.recognition.model_notes import ModelNotes, said_of
from ponystudio.library.recognition.recognise import recognise
from ponystudio.qt.i18n import tr
from ponystudio.qt.picture_image import small_image
from ponystudio.studio.models.model_summary import THUMB, ModelSummary

_SIDECARS = (".preview.png", ".preview.jpg", ".preview.jpeg", ".preview.webp",
             ".png", ".jpg", ".jpeg", ".webp", ".thumb.jpg")  # fmt: skip
# Letters of a picture inside a model file; those of trainers have some 100,000.
LONGEST_THUMB = 32 * 2**20
_DTYPES = {"F16": "fp16", "F32": "fp32", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8",
           "F64": "fp64"}  # fmt: skip
# Upscalers are named for what they do: 4x-UltraSharp, realesrgan-x4plus.
_SCALE = re.compile(r"(?<![a-z0-9])(?:x([1-9])(?!\d)|([1-9])x)")
_DOWN = re.compile(r"(lora_down|lora_A|lora\.down|down)\.weight$|\.lora_A\b")


class FileReader:
    """Reads files on one thread, whichever that is; with the index of models, if one is given."""

    def __init__(self, index_path: Path | None = None) -> None:
        self._index_path = index_path
        self._index: ModelIndex | None = None

    def summary(self, kind: str, name: str, folders: ModelFolders) -> ModelSummary:
        """All that is known of a file of this kind, by its name in a graph."""
        if not name:
            return ModelSummary(name, problem=tr("No file is chosen"), missing=True)
        try:
            path = folders.resolve(kind, name)
        except MissingFile as error:
            return ModelSummary(name, problem=tr("Not found"), missing=True, remedy=error.remedy)
        except PonyStudioError as error:
            return _refused(ModelSummary(name), error)
        size = _size(path)
        if kind == "input":
            return _picture(name, path, size)
        if kind not in ACCEPTED:
            return ModelSummary(name, path, size=size, detail=path.suffix[1:].upper())
        return self._model(
            kind, ModelSummary(name, path, size=size, modified=_modified(path)), path
        )

    def _model(self, kind: str, fact: ModelSummary, path: Path) -> ModelSummary:
        try:
            model, sha256 = self._recognise(path)
        except PonyStudioError as error:
            return _refused(replace(fact, thumb=sidecar_thumb(path, {})), error)
        fact = replace(
            fact, family=model.family, dtype=dtype_of(model), detail=_detail(model), sha256=sha256,
            thumb=sidecar_thumb(path, model.metadata), words=said_of(path, model.metadata).words,
            few_steps=few_steps(model),
        )  # fmt: skip
        try:
            check_kind(model, kind)
        except PonyStudioError as error:
            noun = NOUNS.get(model.kind, model.kind).partition(",")[0]
            return _refused(fact, error, tr("This is {noun}").format(noun=noun))
        return fact

    def _recognise(self, path: Path) -> tuple[ModelFile, str]:
        """What it is, and its SHA-256 if that is known. Raises what `recognise` raises."""
        if self._index_path is not None and self._index is None:
            try:
                self._index = ModelIndex(self._index_path)
            except PonyStudioError:
                self._index_path = None
        entry = self._index.look(path) if self._index is not None else None
        if entry is None or entry.model is None:  # its error has more to say than the index keeps
            return recognise(path), ""
        return entry.model, entry.sha256

    def examine(self, path: Path) -> tuple[ModelFile, ModelNotes] | None:
        """What a model file is and says of itself; None where it is none."""
        try:
            model = self._recognise(path)[0]
        except PonyStudioError:
            return None
        return model, said_of(path, model.metadata)

    def picture(self, path: Path, side: int) -> QImage | None:
        """The picture that belongs to a model file, as a square."""
        try:
            metadata = self._recognise(path)[0].metadata
        except PonyStudioError:
            metadata = {}
        return sidecar_thumb(path, metadata, side)

    def close(self) -> None:
        """Let go of the index."""
        index, self._index, self._index_path = self._index, None, None
        if index is not None:
            index.close()


def sidecar_thumb(path: Path, metadata: Any, side: int = THUMB) -> QImage | None:
    """The picture beside a model file, or the one inside it, as a square."""
    for suffix in _SIDECARS:
        beside = path.with_suffix(suffix)
        if beside != path and beside.is_file() and (image := _thumb(beside, side)) is not None:
            return image
    inside = str(metadata.get("modelspec.thumbnail", ""))
    if inside.startswith("data:image/") and "," in inside and len(inside) <= LONGEST_THUMB:
        try:
            data = base64.b64decode(inside.partition(",")[2], validate=False)
        except binascii.Error:
            return None
        return _thumb(data, side)
    return None


def _thumb(source: Path | bytes, side: int) -> QImage | None:
    try:
        return small_image(source, side, fill=True).image
    except PonyStudioError:
        return None


def _refused(fact: ModelSummary, error: PonyStudioError, short: str = "") -> ModelSummary:
    short = short or _short(type(error).__name__)
    problem = error.what.rstrip(".")
    return replace(fact, problem=problem, short=short, remedy=error.remedy)


def _short(reason: str) -> str:
    """What is wrong, where there is room for two or three words."""
    return {
        "DamagedFile": tr("Damaged file"),
        "UnreadFile": tr("Cannot be read"),
        "UnsafeFile": tr("Can run code"),
        "UnknownModel": tr("No known model"),
        "UnsupportedModel": tr("Cannot be run yet"),
        "UnsafePath": tr("On another machine"),
    }.get(reason, "")


def _picture(name: str, path: Path, size: int) -> ModelSummary:
    try:
        thumb, width, height = small_image(path, THUMB, fill=True)
    except PonyStudioError as error:
        return _refused(ModelSummary(name, path, size=size), error, tr("No picture"))
    return ModelSummary(name, path, size=size, width=width, height=height, thumb=thumb)


def _detail(model: ModelFile) -> str:
    """What is worth a word besides the family."""
    if model.kind == "upscaler":
        named = _SCALE.search(model.path.stem.lower())
        return f"×{named[1] or named[2]}" if named else ""
    if model.kind == "lora":
        rank = _rank(model)
        return tr("rank {rank}").format(rank=rank) if rank else ""
    if model.control:
        return _of_control(model.control)
    return made_for(model.input_channels)


def _of_control(control: ControlSignature) -> str:
    """What sets it apart from a plain ControlNet."""
    if control.encoded and control.takes_mask:
        return tr("inpainting")
    return {
        "union": tr("union"),
        "control-lora": tr("control-LoRA"),
        "difference": tr("differences"),
        "adapter": tr("T2I-adapter"),
    }.get(control.kind, "")


def made_for(channels: int) -> str:
    """What a denoiser that takes in so many channels was made for; "" for pictures from words."""
    return {
        "inpainting": tr("inpainting"),
        "edits by instruction": tr("edits by instruction"),
        "control pictures": tr("control pictures"),
    }.get(PURPOSES.get(channels, ""), "")


def _rank(model: ModelFile) -> int:
    """What most of a LoRA's pairs have as their inner side; 0 if that cannot be told."""
    network_dim = model.metadata.get("ss_network_dim", "")
    if network_dim.isdigit():
        return int(network_dim)
    try:
        with open_weights(model.path) as file:
            sides = [
                info.shape[0]
                for name, info in file.tensors.items()
                if info.shape and _DOWN.search(name)
            ]
    except PonyStudioError:
        return 0
    return int(max(set(sides), key=sides.count)) if sides else 0


def dtype_of(model: ModelFile) -> str:
    """What most of its numbers are; of a LoRA that is of no interest."""
    part = max(model.parts.values(), key=lambda part: part.parameters, default=None)
    return _DTYPES.get(part.dtype, part.dtype) if part and model.kind != "lora" else ""


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        if path.is_dir():
            return sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file())
        return path.stat().st_size
    except OSError:
        return 0
