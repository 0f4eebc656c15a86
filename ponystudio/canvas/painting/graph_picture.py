"""The whole graph as a picture, drawn as on the canvas: PNG, which carries the graph, or SVG."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QBuffer, QIODevice, QPointF, QRect, QRectF, QSize
from PySide6.QtGui import QImage, QPainter, QTransform
from PySide6.QtSvg import QSvgGenerator

from ponystudio.canvas.painting.paint_scene import ScenePainter
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.errors import UsageError
from ponystudio.graph.atomic_write import write_bytes
from ponystudio.graph.formats import graph_file
from ponystudio.graph.formats.embedded_metadata import GRAPH
from ponystudio.graph.formats.picture_writer import embed
from ponystudio.studio.documents.editable_graph import EditableGraph

SUFFIXES = (".png", ".svg")
# Around the graph, in scene px.
MARGIN = 48.0
# Pixels of a PNG for one of the scene's; of a large graph fewer, so that it has at most so many.
SCALE, MOST_PIXELS, LONGEST_SIDE = 2.0, 100e6, 16_000


def save_picture(document: EditableGraph, path: Path, title: str = "") -> None:
    """Write a picture of all of the graph, in the present theme, with what its cards show.

    The end of the name says which kind. Raises UsageError for another end or an empty graph,
    NotWritable or StorageFull. Needs a QApplication.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"A picture of a graph is a {' or '.join(SUFFIXES)} file.",
            where=str(path),
            remedy="Give its name another end.",
        )
    scene = GraphScene(document)
    try:
        scene.sync.finish()
        area = scene.store.bounds()
        if area.isEmpty():
            raise UsageError("There is nothing in the graph to draw.", where=title or str(path))
        area = area.adjusted(-MARGIN, -MARGIN, MARGIN, MARGIN)
        if path.suffix.lower() == ".svg":
            write_bytes(path, _svg(scene, area, title))
            return
        text = graph_file.dumps(document.graph, document.catalog)
        picture = _pixels(scene, area)
        embed(picture, path, "png", {GRAPH: text})
    finally:
        scene.deleteLater()


def _pixels(scene: GraphScene, area: QRectF) -> Image.Image:
    scale = min(
        SCALE,
        math.sqrt(MOST_PIXELS / (area.width() * area.height())),
        LONGEST_SIDE / max(area.width(), area.height()),
    )
    size = QSize(math.ceil(area.width() * scale), math.ceil(area.height() * scale))
    image = QImage(size, QImage.Format.Format_RGB888)
    painter = QPainter(image)
    _paint(scene, painter, area, scale, QRect(0, 0, size.width(), size.height()))
    painter.end()
    data = bytes(image.constBits())
    return Image.frombuffer(
        "RGB", (size.width(), size.height()), data, "raw", "RGB", image.bytesPerLine(), 1
    )


def _svg(scene: GraphScene, area: QRectF, title: str) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    size = QSize(math.ceil(area.width()), math.ceil(area.height()))
    generator.setSize(size)
    generator.setViewBox(QRect(0, 0, size.width(), size.height()))
    generator.setTitle(title)
    generator.setDescription("A graph of PonyStudio")
    painter = QPainter(generator)
    _paint(scene, painter, area, 1.0, QRect(0, 0, size.width(), size.height()))
    painter.end()
    return bytes(buffer.data().data())


def _paint(scene: GraphScene, painter: QPainter, area: QRectF, scale: float, rect: QRect) -> None:
    corner = QPointF(-area.x() * scale, -area.y() * scale)
    at = QTransform(scale, 0, 0, scale, corner.x(), corner.y())
    ScenePainter(scene, scene).paint(painter, at, [rect], max(scale, 1.0))
