from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image, ImageChops
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from helpers.scenes import chain
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.camera import MIN_ZOOM, Camera
from ponystudio.canvas.view.event_handler import EventHandler
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import RemoveNode, SetMode, SetView
from ponystudio.studio.documents.editable_graph import EditableGraph, gesture
from ponystudio.studio.documents.node_state import NodeState, Problem
from ponystudio.widgets import metrics, theme


@pytest.fixture
def document(qapp) -> EditableGraph:
    return chain()


@pytest.fixture
def view(document: EditableGraph, qtbot) -> Iterator[GraphView]:
    theme.set_reduced_motion(True)
    view = GraphView(GraphScene(document))
    qtbot.addWidget(view)
    view.resize(1000, 700)
    view.show()
    qtbot.waitExposed(view)
    view.set_camera(Camera(QPointF(440, 200), 1.0))
    yield view
    theme.set_reduced_motion(False)


def wheel(view: GraphView, steps: int, at: QPointF, modifiers=Qt.KeyboardModifier.NoModifier):
    event = QWheelEvent(
        at,
        QPointF(view.viewport().mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.viewport(), event)


def shot(view: GraphView) -> QImage:
    return view.viewport().grab().toImage()


def difference(one: QImage, other: QImage) -> int:
    """How far the two differ at most, of 255; a clip moves edges by a trace."""
    size = (one.width(), one.height())
    first, second = (Image.frombytes("RGBA", size, bytes(i.constBits())) for i in (one, other))
    return max(high for _, high in ImageChops.difference(first, second).getextrema())


def repainted(view: GraphView) -> QImage:
    view.graph_scene.store.damage()
    return shot(view)


def test_the_wheel_zooms_at_the_pointer(view: GraphView) -> None:
    at = QPointF(300, 200)
    before = view.to_scene(at)
    wheel(view, 2, at)
    assert view.zoom == pytest.approx(1.15**2)
    after = view.to_scene(at)
    assert (after - before).manhattanLength() < 1.5


def test_zoom_has_bounds(view: GraphView) -> None:
    wheel(view, 100, QPointF(10, 10))
    assert view.zoom == 4.0
    wheel(view, -200, QPointF(10, 10))
    assert view.zoom == pytest.approx(MIN_ZOOM)


def test_the_middle_button_pans(view: GraphView) -> None:
    before = view.camera().center
    viewport = view.viewport()
    QTest.mousePress(viewport, Qt.MouseButton.MiddleButton, pos=QPoint(200, 200))
    QTest.mouseMove(viewport, QPoint(260, 230))
    QTest.mouseRelease(viewport, Qt.MouseButton.MiddleButton, pos=QPoint(260, 230))
    assert (view.camera().center - before).toTuple() == (-60, -30)


def test_space_and_drag_pan_and_a_tap_is_told(view: GraphView) -> None:
    taps: list[int] = []
    view.panning.space_tapped.connect(lambda: taps.append(1))
    before = view.camera().center
    viewport = view.viewport()
    QTest.keyPress(view, Qt.Key.Key_Space)
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=QPoint(500, 600))
    QTest.mouseMove(viewport, QPoint(520, 600))
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=QPoint(520, 600))
    QTest.keyRelease(view, Qt.Key.Key_Space)
    assert view.camera().center.x() == before.x() - 20
    assert taps == []
    QTest.keyClick(view, Qt.Key.Key_Space)
    assert taps == [1]


def test_fit_shows_everything(view: GraphView) -> None:
    view.fit()
    assert view.visible_rect().contains(view.graph_scene.store.bounds())


def test_fit_shows_messages_below_cards(view: GraphView) -> None:
    scene = view.graph_scene
    scene.document.states.update("sample", phase="failed", problem=Problem("No.", "Try " * 60))
    view.fit()
    assert view.visible_rect().contains(scene.store.node_items["sample"].message.rect)


def test_fit_glides_where_motion_is_wanted(view: GraphView, qtbot) -> None:
    theme.set_reduced_motion(False)
    view.pan(5000, 0)
    view.fit()
    qtbot.waitUntil(
        lambda: view.visible_rect().contains(view.graph_scene.store.bounds()), timeout=3000
    )


def test_events_go_to_the_first_that_takes_them(view: GraphView) -> None:
    asked: list[str] = []

    class Asked(EventHandler):
        def __init__(self, name: str, takes: bool) -> None:
            self.name, self.takes = name, takes

        def mouse_press(self, event) -> bool:
            asked.append(self.name)
            return self.takes

        def mouse_release(self, event) -> bool:
            asked.append(f"{self.name} up")
            return True

    view.set_handlers(Asked("first", False), Asked("second", True), Asked("third", True))
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert asked == ["first", "second", "second up"]


def test_run_to_here_is_pressed_in_the_header(view: GraphView, qtbot) -> None:
    item = view.graph_scene.store.node_items["sample"]
    at = view.from_scene(QPointF(item.rect.right() - 42, item.rect.top() + 16)).toPoint()
    QTest.mouseMove(view.viewport(), at)
    with qtbot.waitSignal(view.graph_scene.run_to_requested) as signal:
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert signal.args == ["sample"]


def test_a_remedy_is_pressed_in_the_message(view: GraphView, qtbot) -> None:
    problem = Problem("It went wrong.", "Do something.", "NodeFailed", "", "trace")
    view.graph_scene.document.states.set("sample", NodeState("failed", problem=problem))
    shot(view)
    message = view.graph_scene.store.node_items["sample"].message
    button = next(item for item in message.buttons if item.name == "run")
    at = view.from_scene(message.rect.topLeft() + button.rect.center()).toPoint()
    with qtbot.waitSignal(view.graph_scene.remedy_requested) as signal:
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert signal.args == ["sample", problem, "run"]


def test_what_is_kept_between_frames_is_what_would_be_painted(view: GraphView) -> None:
    """Pans, hovers, moves, states: the kept picture never differs from one painted anew."""
    scene, document = view.graph_scene, view.graph_scene.document
    shot(view)
    merge = gesture("move")
    for step in range(12):
        view.pan(-13, 7 * (-1) ** step)
        QTest.mouseMove(view.viewport(), QPoint(100 + 60 * step, 200 + 10 * step))
        document.do(SetView(("nodes", "sample", "pos"), [320 + 8 * step, 8 * step]), "M", merge)
        document.states.update("second", phase="running", step=step, steps=20)
        if step == 6:
            document.do(SetMode("source", "muted"), "Mute")
        if step == 8:
            scene.store.select(["sample"], [("second", "latent")])
        if step == 10:
            document.undo()
        kept = shot(view)
        fresh = repainted(view)
        assert difference(kept, fresh) <= 2, step


def test_a_zoom_is_sharp_once_it_rests(view: GraphView, qtbot) -> None:
    for _ in range(5):
        wheel(view, -1, QPointF(500, 300))
        shot(view)
    qtbot.waitUntil(lambda: view.backing_store.is_sharp)
    assert difference(shot(view), repainted(view)) <= 2


def test_an_editor_follows_the_zoom_and_commits_when_left(view: GraphView, qtbot) -> None:
    done: list[str] = []
    editor = QLineEdit("20")
    editor.setFont(theme.current().font("body"))
    view.activateWindow()
    view.editors.open(
        editor,
        QRectF(330, 120, 220, 24),
        committed=lambda: done.append("commit"),
        cancelled=lambda: done.append("cancel"),
    )
    assert editor.width() == 220
    wheel(view, 5, QPointF(500, 300))
    assert editor.width() == pytest.approx(220 * view.zoom, abs=2)
    assert editor.font().pixelSize() == round(12 * view.zoom)
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert done == ["cancel"]
    second = QLineEdit()
    view.editors.open(second, QRectF(330, 120, 220, 24), committed=lambda: done.append("commit"))
    view.editors.close()
    assert done == ["cancel", "commit"]


def test_ui_scale_is_apart_from_zoom(view: GraphView) -> None:
    try:
        theme.set_scale(1.5)
        view.set_camera(Camera(QPointF(), 1.0))
        assert view.zoom == pytest.approx(1.0)
        assert view.transform().m11() == pytest.approx(1.5)
    finally:
        theme.set_scale(1.0)


def test_a_press_on_the_minimap_moves_the_view_there(view: GraphView) -> None:
    view.set_camera(Camera(QPointF(900, 0), 2.0))
    QTest.mouseClick(view.minimap, Qt.MouseButton.LeftButton, pos=QPoint(20, 60))
    assert view.camera().center.x() < 100


def test_what_the_view_shows_is_dragged_on_the_minimap(view: GraphView) -> None:
    view.set_camera(Camera(QPointF(400, 100), 2.0))
    before = view.camera().center
    middle = view.minimap.rect().center()
    QTest.mousePress(view.minimap, Qt.MouseButton.LeftButton, pos=middle)
    moved = view.camera().center - before
    assert moved.manhattanLength() < 2
    at = QPointF(middle + QPoint(10, 0))
    QApplication.sendEvent(
        view.minimap,
        QMouseEvent(
            QMouseEvent.Type.MouseMove,
            at,
            view.minimap.mapToGlobal(at),
            Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        ),
    )
    QTest.mouseRelease(view.minimap, Qt.MouseButton.LeftButton, pos=middle + QPoint(10, 0))
    assert view.camera().center.x() > before.x() + 20


def test_the_minimap_is_there_while_there_is_something_to_show(view: GraphView, qtbot) -> None:
    assert view.minimap.isVisible()
    told: list[bool] = []
    view.minimap.toggled.connect(told.append)
    view.minimap.toggle()
    assert not view.minimap.isVisible()
    view.minimap.toggle()
    assert told == [False, True]
    document = view.graph_scene.document
    document.do_all([RemoveNode(id) for id in document.graph.nodes], "Delete")
    qtbot.waitUntil(lambda: not view.minimap.isVisible())
    document.undo()
    qtbot.waitUntil(view.minimap.isVisible)
    view.resize(400, 300)
    qtbot.waitUntil(lambda: not view.minimap.isVisible())


def test_actions_have_their_own_ids(view: GraphView) -> None:
    actions = view.canvas_actions()
    assert len({item.id for item in actions}) == len(actions)
    assert {"F", ".", "Home"} <= {key for item in actions for key in item.keys}


@pytest.mark.parametrize("name", metrics.DENSITIES)
def test_the_minimap_stays_clear_of_the_zoom_bar(view: GraphView, name: str) -> None:
    theme.set_density(metrics.DENSITIES[name])
    try:
        below = view.minimap.geometry().bottom() + 1
        assert view.zoom_bar.geometry().top() - below == 12
    finally:
        theme.set_density(metrics.COMFORTABLE)


def test_muting_paints_the_wires_anew(view: GraphView) -> None:
    before = shot(view)
    for mode in ("muted", "normal"):
        view.graph_scene.document.do(SetMode("source", mode), "Mute")
        assert difference(shot(view), repainted(view)) <= 2
    assert difference(shot(view), before) <= 2


def test_it_is_spoken_what_the_keyboard_is_on(view: GraphView) -> None:
    from ponystudio.canvas.scene.items import FocusRef

    view.graph_scene.set_focus(FocusRef("output", "source", "latent"))
    assert view.accessibleDescription() == "Output latent of Source, Latent, one wire"


def test_a_camera_is_kept_in_the_file() -> None:
    camera = Camera(QPointF(12.5, -3), 0.88)
    assert Camera.from_json(camera.to_json()) == camera


@pytest.mark.parametrize("entry", [None, {}, {"center": [1], "zoom": 1}, {"center": [1, 2]}, "x"])
def test_a_senseless_camera_is_none(entry: object) -> None:
    assert Camera.from_json(entry) is None


def test_a_scene_outlives_its_view(qapp, document: EditableGraph) -> None:
    scene = GraphScene(document)
    view = GraphView(scene)
    view.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    document.states.update("sample", phase="running")
    document.do(SetView(("nodes", "sample", "pos"), [0, 0]), "Move")
    theme.use("light")
    theme.use("dark")
