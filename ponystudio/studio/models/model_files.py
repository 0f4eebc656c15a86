"""What is known of the files that params name: where they are, what they are, how they look as
small pictures.

Found out in the background, once each; asking again costs nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from PySide6.QtCore import QByteArray, QCoreApplication, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QImage, QImageReader

from ponystudio.errors import MissingFile, PonyStudioError
from ponystudio.library.formats.weights_file import open_weights
from ponystudio.library.model_folders import ModelFolders
from ponystudio.library.model_index import ModelIndex
from ponystudio.library.recognition.denoiser_signatures import PURPOSES
from ponystudio.library.recognition.model_file import ACCEPTED, NOUNS, ModelFile, check_kind
from ponystudio.library.recognition.model_notes import ModelNotes, said_of
from ponystudio.library.recognition.recognise import recognise
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.qt.i18n import tr
from ponystudio.studio.models.model_summary import ModelSummary

THUMB = 102  # px: 34 at the finest screen
_SIDECARS = (".preview.png", ".preview.jpg", ".preview.jpeg", ".preview.webp",
             ".png", ".jpg", ".jpeg", ".webp", ".thumb.jpg")  # fmt: skip


def read_thumb(path: Path, side: int = THUMB) -> QImage | None:
    """A picture, as small as it is needed, upright."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    return _cropped(reader, side)


def sidecar_thumb(path: Path, metadata: Any, side: int = THUMB) -> QImage | None:
    """The picture beside a model file, or the one inside it."""
    for suffix in _SIDECARS:
        beside = path.with_suffix(suffix)
        if beside != path and beside.is_file() and (image := read_thumb(beside, side)) is not None:
            return image
    inside = str(metadata.get("modelspec.thumbnail", ""))
    if inside.startswith("data:image/") and "," in inside:
        try:
            data = base64.b64decode(inside.partition(",")[2], validate=False)
        except binascii.Error:
            return None
        image = QImage.fromData(QByteArray(data))
        if not image.isNull():
            return _square(image, side)
    return None


def _cropped(reader: QImageReader, side: int) -> QImage | None:
    if not reader.canRead():
        return None
    size = reader.size()
    if size.isValid() and not size.isEmpty():
        factor = side / min(size.width(), size.height())
        if factor < 1:
            reader.setScaledSize(
                QSize(max(1, round(size.width() * factor)), max(1, round(size.height() * factor)))
            )
    image = reader.read()
    return None if image.isNull() else _square(image, side)


def _square(image: QImage, side: int) -> QImage:
    """The middle of a picture, as a square."""
    image = image.scaled(
        side,
        side,
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    left, top = (image.width() - side) // 2, (image.height() - side) // 2
    return image.copy(left, top, side, side)


MAX_PICTURES = 160
_STEP = 64


class PreviewPictureCache(QObject):
    """`changed` when a sharper one is there."""

    changed = Signal()

    def __init__(self, facts: FileFacts, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._facts = facts
        self._pictures: OrderedDict[tuple[Path, float, int], QImage | None] = OrderedDict()

    def get(self, fact: ModelSummary | None, side: int) -> QImage | None:
        """The picture at least that wide, a small one until it is read; None: there is none."""
        if fact is None or fact.thumb is None or fact.path is None or side <= THUMB:
            return fact.thumb if fact else None
        side = -(-side // _STEP) * _STEP  # a window that is pulled wider asks for few sizes
        key = (fact.path, fact.modified, side)
        if key in self._pictures:
            self._pictures.move_to_end(key)
        else:
            self._pictures[key] = None
            self._facts.picture(fact.path, side, partial(self._have, key))
            while len(self._pictures) > MAX_PICTURES:
                self._pictures.popitem(last=False)
        sharp = self._pictures[key]
        return fact.thumb if sharp is None else sharp

    def _have(self, key: tuple[Path, float, int], image: QImage | None) -> None:
        if key in self._pictures and image is not None:
            self._pictures[key] = image
            self.changed.emit()


_DTYPES = {"F16": "fp16", "F32": "fp32", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8",
           "F64": "fp64"}  # fmt: skip
# Upscalers are named for what they do: 4x-UltraSharp, realesrgan-x4plus.
_SCALE = re.compile(r"(?<![a-z0-9])(?:x([1-9])(?!\d)|([1-9])x)")
_DOWN = re.compile(r"(lora_down|lora_A|lora\.down|down)\.weight$|\.lora_A\b")
RECHECK_SECONDS = 2.0


class FileFacts(QObject):
    """`changed` fires when something asked for became known."""

    changed = Signal()

    def __init__(self, folders: Callable[[], ModelFolders], index_path: Path | None = None) -> None:
        super().__init__()
        self._folders, self._index_path = folders, index_path
        self._known: dict[tuple[str, str], ModelSummary] = {}
        self._pending: set[tuple[str, str]] = set()
        self._stale: set[tuple[str, str]] = set()
        self._recheck_at: dict[tuple[str, str], float] = {}
        self._names: dict[str, list[str]] = {}
        self._background = BackgroundTasks("model files", newest_first=True)
        self._index: ModelIndex | None = None
        self._last_folders: ModelFolders | None = None
        app = QCoreApplication.instance()
        if isinstance(app, QGuiApplication):
            app.applicationStateChanged.connect(self._app_state)

    def get(self, kind: str, name: str) -> ModelSummary | None:
        """What is known of a file by its name in a graph; None while it is found out. One that is
        missing is looked for again, as the run that finds it may repaint its card."""
        key = (kind, name)
        found = self._known.get(key)
        recheck = (
            found is not None and found.missing and monotonic() > self._recheck_at.get(key, 0.0)
        )
        if (found is None or recheck or key in self._stale) and key not in self._pending:
            self._pending.add(key)
            self._stale.discard(key)
            self._recheck_at[key] = monotonic() + RECHECK_SECONDS
            folders = self._present()
            self._background.do(
                lambda: self._find_out(kind, name, folders),
                lambda fact: self._done(key, fact),
                key=key,
            )
        return found

    def _present(self) -> ModelFolders:
        """The folders as they are now, found out once where many files are asked for at once."""
        if self._last_folders is None:
            self._last_folders = self._folders()
            QTimer.singleShot(0, self, self._forget_folders)
        return self._last_folders

    def _forget_folders(self) -> None:
        self._last_folders = None

    def names(self, kind: str) -> list[str] | None:
        """The files of a kind as last seen, None before the first look; call `refresh`."""
        return self._names.get(kind)

    def refresh(self, kind: str) -> None:
        """List the files of a kind anew, and see whether they are what they were."""
        folders = self._folders()
        self._stale.update(key for key in self._known if key[0] == kind)
        self._background.do(
            lambda: folders.names(kind),
            lambda names: self._listed(kind, names),
            key=("names", kind),
        )

    def list_now(self, kind: str, done: Callable[[list[str]], None]) -> None:
        """The files of a kind as they are now, for `done`."""
        folders = self._folders()
        self._background.do(lambda: folders.names(kind), done)

    def refresh_file(self, kind: str, name: str) -> None:
        """More may be known of this file now."""
        self._stale.add((kind, name))
        self.changed.emit()

    def examine(
        self, path: Path, done: Callable[[tuple[ModelFile, ModelNotes] | None], None]
    ) -> None:
        """What a model file is and says of itself, for `done`; None where it is none. Only what
        was asked last is answered for certain."""
        self._background.do(lambda: self._examined(path), done, key="examine")

    def picture(self, path: Path, side: int, done: Callable[[QImage | None], None]) -> None:
        """The picture that belongs to a model file as a square of that size, for `done`."""
        self._background.do(lambda: self._picture_of(path, side), done, key=("picture", path, side))

    def forget(self) -> None:
        """The folders are others now."""
        self._background.forget()
        self._forget_folders()
        kinds = list(self._names)
        self._known.clear()
        self._names.clear()
        self._stale = set(self._pending)  # what is being looked at may be found in the old ones
        self._pending.clear()
        for kind in kinds:
            self.refresh(kind)
        self.changed.emit()

    def recheck(self) -> None:
        """Names may mean other files now, beside another graph, say: look at them again."""
        self._forget_folders()
        if self._known or self._pending:
            self._stale.update(self._known, self._pending)
            self.changed.emit()

    def _app_state(self, state: Qt.ApplicationState) -> None:
        """Whoever comes back from another program may have put files where they were missing."""
        if state == Qt.ApplicationState.ApplicationActive:
            self.recheck()

    def name_for(self, kind: str, path: Path) -> str:
        """What a graph should call a file."""
        return self._folders().name_for(kind, path)

    def folder(self, kind: str) -> Path | None:
        """Where a person would look for files of a kind."""
        folders = self._folders().folders(kind)
        return folders[0] if folders else None

    def _done(self, key: tuple[str, str], fact: ModelSummary) -> None:
        self._pending.discard(key)
        if self._known.get(key) != fact:
            self._known[key] = fact
            self.changed.emit()

    def _listed(self, kind: str, names: list[str]) -> None:
        self._names[kind] = names
        self.changed.emit()

    # In the background

    def _find_out(self, kind: str, name: str, folders: ModelFolders) -> ModelSummary:
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
            model, sha256 = self._recognised(path)
        except PonyStudioError as error:
            return _refused(replace(fact, thumb=sidecar_thumb(path, {})), error)
        fact = replace(
            fact, family=model.family, dtype=dtype_of(model), detail=_detail(model), sha256=sha256,
            thumb=sidecar_thumb(path, model.metadata), words=said_of(path, model.metadata).words,
        )  # fmt: skip
        try:
            check_kind(model, kind)
        except PonyStudioError as error:
            noun = NOUNS.get(model.kind, model.kind).partition(",")[0]
            return _refused(fact, error, tr("This is {noun}").format(noun=noun))
        return fact

    def _recognised(self, path: Path) -> tuple[ModelFile, str]:
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

    def _examined(self, path: Path) -> tuple[ModelFile, ModelNotes] | None:
        try:
            model = self._recognised(path)[0]
        except PonyStudioError:
            return None
        return model, said_of(path, model.metadata)

    def _picture_of(self, path: Path, side: int) -> QImage | None:
        try:
            metadata = self._recognised(path)[0].metadata
        except PonyStudioError:
            metadata = {}
        return sidecar_thumb(path, metadata, side)

    def close(self) -> None:
        """Look into no more files, and let go of the index."""
        self._background.close()
        index, self._index, self._index_path = self._index, None, None
        if index is not None:
            index.close()


def _refused(fact: ModelSummary, error: PonyStudioError, short: str = "") -> ModelSummary:
    short = short or _short(type(error).__name__)
    problem = error.what.rstrip(".")
    return replace(fact, problem=problem, short=short, remedy=error.remedy)


def _short(reason: str) -> str:
    """What is wrong, where there is room for two or three words."""
    return {
        "DamagedFile": tr("Damaged file"),
        "UnsafeFile": tr("Can run code"),
        "UnknownModel": tr("No known model"),
        "UnsupportedModel": tr("Cannot be run yet"),
        "UnsafePath": tr("On another machine"),
    }.get(reason, "")


def _picture(name: str, path: Path, size: int) -> ModelSummary:
    measured = QImageReader(str(path)).size()
    thumb = read_thumb(path)
    problem = "" if thumb is not None else tr("No picture")
    return ModelSummary(
        name, path, size=size, width=max(0, measured.width()), height=max(0, measured.height()),
        thumb=thumb, problem=problem,
    )  # fmt: skip


def _detail(model: ModelFile) -> str:
    """What is worth a word besides the family."""
    if model.kind == "upscaler":
        named = _SCALE.search(model.path.stem.lower())
        return f"×{named[1] or named[2]}" if named else ""
    if model.kind == "lora":
        rank = _rank(model)
        return tr("rank {rank}").format(rank=rank) if rank else ""
    return made_for(model.input_channels)


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
