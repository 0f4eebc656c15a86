"""Texts for people. Qt's objects have a `tr` of their own; everything else takes this one."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication


def tr(text: str) -> str:
    """The text in the language of the user. Only a literal can be found by those who translate:
    tables of texts are functions that call this."""
    return QCoreApplication.translate("", text)
