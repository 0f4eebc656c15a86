"""What a person may ask for by menu, key or command palette, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence


@dataclass(frozen=True)
class ActionSpec:
    """One command. `id` is stable, e.g. "canvas.fit": rebound keys are kept under it.

    `keys` are Qt key sequences, each of them works; `icon` is a name of `theme.icon`. `checked`
    makes it a switch: it tells the state when the menu opens. `repeats`: holding the key repeats.
    """

    id: str
    title: str
    run: Callable[[], object]
    keys: tuple[str, ...] = ()
    group: str = ""
    icon: str = ""
    enabled: Callable[[], bool] | None = None
    checked: Callable[[], bool] | None = None
    repeats: bool = False


_SHIFT, _KEYPAD = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.KeypadModifier


def is_typed(keys: QKeySequence) -> bool:
    """Whether these keys type something where there is a field: a letter, a digit, a sign."""
    if keys.isEmpty():
        return False
    first = keys[0]  # type: ignore[index]
    plain = not first.keyboardModifiers() & ~(_SHIFT | _KEYPAD)
    return plain and Qt.Key.Key_Space < first.key() < Qt.Key.Key_Escape
