"""Versions and licences of the studio and of what it is built with."""

from __future__ import annotations

import importlib.metadata
import platform

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ponystudio import __version__
from ponystudio.studio.worker.worker_session import WorkerSession
from ponystudio.widgets.common import ScrollColumn, label
from ponystudio.widgets.primitives import PaintedButton, px

PARTS = (
    *("torch", "diffusers", "transformers", "tokenizers", "safetensors", "sentencepiece", "gguf"),
    *("numpy", "scipy", "torchsde", "pillow", "networkx", "PySide6-Essentials"),
    *(
        "msgspec",
        "filelock",
        "blake3",
        "platformdirs",
        "psutil",
        "tqdm",
        "PyYAML",
        "qasync",
        "wakepy",
    ),
)
_CLASSIFIER = "License :: OSI Approved :: "


class AboutPanel(QWidget):
    def __init__(self, worker: WorkerSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._worker = worker
        self.setAccessibleName(self.tr("About PonyStudio"))
        area = ScrollColumn()
        box = area.box
        box.addWidget(_label("PonyStudio", "page"))
        box.addWidget(_label(self.tr("Version %1").replace("%1", __version__), "body"))
        licence = self.tr(
            "Apache-2.0. Weights, tokenizers and pictures that ship with it have notices of their"
            " own beside them."
        )
        box.addWidget(_label(licence, "caption"))
        self.copy = PaintedButton("plain", self.tr("Copy for a report"), "copy")
        self.copy.clicked.connect(self._copy)
        box.addWidget(self.copy)
        box.addSpacing(px(8))
        box.addWidget(_label(self.tr("Built with"), "title"))
        self._rows = [("Python", platform.python_version(), "PSF-2.0"), *_versions()]
        for row in self._rows:
            box.addLayout(_part(*row))
        box.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def _copy(self) -> None:
        lines = [f"PonyStudio {__version__}", platform.platform()]
        lines += [f"{name} {version}" for name, version, _ in self._rows]
        if device := self._worker.device_choice:
            lines.append(device)
        QGuiApplication.clipboard().setText("\n".join(lines))


def _part(name: str, version: str, terms: str) -> QVBoxLayout:
    """A name with its version, and the licence below."""
    box = QVBoxLayout()
    box.setSpacing(0)
    row = QHBoxLayout()
    row.addWidget(_label(name, "body"), 1)
    row.addWidget(_label(version, "mono", wrapped=False))
    box.addLayout(row)
    if terms:
        box.addWidget(_label(terms, "caption"))
    return box


def _versions() -> list[tuple[str, str, str]]:
    """(name, version, licence) as the installed packages say, nothing imported."""
    rows = []
    for name in PARTS:
        try:
            found = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        said = found.json
        terms = str(said.get("license_expression") or said.get("license") or "").split("\n")[0]
        if not terms or len(terms) > 100 or terms.startswith("Copyright"):  # a text, or none
            listed = said.get("classifier") or []
            kinds = [item.removeprefix(_CLASSIFIER) for item in listed if _CLASSIFIER in item]
            terms = ", ".join(kinds) or terms[:100]
        rows.append((name, found["Version"], terms))
    return rows


def _label(text: str, role: str, wrapped: bool = True) -> QLabel:
    made = label(text, role)
    made.setWordWrap(wrapped)
    return made
