"""Above the viewer: how pictures are shown."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest


def test_it_is_clear_what_can_be_done(gallery):
    texts: list[tuple[str, str]] = []
    gallery.status_changed.connect(lambda *told: texts.append(told))
    gallery.set_mode("slide")
    assert texts[-1] == ("2 of 4 results selected", "Ctrl+click adds; left and right arrows move B")
    assert all(spec.title for spec in gallery.gallery_actions())


def test_modes_are_chosen_by_keys_too(gallery, qtbot):
    QTest.keyClick(gallery.toolbar.modes.button("one"), Qt.Key.Key_Right)
    assert gallery.view.mode == "slide"
    QTest.keyClick(gallery.view, Qt.Key.Key_F8)
    assert gallery.view.mode == "side"
    assert gallery.toolbar.modes.button("side").isChecked()
    with qtbot.waitSignal(gallery.left):
        QTest.keyClick(gallery.view, Qt.Key.Key_Escape)
