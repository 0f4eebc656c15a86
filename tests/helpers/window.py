"""The studio's whole window, without an engine, for tests of the shell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from helpers.running import until
from ponystudio.app.studio_main import restored_window
from ponystudio.app.window.main_window import MainWindow
from ponystudio.graph.model import Graph
from ponystudio.studio.settings import Settings
from ponystudio.widgets import metrics, style_sheet, theme

NONE = Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@contextmanager
def open_window(
    files: Sequence[Path] = (), *, canvas: bool = True, **settings: Any
) -> Iterator[MainWindow]:
    """A window as it starts with these files, dressed, closed afterwards; PONYSTUDIO_HOME says
    where it lives. `canvas`: a canvas comes to the front."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    kept = Settings()
    for name, value in {"welcomed": True, "theme": "dark", **settings}.items():
        kept.set(name, value)
    theme.use("dark")
    theme.set_scale(kept.get("ui_scale"))
    app.setStyleSheet(style_sheet.sheet())
    window = restored_window(kept, files)
    window.resize(1400, 900)
    window.show()
    window.activateWindow()
    assert QTest.qWaitForWindowExposed(window)
    window.documents.wait()
    until(lambda: not canvas or (window.page is not None and window.page.isVisible()))
    try:
        yield window
    finally:
        window.close()
        window.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        theme.set_scale(1.0)
        theme.set_density(metrics.DENSITIES["comfortable"])
        app.setStyleSheet("")


def show_graph(window: MainWindow, graph: Graph, title: str = "Graph") -> None:
    """Open a graph as a document of its own, in front."""
    window.documents.new_from(graph, title)
    until(lambda: window.page is not None and window.page.isVisible())


def texts(widget: QWidget) -> str:
    """What its labels say that are seen, a line each."""
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def press(widget: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
    widget.window().activateWindow()
    widget.setFocus()
    QTest.keyClick(widget, key, modifiers)


def shown(qtbot: Any, widget: QWidget, width: int, height: int) -> Any:
    """The widget, this large, on a host that is shown."""
    host = QWidget()
    host.resize(2000, 500)
    widget.setParent(host)
    widget.resize(width, height)
    qtbot.addWidget(host)
    host.show()
    qtbot.waitExposed(host)
    widget.host = host  # kept as long as the widget
    return widget


def picture(path: Path) -> Path:
    """A small picture file."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), (200, 80, 120)).save(path)
    return path
