"""What the inspector's pages are made of."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import show_graph, texts
from ponystudio.app.inspector.page_parts import RemarkList, Value
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.widgets.rich_text import PlainLabel


def test_long_names_of_files_break_and_are_copied_whole(window):
    name = "a_very_long_name_of_a_model-000010.safetensors"
    show_graph(window, text_to_picture())
    window.page.scene.store.select(["checkpoint"])
    window.documents.current.do(SetParam("checkpoint", "file", name), "Change file")
    until(lambda: "very_" in texts(window.inspector))
    value = next(v for v in window.inspector.findChildren(Value) if "very_" in v.text())
    assert value.minimumSizeHint().width() < 180
    value.setSelection(0, len(value.text()))
    QTest.keyClick(value, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == name


def test_long_names_of_nodes_break_wherever_they_are_told(window):
    id = "TextEncodeQwenImageEditPlusAdvanced_111"
    save = Node("save", "core.save_image", 1, {}, {"image": Link(id, "0")})
    show_graph(window, Graph.of(Node(id, f"comfyui.{id}"), save))
    until(lambda: all(x in texts(window.inspector) for x in ("are not known", "is not known")))
    page = window.inspector.area.widget()
    told = [label for label in page.findChildren(PlainLabel) if "EncodeQw" in label.text()]
    assert {label.property("role") for label in told} == {"body", "group"}
    assert max(label.minimumSizeHint().width() for label in told) < 180
    assert page.minimumSizeHint().width() <= window.inspector.area.viewport().width()


def test_a_remark_has_room_for_all_its_words(window, qtbot):
    words = "text encoders of the type that nobody here has ever heard of are not known here " * 2
    rows = RemarkList([(words, "")], lambda _: None)
    qtbot.addWidget(rows)
    rows.resize(220, 300)
    rows.show()
    until(lambda: rows.visualItemRect(rows.item(0)).height() > 0)
    shown = rows.visualItemRect(rows.item(0))
    wrap = Qt.TextFlag.TextWordWrap
    needed = rows.fontMetrics().boundingRect(0, 0, shown.width() - 8, 0, wrap, words)
    assert needed.height() <= shown.height() <= rows.sizeHint().height()
