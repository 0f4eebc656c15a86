"""Versions and licences of the studio and of what it is built with."""

from __future__ import annotations

import importlib.metadata
import platform

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ponystudio import __version__
from ponystudio.app.engine_link import EngineLink
from ponystudio.app.painted import px
from ponystudio.canvas import theme

PARTS = (
    *("torch", "diffusers", "transformers", "safetensors", "PySide6-Essentials", "numpy"),
    *("pillow", "tokenizers", "gguf"),
)


class AboutPanel(QWidget):
    def __init__(self, link: EngineLink, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self.setAccessibleName(self.tr("About PonyStudio"))
        box = QVBoxLayout(self)
        box.setContentsMargins(px(12), px(12), px(12), px(12))
        box.setSpacing(px(8))
        box.addWidget(_label("PonyStudio", "page"))
        box.addWidget(_label(self.tr("Version %1").replace("%1", __version__), "body"))
        licence = self.tr(
            "Apache-2.0. Weights, tokenizers and pictures that ship with it have notices of their"
            " own beside them."
        )
        box.addWidget(_label(licence, "caption"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(4))
        self._rows = [("Python", platform.python_version(), "PSF-2.0"), *_versions()]
        for index, (name, version, terms) in enumerate(self._rows):
            grid.addWidget(_label(name, "body"), index, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(_label(version, "mono"), index, 1, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(_label(terms, "caption"), index, 2, Qt.AlignmentFlag.AlignTop)
        box.addLayout(grid)
        copy = QPushButton(theme.icon("copy"), self.tr("Copy for a report"))
        copy.clicked.connect(self._copy)
        box.addWidget(copy, 0, Qt.AlignmentFlag.AlignLeft)
        box.addStretch(1)

    def _copy(self) -> None:
        lines = [f"PonyStudio {__version__}", platform.platform()]
        lines += [f"{name} {version}" for name, version, _ in self._rows]
        if device := self._link.about.get("device"):
            lines.append(str(device))
        QGuiApplication.clipboard().setText("\n".join(lines))


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
        rows.append((name, found["Version"], terms[:40]))
    return rows


def _label(text: str, role: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", role)
    label.setWordWrap(role == "caption")
    return label
