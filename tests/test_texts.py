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
