"""Pictures on cards."""

from __future__ import annotations

from PySide6.QtGui import QColor, QImage

from helpers.shots import color_at
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import SetView
from ponystudio.widgets import theme


def test_pictures_fit_and_keep_their_shape(view: GraphView) -> None:
    picture = QImage(400, 200, QImage.Format.Format_RGB32)
    picture.fill(QColor("#FF0000"))
    scene = view.graph_scene
    scene.document.do(SetView(("nodes", "sample", "preview"), True), "Show")
    scene.document.states.update("sample", picture=picture, phase="done")
    place = scene.store.node_items["sample"].layout.picture.translated(320, 0)
    assert color_at(view, place.center().x(), place.center().y()) == QColor("#FF0000")
    assert color_at(view, place.center().x(), place.top() + 8) == theme.current().color("field")
