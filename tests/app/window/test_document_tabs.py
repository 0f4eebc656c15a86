"""Tabs mirror the documents, and documents follow the tabs."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from ponystudio.app.window.document_tabs import DocumentTabs
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import AddNode
from ponystudio.graph.model import Graph, Node
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.documents.documents import Documents
from ponystudio_resources import path as resource

CATALOG = Catalog.from_json(json.loads(resource("catalog.json").read_text()))
LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton


@pytest.fixture
def documents(qapp, tmp_path):
    documents = Documents(tmp_path / "data", CATALOG, lambda: ModelFolders([]))
    yield documents
    documents.shutdown()


@pytest.fixture
def tabs(qtbot, documents):
    tabs = DocumentTabs(documents)
    qtbot.addWidget(tabs)
    for title in ("One", "Two", "Three"):
        documents.new_from(Graph(), title)
    tabs.resize(tabs.sizeHint())
    tabs.show()
    qtbot.waitExposed(tabs)
    tabs.closed = []
    tabs.close_requested.connect(tabs.closed.append)
    return tabs


def titles(tabs) -> list[str]:
    return [tabs.tabText(index) for index in range(tabs.count())]


def test_they_stand_in_the_order_of_the_documents(tabs, documents):
    assert titles(tabs) == [document.title for document in documents] == ["One", "Two", "Three"]
    assert tabs.document(tabs.currentIndex()) is documents.current


def test_a_click_brings_a_document_to_the_front(tabs, documents):
    QTest.mouseClick(tabs, LEFT, pos=tabs.tabRect(0).center() - QPoint(20, 0))
    assert documents.current.title == "One"
    documents.set_current(list(documents)[1])
    assert tabs.currentIndex() == 1


def test_cross_and_middle_button_ask_to_close(tabs, documents):
    one, two, _ = documents
    QTest.mouseClick(tabs, LEFT, pos=tabs.close_rect(0).center())
    QTest.mouseClick(tabs, MIDDLE, pos=tabs.tabRect(1).center())
    assert tabs.closed == [one, two]
    documents.close(one)
    assert titles(tabs) == ["Two", "Three"]
    assert tabs.document(tabs.currentIndex()) is documents.current


def test_dragging_one_moves_its_document(tabs, documents):
    tabs.moveTab(0, 2)
    assert [document.title for document in documents] == ["Two", "Three", "One"]


def test_one_tab_takes_no_more_room_than_it_needs(tabs, documents):
    for document in list(documents)[1:]:
        documents.close(document)
    assert tabs.minimumSizeHint().width() <= tabs.sizeHint().width()
    assert tabs.sizeHint().width() == tabs.tabRect(0).width()


def test_what_is_not_saved_looks_so(tabs, documents):
    before = tabs.grab().toImage()
    documents.current.do(AddNode(Node("n", "core.load_vae")), "Add")
    assert documents.current.dirty
    assert tabs.grab().toImage() != before


def test_what_runs_looks_so(tabs, documents):
    before = tabs.grab().toImage()
    tabs.set_running({documents.current})
    assert tabs.grab().toImage() != before
    tabs.set_running(set())
    assert tabs.grab().toImage() == before
