"""Notes and frames, whatever strangers wrote into them."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest
from PySide6.QtGui import QColor, QImage

from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import SetView
from ponystudio.studio.documents.editable_graph import EditableGraph

RED = QColor("#ff0000")


def add_note(document: EditableGraph, view: GraphView, text: str) -> None:
    note = {"pos": [300, 60], "size": [320, 200], "text": text}
    document.do(SetView(("notes",), [note]), "Add a note")
    view.grab()


def red(view: GraphView) -> bool:
    image = view.grab().toImage()
    return any(
        image.pixelColor(x, y) == RED
        for x in range(0, image.width(), 8)
        for y in range(0, image.height(), 8)
    )


@pytest.mark.parametrize("text", ["![a](PATH)", "<img src='PATH'>", "![a](file://PATH)"])
def test_a_note_opens_no_file(view, document, tmp_path: Path, text):
    image = QImage(120, 90, QImage.Format.Format_RGB32)
    image.fill(RED)
    assert image.save(str(tmp_path / "red.png"))
    add_note(document, view, text.replace("PATH", str(tmp_path / "red.png")))
    assert not red(view)


@pytest.mark.parametrize("part", ["word ", "# a\n", "a|b\n-|-\n", "> - "])
def test_a_note_without_end_is_painted_at_once(view, document, part):
    text = part * 1_000_000
    began = process_time()
    add_note(document, view, text)
    assert process_time() - began < 2
    assert document.graph.view["notes"][-1]["text"] == text, "what is not shown is kept"


def test_a_title_without_end_is_painted_at_once(view, document):
    began = process_time()
    frame = {"pos": [0, 0], "size": [900, 500], "title": "long " * 4_000_000}
    document.do(SetView(("frames",), [frame]), "Add a frame")
    view.grab()
    assert process_time() - began < 2
