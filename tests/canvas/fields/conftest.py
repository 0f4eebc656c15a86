"""A view over a small graph, driven by real events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ponystudio.api.spec import InputSpec, NodeSpec, OutputSpec, ParamSpec
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.model import Graph, Node
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.models.field_services import FieldServices
from ponystudio.widgets import theme

SPEC = NodeSpec(
    "test.all",
    1,
    "All",
    "Utility",
    inputs=(InputSpec("model", "model"),),
    outputs=(OutputSpec("value", "int"),),
    params=(
        ParamSpec("seed", "seed", 0, low=0, high=2**64 - 1),
        ParamSpec("steps", "int", 25, low=1, high=10_000, soft=(1, 61)),
        ParamSpec("width", "int", 512, low=16, high=16384, soft=(256, 2048), step=8),
        ParamSpec("cfg", "float", 7.0, low=0, high=100, soft=(1, 15), step=0.5, title="Guidance"),
        ParamSpec("free", "float", 1.0),
        ParamSpec("sampler", "choice", "euler", choices=("euler", "heun", "dpm_2")),
        ParamSpec("tiled", "bool", False),
        ParamSpec("prefix", "text", "pony", file_name=True),
        ParamSpec("file", "file", "", kind="loras"),
        ParamSpec(
            "stack",
            "rows",
            [],
            fields=(
                ParamSpec("file", "file", "", kind="loras"),
                ParamSpec("strength", "float", 1.0, low=-10, high=10, soft=(-1, 2), step=0.05),
            ),
        ),
    ),
)


PROMPT = NodeSpec(
    "test.prompt",
    1,
    "Prompt",
    "Text",
    params=(
        ParamSpec("text", "text", "", lines=5, prompt=True),
        ParamSpec("dialect", "choice", "a1111", choices=("a1111", "comfyui")),
        ParamSpec("note", "text", "", lines=3),
        ParamSpec("ink", "text", "#0000ff", colour=True),
    ),
)


class Studio:
    """A document in a view, and a person's hands."""

    def __init__(self, qtbot, models):
        graph = Graph.of(Node("a", "test.all"), Node("p", "test.prompt"))
        nodes = {"a": {"pos": [0, 0]}, "p": {"pos": [280, 0]}}
        self.document = EditableGraph(
            replace(graph, view={"nodes": nodes}), Catalog((SPEC, PROMPT))
        )
        self.seeds: dict[tuple[str, str], int] = {}
        services = FieldServices(
            lambda: ModelFolders([models]), lambda node, name: self.seeds.get((node, name))
        )
        self.scene = GraphScene(self.document, services)
        self.view = GraphView(self.scene)
        qtbot.addWidget(self.view)
        self.host = self.view.field_host
        self.view.resize(640, 700)
        with qtbot.waitExposed(self.view):
            self.view.show()
        self.view.activateWindow()
        self.view.setFocus()
        self.view.set_camera(Camera(QPointF(270, 300), 1.0))

    def value(self, name, node="a"):
        spec = self.document.spec(node).param_by_name[name]
        return self.document.graph.nodes[node].params.get(name, spec.default)

    def place(self, name, node="a"):
        place = self.scene.store.param(node, name)
        assert place is not None
        return place

    def actions(self, name, node="a", part=""):
        """The actions of a param's menu, by id, as opened on a part of its field."""
        place = self.place(name, node)
        at = self.part_rect(name, part, node).center() if part else place.rect.center()
        found = self.view.field_input.actions_for(place, at)
        return {action.id: action for action in found}

    def rect(self, name, node="a"):
        return self.place(name, node).rect

    def at(self, name, x=0.5, y=12.0, node="a"):
        """A point of the viewport: `x` along the field if below 1, else px from its left."""
        rect = self.rect(name, node)
        across = rect.width() * x if 0 <= x <= 1 else x
        return self.view.from_scene(rect.topLeft() + QPointF(across, y)).toPoint()

    def part_rect(self, name, part, node="a"):
        place = self.place(name, node)
        ctx = self.host.context(node, place.spec)
        found = {p.name: p for p in place.field.parts(place.rect, ctx)}
        return found[part].rect

    def part(self, name, part, node="a"):
        return self.view.from_scene(self.part_rect(name, part, node).center()).toPoint()

    def click(self, at, modifiers=Qt.KeyboardModifier.NoModifier):
        QTest.mouseClick(self.view.viewport(), Qt.MouseButton.LeftButton, modifiers, at)

    def double_click(self, at):
        self.click(at)
        button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mouseDClick(self.view.viewport(), button, none, at)
        QTest.mouseRelease(self.view.viewport(), button, none, at)

    def drag(self, at, *by, modifiers=Qt.KeyboardModifier.NoModifier):
        """Press, move by so many px in turn, let go."""
        view, button = self.view.viewport(), Qt.MouseButton.LeftButton
        QTest.mousePress(view, button, modifiers, at)
        for dx in (4 if by[0] > 0 else -4, *by):
            at = at + QPoint(dx, 0)
            self.move(at, modifiers)
        QTest.mouseRelease(view, button, modifiers, at)

    def move(self, at, modifiers=Qt.KeyboardModifier.NoModifier):
        from PySide6.QtCore import QEvent
        from PySide6.QtGui import QMouseEvent

        view = self.view.viewport()
        button = Qt.MouseButton.LeftButton
        place = QPointF(at)
        event = QMouseEvent(
            QEvent.Type.MouseMove, place, QPointF(view.mapToGlobal(at)), button, button, modifiers
        )
        QApplication.sendEvent(view, event)

    def wheel(self, at, notches):
        from PySide6.QtGui import QWheelEvent

        none = Qt.KeyboardModifier.NoModifier
        view = self.view.viewport()
        event = QWheelEvent(
            QPointF(at), QPointF(view.mapToGlobal(at)), QPoint(), QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton, none, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(view, event)

    def key(self, key, modifiers=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self._focus(), key, modifiers)

    def type(self, text):
        QTest.keyClicks(self._focus(), text)

    def _focus(self):
        return self.view.focusWidget() or self.view

    @property
    def editor(self):
        return self.view.editors.widget

    @property
    def popup(self):
        return self.host.popup

    @property
    def steps(self):
        return self.document.undo_count


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def studio(qtbot, models):
    theme.set_reduced_motion(True)
    found = Studio(qtbot, models)
    yield found
    found.view.editors.close()
    found.host.close_popup()
    theme.set_reduced_motion(False)


@pytest.fixture
def prompt(studio):
    def start(text):
        studio.document.do(SetParam("p", "text", text), "Set")
        studio.click(studio.at("text", 0.9, 50, node="p"))
        return studio.editor

    return start
