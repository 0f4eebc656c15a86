"""The look of all widgets: one style sheet and palette, made from the theme.

A widget says what it is by a property, and never has colours of its own:

- QPushButton, QToolButton: `kind` is primary, plain, danger, icon or link
- QLabel: `role` is page, title, body, caption, group, mono or mono_caption; `tone` is text2, text3,
  accent, ok, warn or err; `badge` puts it into a box
- QFrame, QWidget: `surface` is canvas, panel, card, running, problem, bar, popup or field
- QListView: `boxed` gives it a field's ground and edge
"""

from __future__ import annotations

from string import Template

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from ponystudio.widgets import theme
from ponystudio_resources import path as resource

_ROLES = ("page", "title", "body", "caption", "group", "mono", "mono_caption")
_SHEET = Template("""
* { outline: 0; }
QWidget { color: $text; selection-background-color: $fill; selection-color: $onfill; }
QMainWindow, QDialog { background: $panel; }
QToolTip { background: $card; color: $text; border: 1px solid $line2; padding: ${p4}px ${p8}px; }

QFrame[surface="canvas"], QWidget[surface="canvas"] { background: $canvas; }
QFrame[surface="panel"], QWidget[surface="panel"] { background: $panel; }
QFrame[surface="bar"], QWidget[surface="bar"] { background: $panel; }
QFrame[surface="card"] { background: $card; border: 1px solid $line; border-radius: ${p8}px; }
QFrame[surface="running"] { background: $card; border: 1px solid $accent; border-radius: ${p8}px; }
QFrame[surface="problem"] { background: $errbg; border: 1px solid $err; border-radius: ${p8}px; }
QFrame[surface="field"] { background: $field; border: 1px solid $line; border-radius: ${p5}px; }
QFrame[surface="popup"] { background: $panel; border: 1px solid $line2; border-radius: ${p8}px; }
QFrame[line="h"] { background: $line; max-height: 1px; border: 0; }
QFrame[line="v"] { background: $line; max-width: 1px; border: 0; }

QLabel { background: transparent; }
QLabel[role="group"], QLabel[tone="text3"] { color: $text3; }
QLabel[role="caption"], QLabel[tone="text2"] { color: $text2; }
QLabel[tone="text"] { color: $text; }
QLabel[tone="accent"] { color: $accent; }
QLabel[tone="ok"] { color: $ok; }
QLabel[tone="warn"] { color: $warn; }
QLabel[tone="err"] { color: $err; }
QLabel[badge="true"] {
    border: 1px solid $line2; border-radius: ${p4}px; padding: 0 ${p5}px; min-height: ${p16}px;
}

QPushButton, QToolButton {
    background: $card; color: $text; border: 1px solid $line; border-radius: ${p6}px;
    padding: 0 ${p12}px; min-height: ${button}px; max-height: ${button}px; icon-size: ${p16}px;
}
QPushButton:hover, QToolButton:hover { background: $hover; }
QPushButton:pressed, QToolButton:pressed { background: $field; }
QPushButton:focus, QToolButton:focus { border: 1px solid $text; }
QPushButton:disabled, QToolButton:disabled { color: $text3; background: $panel; }
QPushButton[kind="primary"] { background: $fill; color: $onfill; border: 1px solid $fill; }
QPushButton[kind="primary"]:hover { background: $fillhover; }
QPushButton[kind="primary"]:focus { border: 1px solid $text; }
QPushButton[kind="primary"]:disabled { background: $card; color: $text3; border-color: $line; }
QPushButton[kind="danger"] { color: $err; border: 1px solid $err; background: transparent; }
QPushButton[kind="danger"]:hover { background: $errbg; }
QPushButton[kind="link"] {
    color: $accent; background: transparent; border: 1px solid transparent; padding: 0 ${p4}px;
    text-align: left;
}
QPushButton[kind="link"]:hover { text-decoration: underline; }
QPushButton[kind="link"]:focus { border: 1px solid $text; }
QPushButton[chip="true"] {
    background: $panel; border-radius: ${p12}px; min-height: ${p24}px; max-height: ${p24}px;
}
QPushButton[chip="true"]:checked { background: $tint; border: 1px solid $accent; }
QPushButton[kind="icon"], QToolButton[kind="icon"] {
    background: transparent; border: 1px solid transparent; padding: 0;
    min-width: ${button}px; max-width: ${button}px;
}
QPushButton[kind="icon"]:hover, QToolButton[kind="icon"]:hover { background: $hover; }
QPushButton[kind="icon"]:checked, QToolButton[kind="icon"]:checked { background: $tint; }
QPushButton[kind="icon"]:focus, QToolButton[kind="icon"]:focus { border: 1px solid $text; }
QFileDialog QToolButton { padding: 0; min-width: ${button}px; }
QToolButton::menu-indicator { image: none; width: 0; }
QPushButton::menu-indicator { image: none; width: 0; }

QLineEdit, QPlainTextEdit, QTextEdit { placeholder-text-color: $text3; }
QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox, QKeySequenceEdit QLineEdit {
    background: $field; color: $text; border: 1px solid $line; border-radius: ${p5}px;
    padding: 0 ${p8}px;
}
QLineEdit, QAbstractSpinBox, QComboBox { min-height: ${button}px; max-height: ${button}px; }
QPlainTextEdit, QTextEdit { padding: ${p4}px; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QAbstractSpinBox:focus, QComboBox:focus {
    border: 1px solid $accent;
}
QLineEdit:disabled, QComboBox:disabled { color: $text3; }
QAbstractSpinBox QLineEdit, QComboBox QLineEdit {
    background: transparent; border: 0; padding: 0; min-height: 0;
}
QComboBox::drop-down { border: 0; width: ${p24}px; }
QComboBox::down-arrow {
    image: url("$controls/down-$name.svg"); width: ${p14}px; height: ${p14}px;
}
QComboBox QAbstractItemView { background: $panel; border: 1px solid $line2; padding: ${p4}px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: 0; }

QCheckBox, QRadioButton { spacing: ${p8}px; background: transparent; }
QCheckBox::indicator, QRadioButton::indicator {
    width: ${p14}px; height: ${p14}px; border: 1px solid $text3; background: $field;
}
QCheckBox::indicator { border-radius: ${p4}px; }
QRadioButton::indicator { border-radius: ${p8}px; }
QCheckBox::indicator:checked, QRadioButton::indicator:checked {
    background: $fill; border: 1px solid $fill;
}
QCheckBox::indicator:checked { image: url("$controls/check-$name.svg"); }
QCheckBox:focus, QRadioButton:focus { color: $accent; }

QListView, QTreeView, QTableView {
    background: $panel; border: 0; alternate-background-color: $panel;
}
QListView[boxed="true"] {
    background: $field; border: 1px solid $line; border-radius: ${p5}px; padding: 2px;
}
QListView::item, QTreeView::item {
    min-height: ${row}px; border-radius: ${p5}px; padding: 0 ${p4}px;
}
QListView::item:hover, QTreeView::item:hover { background: $hover; }
QListView::item:selected, QTreeView::item:selected { background: $tint; color: $text; }
QHeaderView::section {
    background: $panel; color: $text3; border: 0; border-bottom: 1px solid $line;
    padding: ${p4}px ${p8}px;
}

QMenu { background: $panel; border: 1px solid $line2; padding: ${p4}px; }
QMenu::item { padding: ${p5}px ${p20}px ${p5}px ${p12}px; border-radius: ${p5}px; }
QMenu::item:selected { background: $hover; }
QMenu::item:disabled { color: $text3; }
QMenu::separator { height: 1px; background: $line; margin: ${p4}px ${p8}px; }
QMenu::icon { padding-left: ${p8}px; }

QScrollArea, QAbstractScrollArea { background: transparent; border: 0; }
QScrollArea > QWidget > QWidget { background: transparent; }
QScrollBar { background: transparent; border: 0; }
QScrollBar:vertical { width: ${p10}px; }
QScrollBar:horizontal { height: ${p10}px; }
QScrollBar::handle { background: $line2; border-radius: ${p3}px; margin: 2px; }
QScrollBar::handle:hover { background: $text3; }
QScrollBar::handle:vertical { min-height: ${p24}px; }
QScrollBar::handle:horizontal { min-width: ${p24}px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QSplitter::handle { background: $line; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QProgressBar {
    background: $field; border: 0; border-radius: ${p3}px; min-height: ${p5}px;
    max-height: ${p5}px; text-align: center;
}
QProgressBar::chunk { background: $accent; border-radius: ${p3}px; }
QSlider::groove:horizontal { background: $field; height: ${p4}px; border-radius: 2px; }
QSlider::handle:horizontal {
    background: $text2; width: ${p12}px; margin: -${p4}px 0; border-radius: ${p6}px;
}
""")

# The colours, and the lengths in px at 100 %, that the sheet names.
COLORS = (
    *("canvas", "panel", "card", "field", "hover", "tint", "line", "line2", "text", "text2"),
    *("text3", "accent", "fill", "onfill", "ok", "warn", "err", "okbg", "warnbg", "errbg"),
)
_LENGTHS = (3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24)


def apply(app: QApplication) -> None:
    """Give the app its look, now and whenever theme or scale change."""
    app.setStyle("Fusion")
    refresh(app)
    theme.hub.changed.connect(lambda: refresh(app))


def sheet() -> str:
    """The style sheet of the present theme and scale."""
    now, scale = theme.current(), theme.scale()
    colors = {name: now.color(name).name() for name in COLORS}
    brighter = theme.mixed(now.color("fill"), now.color("text"), 0.12).name()
    lengths = {f"p{n}": round(n * scale) for n in _LENGTHS}
    dense = theme.density()
    # Their lines of 1 px come on top.
    lengths |= {"button": round(dense.button * scale) - 2, "row": round(dense.list_row * scale)}
    files = {"controls": resource("controls").as_posix(), "name": now.name}
    return _SHEET.substitute(colors, fillhover=brighter, **lengths, **files) + _fonts()


def _fonts() -> str:
    """A rule for each role of labels; the sheet wins over `setFont`, so it must say them."""
    rules = []
    for role in _ROLES:
        font = theme.font(role)
        rules.append(
            f'QLabel[role="{role}"] {{ font-family: "{font.families()[0]}"; '
            f"font-size: {font.pixelSize()}px; font-weight: {font.weight().value}; }}"
        )
    return "\n".join(rules)


def refresh(app: QApplication) -> None:
    """Give the app the look of the present theme and scale."""
    app.setPalette(_palette())
    app.setFont(theme.font("body"))
    app.setStyleSheet(sheet())


def _palette() -> QPalette:
    now, palette = theme.current(), QPalette()
    roles = {
        QPalette.ColorRole.Window: "panel",
        QPalette.ColorRole.WindowText: "text",
        QPalette.ColorRole.Base: "field",
        QPalette.ColorRole.AlternateBase: "panel",
        QPalette.ColorRole.Text: "text",
        QPalette.ColorRole.Button: "card",
        QPalette.ColorRole.ButtonText: "text",
        QPalette.ColorRole.ToolTipBase: "card",
        QPalette.ColorRole.ToolTipText: "text",
        QPalette.ColorRole.Highlight: "fill",
        QPalette.ColorRole.HighlightedText: "onfill",
        QPalette.ColorRole.Link: "accent",
        QPalette.ColorRole.PlaceholderText: "text3",
    }
    for role, token in roles.items():
        palette.setColor(role, QColor(now.color(token)))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(now.color("text3")))
    return palette
