"""A canvas for each open document."""

from __future__ import annotations

from PySide6.QtTest import QTest

from helpers.running import until


def test_a_graph_opened_from_a_page_is_fitted_beside_the_inspector(window):
    window.toggle_panel("gallery")
    QTest.qWait(20)
    window.new_default()
    QTest.qWait(20)
    seen = window.page.view.visible_rect()
    assert seen.contains(window.page.scene.store.bounds())
    assert window.inspector.isVisible()


def test_there_is_always_a_canvas(window):
    window.documents.close(window.documents.current)
    until(lambda: window.page is not None)
    assert len(window.documents) == 1
    assert len(window.canvases) == 1
