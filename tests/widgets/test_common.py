"""Parts that panels and pages are made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

import ponystudio
from ponystudio.widgets import theme
from ponystudio.widgets.common import (
    ElidedLabel,
    EmptyState,
    Lines,
    Spacing,
    TextButton,
    fade_in,
    label,
)
from ponystudio.widgets.rich_text import spanned


@pytest.fixture(autouse=True)
def _as_it_was(qapp):
    yield
    theme.set_scale(1.0)
    theme.set_reduced_motion(False)


def test_margins_follow_the_scale(qtbot):
    page = QWidget()
    qtbot.addWidget(page)
    box = QVBoxLayout(page)
    Spacing(box, (4, 8, 12, 16), 6)
    theme.set_scale(1.5)
    margins = box.contentsMargins()
    assert (margins.left(), margins.top(), margins.right(), margins.bottom()) == (6, 12, 18, 24)
    assert box.spacing() == 9


def test_texts_are_no_markup(qtbot):
    plain = label("<b>a</b>", "caption", "text2")
    qtbot.addWidget(plain)
    assert plain.textFormat() == Qt.TextFormat.PlainText
    assert "&lt;b&gt;" in spanned("<b>", "text")
    assert "font-family" in spanned("a", "text", mono=True)


def test_what_is_cut_is_in_the_tooltip(qtbot):
    line = ElidedLabel("a name that is rather long")
    qtbot.addWidget(line)
    line.resize(40, 20)
    line.grab()
    assert line.toolTip() == line.accessibleName() == "a name that is rather long"
    line.resize(800, 20)
    line.grab()
    assert line.toolTip() == ""


def test_lines_come_and_go(qtbot):
    lines = Lines()
    qtbot.addWidget(lines)
    lines.show_lines([("size", "1 GB"), ("dtype", "fp16")])
    lines.show_lines([("kind", "LoRA")])
    shown = [part.text() for part in lines.findChildren(QLabel) if not part.isHidden()]
    assert len(shown) == 2
    assert "kind" in shown[0]
    assert shown[1] == "LoRA"


def test_buttons_do_what_they_say(qtbot):
    done = []
    button = TextButton("Run", run=lambda: done.append("run"))
    nothing = EmptyState()
    qtbot.addWidget(button)
    qtbot.addWidget(nothing)
    button.click()
    nothing.button.click()  # it says nothing yet
    nothing.show_message("There is none.", "Make one", lambda: done.append("made"))
    nothing.button.click()
    assert (nothing.sentence.text(), nothing.button.text()) == ("There is none.", "Make one")
    assert done == ["run", "made"]


def test_nothing_fades_where_nothing_may_move(qtbot):
    page = QWidget()
    qtbot.addWidget(page)
    theme.set_reduced_motion(True)
    fade_in(page)
    assert page.graphicsEffect() is None
    theme.set_reduced_motion(False)
    fade_in(page, ms=1)
    qtbot.waitUntil(lambda: page.graphicsEffect() is None)


def test_no_control_takes_the_wheel_unasked():
    """Qt's own boxes and sliders change under a pointer that only scrolls past: the window is made
    of those that do not."""
    root = Path(ponystudio.__file__).parent
    made = re.compile(
        r"\bQ(?:\w*ComboBox|\w*SpinBox|Slider|Dial|\w*DateTimeEdit|DateEdit|TimeEdit)\("
    )
    own = root / "widgets" / "common.py"  # which derives from them
    found = [
        f"{path.relative_to(root)}: {line.strip()}"
        for path in root.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if made.search(line) and not (path == own and line.startswith("class "))
    ]
    assert not found
