"""A person's first hour, by mouse and keyboard alike, in a real window with a real worker.

From an empty canvas: build text-to-picture with the starter model, run it, see previews, change the
seed, run again, undo, upscale the result, save, quit, and open the graph again from the picture.
Screenshots go to the folder that PONYSTUDIO_SHOTS names, if it does.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from helpers.running import until
from ponystudio.app.studio_main import restored_window
from ponystudio.graph.formats import graph_file
from ponystudio.pictures.picture_graph import graph_text
from ponystudio.studio.settings import Settings
from ponystudio.widgets import style_sheet, theme
from ponystudio_resources import path as resource

STARTER = resource("models", "checkpoints", "starter.safetensors")
CTRL, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton
RUN_SECONDS = 120.0

pytestmark = pytest.mark.skipif(not STARTER.exists(), reason="the starter model is not here")


class Hands:
    """What a person does to the window."""

    def __init__(self, window):
        self.window = window

    @property
    def page(self):
        return self.window.page

    @property
    def document(self):
        return self.window.documents.current

    @property
    def port(self):
        return self.page.view.viewport()

    def at(self, scene: QPointF) -> QPoint:
        return self.page.view.from_scene(scene).toPoint()

    def add(self, words: str, at: tuple[float, float]) -> str:
        """A double click on empty canvas, some letters, Enter: a node is there. `at` counts from
        the upper left of what is in sight."""
        before = set(self.document.graph.nodes)
        corner = self.page.view.visible_rect().topLeft() + QPointF(60, 60)
        place = self.at(corner + QPointF(*at))
        QTest.mouseDClick(self.port, LEFT, NONE, place)
        until(lambda: isinstance(QApplication.focusWidget(), QLineEdit))
        QTest.keyClicks(QApplication.focusWidget(), words)
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
        (node,) = set(self.document.graph.nodes) - before
        return node

    def wire(self, source: str, output: str, target: str, input: str) -> None:
        """Drag from an output to an input."""
        scene = self.page.scene
        start, end = scene.store.output_pos(source, output), scene.store.input_pos(target, input)
        self.drag(self.at(start), self.at(end))
        link = self.document.graph.nodes[target].inputs.get(input)
        assert link is not None, (target, input)
        assert (link.source, link.output) == (source, output)

    def drag(self, start: QPoint, end: QPoint) -> None:
        QTest.mousePress(self.port, LEFT, NONE, start)
        for step in range(1, 6):
            QTest.mouseMove(self.port, start + (end - start) * step / 5)
            QTest.qWait(5)
        QTest.mouseRelease(self.port, LEFT, NONE, end)

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        QTest.keyClick(QApplication.focusWidget() or self.port, key, modifiers)

    def type_into(self, node: str, param: str, text: str) -> None:
        """Double-click a field, type, and leave it."""
        item = self.page.scene.store.node_items[node]
        (row,) = (row for row in item.layout.params if row.spec.name == param)
        place = row.rect.translated(item.x, item.y).center()
        QTest.mouseDClick(self.port, LEFT, NONE, self.at(place))
        editor = QApplication.focusWidget()
        assert editor is not None
        assert editor is not self.port
        QTest.keyClick(editor, Qt.Key.Key_A, CTRL)
        QTest.keyClicks(editor, text)
        # Enter is a new line in a prompt, which keeps what is typed on Esc.
        leave = Qt.Key.Key_Return if isinstance(editor, QLineEdit) else Qt.Key.Key_Escape
        QTest.keyClick(editor, leave)

    def run(self) -> None:
        """Ctrl+Enter, and wait for the end."""
        ended: list[str] = []
        note = lambda _job, how: ended.append(how)  # noqa: E731
        self.window.runner.job_done.connect(note)
        self.page.view.setFocus()
        self.press(Qt.Key.Key_Return, CTRL)
        until(lambda: ended, RUN_SECONDS)
        self.window.runner.job_done.disconnect(note)
        assert ended == ["done"]
        QTest.qWait(100)

    def shot(self, name: str) -> None:
        if folder := os.environ.get("PONYSTUDIO_SHOTS"):
            QTest.qWait(300)
            self.window.grab().save(str(Path(folder) / f"{name}.png"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    return tmp_path


def opened(home) -> Hands:
    """The studio, as it starts."""
    settings = Settings()
    settings.set("welcomed", True)
    settings.set("seed_mode", "fixed")
    theme.use("dark")
    window = restored_window(settings)
    window.resize(1600, 1000)
    window.show()
    window.start()
    QTest.qWaitForWindowExposed(window)
    window.activateWindow()
    until(lambda: window.page is not None)
    QTest.qWait(50)
    return Hands(window)


def close(hands: Hands) -> None:
    hands.window.close()
    hands.window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_the_first_hour(qapp, home):
    style_sheet.apply(qapp)
    hands = opened(home)
    hands.shot("empty")
    while hands.page.view.zoom > 0.7:
        hands.press(Qt.Key.Key_Minus, CTRL)
    QTest.qWait(300)
    checkpoint = hands.add("load check", (0, 0))
    positive = hands.add("prompt", (300, 0))
    negative = hands.add("prompt", (300, 360))
    latent = hands.add("empty latent", (0, 360))
    sampler = hands.add("sample", (600, 0))
    decode = hands.add("decode", (900, 0))
    save = hands.add("save image", (1200, 0))
    for link in (
        (checkpoint, "model", sampler, "model"),
        (checkpoint, "clip", positive, "clip"),
        (checkpoint, "clip", negative, "clip"),
        (checkpoint, "vae", decode, "vae"),
        (positive, "conditioning", sampler, "positive"),
        (negative, "conditioning", sampler, "negative"),
        (latent, "latent", sampler, "latent"),
        (sampler, "latent", decode, "latent"),
        (decode, "image", save, "image"),
    ):
        hands.wire(*link)
    hands.type_into(positive, "text", "unicorn, 3d, blue background")
    hands.type_into(latent, "width", "128")
    hands.type_into(latent, "height", "128")
    hands.type_into(sampler, "steps", "8")
    params = hands.document.graph.nodes
    assert params[positive].params["text"] == "unicorn, 3d, blue background"
    assert (params[latent].params["width"], params[sampler].params["steps"]) == (128, 8)

    # Run it, and see it come
    previews: list[str] = []
    states = hands.document.states
    states.changed.connect(lambda id: previews.append(id) if states[id].live else None)
    hands.run()
    assert sampler in previews
    until(lambda: states[save].picture is not None)
    first = hands.window.runner.folders.output() / "ponystudio_00001.png"
    assert first.exists()
    hands.shot("finished")

    # Another seed: only what depends on it is made again
    hands.type_into(sampler, "seed", "12345")
    assert hands.document.graph.nodes[sampler].params["seed"] == 12345
    hands.run()
    second = first.with_name("ponystudio_00002.png")
    assert second.exists()
    assert first.read_bytes() != second.read_bytes()

    # Undo gives the first seed back, and its picture needs no sampling
    hands.page.view.setFocus()
    hands.press(Qt.Key.Key_Z, CTRL)
    assert hands.document.graph.nodes[sampler].params.get("seed") != 12345
    until(lambda: states[sampler].tier != "")

    # Upscale the result
    loader = hands.add("load upscaler", (900, 260))
    upscale = hands.add("upscale image", (900, 480))
    larger = hands.add("save image", (1200, 540))
    hands.wire(loader, "upscaler", upscale, "upscaler")
    hands.wire(decode, "image", upscale, "image")
    hands.wire(upscale, "image", larger, "image")
    hands.run()
    until(lambda: len(list(first.parent.glob("*.png"))) >= 3)
    hands.shot("upscaled")

    # Save, quit, start again: everything is there
    graph_path = home / "unicorn.json"
    hands.window.documents.save_as(hands.document, graph_path)
    hands.window.documents.wait()
    until(lambda: not hands.document.dirty)
    graph = hands.document.graph
    close(hands)

    hands = opened(home)
    until(lambda: hands.document is not None and hands.document.graph.nodes)
    assert hands.document.graph.nodes.keys() == graph.nodes.keys()

    # And from the picture alone
    hands.window.documents.open(second)
    until(lambda: len(hands.window.documents) == 2)
    reopened = hands.document.graph
    assert reopened.nodes[sampler].params["seed"] == 12345
    theirs = graph_file.loads(graph_text(second))
    assert reopened.nodes.keys() == theirs.nodes.keys()
    assert QGuiApplication.topLevelWindows()
    close(hands)
