"""Texts in the language of the user."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QTranslator

from ponystudio.qt.i18n import tr


class German(QTranslator):
    def translate(self, context, text, *_):
        return "Öffnen" if text == "Open" and not context else None


def test_a_text_is_translated_where_there_is_a_translation(qapp):
    german = German()
    QCoreApplication.installTranslator(german)
    try:
        assert (tr("Open"), tr("Save")) == ("Öffnen", "Save")
    finally:
        QCoreApplication.removeTranslator(german)
    assert tr("Open") == "Open"
