"""Texts for people can be found by those who translate them: lupdate sees literals alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "ponystudio"
# Where the one function is that hands a text to Qt.
WORDS = ROOT / "qt" / "i18n.py"


def wrong(source: str) -> Iterator[str]:
    """Calls of a translating function with anything but a literal, and other such functions."""
    for part in ast.walk(ast.parse(source)):
        if isinstance(part, ast.FunctionDef) and part.name in ("tr", "_tr"):
            yield f"{part.lineno}: another tr"
        if not isinstance(part, ast.Call):
            continue
        name = part.func.id if isinstance(part.func, ast.Name) else ""
        if isinstance(part.func, ast.Attribute):
            name = part.func.attr
            owner = ast.unparse(part.func.value)
            if name == "translate" and "QCoreApplication" in owner:
                yield f"{part.lineno}: translate without tr"
        if name == "tr" and not (
            len(part.args) == 1
            and isinstance(part.args[0], ast.Constant)
            and isinstance(part.args[0].value, str)
        ):
            yield f"{part.lineno}: {ast.unparse(part)}"


@pytest.mark.parametrize(
    "source",
    [
        "tr(title)",
        "self.tr(f'{n} files')",
        "tr('a' + b)",
        "tr('Context', 'text')",
        "QCoreApplication.translate('Context', 'text')",
        "def _tr(text): return text",
    ],
)
def test_what_cannot_be_found_is_seen(source):
    assert list(wrong(source))


def test_literals_are_fine():
    assert not list(wrong("tr('a' 'b'), self.tr('c').replace('%1', d), str.translate(e, f)"))


def test_all_texts_can_be_found():
    found = [
        f"{path.relative_to(ROOT)}:{what}"
        for path in sorted(ROOT.rglob("*.py"))
        if path != WORDS
        for what in wrong(path.read_text("utf-8"))
    ]
    assert not found


# What shows a text of strangers as more than letters, or decides by itself whether to.
RICH = {
    "QTextDocument", "QTextBrowser", "QLabel", "QMessageBox", "QInputDialog", "QProgressDialog",
    "QErrorMessage", "QGraphicsTextItem", "setMarkdown", "setHtml", "insertHtml", "appendHtml",
    "insertMarkdown", "setTextFormat", "setWhatsThis", "fromHtml", "fromMarkdown",
}  # fmt: skip
TOOLTIPS = {"setToolTip", "setTabToolTip", "showText", "setItemToolTip", "setStatusTip"}
PLAIN = {"tip", "tr"}
# The modules that make it harmless; letters that are painted are never anything else.
HARMLESS = {Path("widgets/rich_text.py"), Path("widgets/text_layout.py")}


def unsafe(source: str) -> Iterator[str]:
    """Where a text might be taken for markup, and tooltips that were not told that it is none."""
    for part in ast.walk(ast.parse(source)):
        if isinstance(part, ast.ClassDef):
            names = [ast.unparse(base).rpartition(".")[2] for base in part.bases]
            yield from (f"{part.lineno}: a {name}" for name in names if name in RICH)
        if isinstance(part, ast.Attribute) and part.attr in ("RichText", "AutoText"):
            yield f"{part.lineno}: {part.attr}"
        if not isinstance(part, ast.Call):
            continue
        name = ast.unparse(part.func).rpartition(".")[2]
        if RICH & set(ast.unparse(part.func).split(".")):
            yield f"{part.lineno}: {name}"
        if name in TOOLTIPS and not any(map(_is_plain, part.args)):
            yield f"{part.lineno}: {ast.unparse(part)}"


def _is_plain(part: ast.expr) -> bool:
    if isinstance(part, ast.IfExp):
        return _is_plain(part.body) and _is_plain(part.orelse)
    if isinstance(part, ast.Call):
        return ast.unparse(part.func).rpartition(".")[2] in PLAIN
    return isinstance(part, ast.Constant) and isinstance(part.value, str)


@pytest.mark.parametrize(
    "source",
    [
        "QLabel(name)",
        "class Mine(QtWidgets.QLabel): pass",
        "document.setMarkdown(note)",
        "label.setTextFormat(Qt.TextFormat.RichText)",
        "self.setToolTip(path.name)",
        "self.setToolTip(path.name if path else '')",
        "QToolTip.showText(place, text, self)",
        "QMessageBox.warning(self, title, text)",
    ],
)
def test_what_may_be_taken_for_markup_is_seen(source):
    assert list(unsafe(source))


def test_plain_texts_are_fine():
    fine = "a.setToolTip(tip(b)); c.setToolTip(self.tr('d') if e else ''); label(f)"
    assert not list(unsafe(fine))


def test_no_text_of_strangers_is_taken_for_markup():
    found = [
        f"{path.relative_to(ROOT)}:{what}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.relative_to(ROOT) not in HARMLESS
        for what in unsafe(path.read_text("utf-8"))
    ]
    assert not found
