"""Files as cards: their places, and dragging them onto the canvas."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QDrag, QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from helpers.models_page import choose
from helpers.window import NONE
from ponystudio.studio.models.model_list import ENTRY

LEFT = Qt.MouseButton.LeftButton


def test_a_card_is_dropped_where_it_is_dragged_to(window, page, monkeypatch):
    place = QPoint(300, 200)

    def drag_over(drag, *_):
        """As if the mouse let go over the canvas, which is in front by then."""
        assert window.page_switcher.in_front == ""
        view = window.page.view
        rest = (Qt.DropAction.CopyAction, drag.mimeData(), LEFT, NONE)
        for event in (QDragEnterEvent(place, *rest), QDropEvent(QPointF(place), *rest)):
            QApplication.sendEvent(view.viewport(), event)
            assert event.isAccepted()
        return Qt.DropAction.CopyAction

    monkeypatch.setattr(QDrag, "exec", drag_over)
    choose(page, "mine")
    page.list.startDrag(Qt.DropAction.CopyAction)
    window.drop_handler.wait()
    document = window.documents.current
    [(id, node)] = document.graph.nodes.items()
    assert node.type == "core.load_upscaler"
    at = window.page.view.to_scene(place)
    assert window.page.scene.store.node_items[id].rect.contains(at)


def test_a_drag_that_is_given_up_leads_back_to_the_page(window, page, monkeypatch):
    monkeypatch.setattr(QDrag, "exec", lambda *_: Qt.DropAction.IgnoreAction)
    choose(page, "mine")
    page.list.startDrag(Qt.DropAction.CopyAction)
    assert window.page_switcher.in_front == "models"
    assert page.list.currentIndex().data(ENTRY).name.startswith("mine")
    assert not window.documents.current.graph.nodes


def test_cards_share_the_width(window, page):
    for width in (1200, 1500):
        window.resize(width, 900)
        QTest.qWait(20)
        cell = page.list.gridSize().width()
        columns = page.list.viewport().width() // cell
        assert columns >= 2
        assert page.list.viewport().width() - columns * cell < columns + 24
