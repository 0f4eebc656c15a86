"""What a view can be asked to do."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from ponystudio.canvas.view import camera_view
from ponystudio.canvas.view.camera_view import Camera, CameraView
from ponystudio.canvas.view.minimap import Minimap
from ponystudio.qt.i18n import tr
from ponystudio.widgets.action import ActionSpec


def actions(view: CameraView, minimap: Minimap) -> list[ActionSpec]:
    scene = view.graph_scene

    def zoom_to(zoom: float) -> None:
        view.jump(Camera(view.camera().center, zoom))

    def zoom_step(up: bool) -> None:
        view.zoom_at(camera_view.stepped(view.zoom, up) / view.zoom, _middle(view))

    def shift(dx: int, dy: int) -> None:
        view.pan(dx, dy)

    group = tr("View")
    return [
        ActionSpec(
            "canvas.fit",
            tr("Show everything"),
            view.fit,
            ("F", ".", "Home"),
            group,
            "fit",
        ),
        ActionSpec(
            "canvas.fit_selection",
            tr("Show selection"),
            view.fit_selection,
            ("Shift+Home", "Num+."),
            group,
            "zoom",
        ),
        ActionSpec(
            "canvas.zoom_100",
            tr("Zoom to 100 %"),
            lambda: zoom_to(1.0),
            ("Ctrl+0",),
            group,
            "zoom",
        ),
        ActionSpec(
            "canvas.zoom_in",
            tr("Zoom in"),
            lambda: zoom_step(True),
            ("Ctrl++", "Ctrl+="),
            group,
            "plus",
            repeats=True,
        ),
        ActionSpec(
            "canvas.zoom_out",
            tr("Zoom out"),
            lambda: zoom_step(False),
            ("Ctrl+-",),
            group,
            "zoom",
            repeats=True,
        ),
        ActionSpec(
            "canvas.minimap",
            tr("Minimap"),
            minimap.toggle,
            ("Alt+M",),
            group,
            "mapi",
            checked=minimap.is_on,
        ),
        ActionSpec(
            "canvas.shapes_on_wires",
            tr("Shapes on wires"),
            lambda: scene.set_shapes_on_wires(not scene.shapes_on_wires),
            (),
            group,
            "link",
            checked=lambda: scene.shapes_on_wires,
        ),
    ]


def _middle(view: CameraView) -> QPointF:
    return QPointF(view.viewport().rect().center())
