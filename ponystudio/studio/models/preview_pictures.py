"""The pictures of model files as large as they are shown; the latest are kept."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from ponystudio.studio.models.file_thumbnails import THUMB
from ponystudio.studio.models.model_files import FileFacts
from ponystudio.studio.models.model_summary import ModelSummary

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
