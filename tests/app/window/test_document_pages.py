"""A canvas for each open document."""

from __future__ import annotations

from PySide6.QtTest import QTest

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import show_graph
from ponystudio.studio.documents.journal_format import replay


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


def test_what_is_being_typed_is_kept_when_its_tab_closes(window):
    show_graph(window, text_to_picture(), "Ponies")
    document = window.documents.current
    window.page.view.field_host.edit("positive", "text")
    editor = window.page.view.editors.widget
    QTest.keyClicks(editor.focusProxy() or editor, "!!")
    window.documents.close(document)
    window.documents.flush()
    stored = replay(document.journal.path)
    assert "!!" in stored.graph.nodes["positive"].params["text"]


def test_it_tells_when_it_was_drawn(window):
    show_graph(window, text_to_picture(), "Ponies")
    until(lambda: window.page.is_drawn)
