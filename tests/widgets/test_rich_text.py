"""Rich text of strangers opens nothing and costs little, whatever stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QColor, QImage, QPainter, QTextDocument

from ponystudio.qt.plain_text import CUT, MOST_LETTERS
from ponystudio.widgets import theme
from ponystudio.widgets.rich_text import PlainLabel, SealedBrowser, markdown, spanned

RED = QColor("#ff0000")


@pytest.fixture
def picture(tmp_path: Path, qapp) -> str:
    """A red picture, that is seen wherever it was opened."""
    image = QImage(64, 64, QImage.Format.Format_RGB32)
    image.fill(RED)
    path = tmp_path / "red.png"
    assert image.save(str(path))
    return str(path)


def painted(document: QTextDocument) -> QImage:
    document.setTextWidth(300)
    image = QImage(300, 300, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    painter = QPainter(image)
    document.drawContents(painter)
    painter.end()
    return image


def has_red(image: QImage) -> bool:
    return any(
        image.pixelColor(x, y) == RED
        for x in range(0, image.width(), 8)
        for y in range(0, image.height(), 8)
    )


def test_the_red_picture_would_be_seen(picture):
    document = QTextDocument()
    document.setMarkdown(f"![a]({picture})")
    assert has_red(painted(document))


@pytest.mark.parametrize(
    "text",
    [
        "![a](PATH)",
        "![a](file://PATH)",
        "![a][b]\n\n[b]: PATH",
        "[![a](PATH)](http://example.org)",
        "- > ![a](PATH)![a](PATH)",
        "| a |\n|---|\n| ![a](PATH) |",
        "<img src='PATH'>",
        "<body background='PATH'><table background='PATH'><tr><td>a</td></tr></table>",
        "<style>body { background-image: url(PATH) } @import 'PATH';</style>",
        "<link rel='stylesheet' href='PATH'><object data='PATH'></object>",
    ],
)
def test_what_a_text_names_is_not_opened(picture, text):
    assert not has_red(painted(markdown(text.replace("PATH", picture))))


def test_pictures_are_named_in_words(qapp):
    document = markdown("see ![my horse](/dev/zero) and ![b](//host/share/a.png)")
    assert document.toPlainText() == "see [picture: my horse] and [picture: b]"


def test_markup_is_letters(qapp):
    assert markdown("1 <b>2</b> <img src=x>").toPlainText() == "1 <b>2</b> <img src=x>"


def test_markdown_is_looked_at(qapp):
    document = markdown("# Title\n\n**bold**, a [link](https://example.org)\n\n- one\n- two")
    assert document.toPlainText() == "Title\nbold, a link\none\ntwo"
    assert document.begin().blockFormat().headingLevel() == 1


def test_nothing_is_handed_to_who_asks(qapp, qtbot, picture):
    browser = SealedBrowser()
    qtbot.addWidget(browser)
    browser.show_page(f"<img src='{picture}'>", "")
    url = QUrl.fromLocalFile(picture)
    for document in (markdown("a"), browser.document()):
        found = document.resource(QTextDocument.ResourceType.ImageResource.value, url)
        assert found.width() == 1
    assert not has_red(painted(browser.document()))


def test_a_long_text_is_cut_where_it_is_shown(qtbot):
    label = PlainLabel("x" * 1_000_000)
    qtbot.addWidget(label)
    assert len(label.text()) == MOST_LETTERS + 1
    assert label.text().endswith(CUT)
    assert len(spanned("<" * 1_000_000, "text")) < 5 * MOST_LETTERS
    assert markdown("word " * 1_000_000).toPlainText().endswith(CUT)


def bombs() -> Iterator[tuple[str, str]]:
    size = 1_000_000
    repeated = (
        "> ", "- ", "1. ", "[", "![", "]", "*", "_", "`", "~", "<", "&", "#", "\\", "|", "[a](",
        "***a", "a**b ", "http://a ", "www.", "a@", "\n", "a\n\n", "---\n", "```\n", "\t", "> - ",
        "<a ", "data:image/png;base64,", "a\u0301", "\u202e",
    )  # fmt: skip
    for part in repeated:
        yield part, part * (size // len(part))
    yield "columns", "|".join("a" * 5000) + "\n" + "|".join("-" * 5000) + "\n"
    yield "rows", "a|b\n-|-\n" + "|\n" * 500_000
    for columns in (50, 200, 800):
        rows = "|".join("a" * columns) + "\n" + "|".join("-" * columns) + "\n"
        yield f"{columns} columns with rows", rows + "a\n" * 100_000
    yield "lists in lists", "\n".join(" " * 2 * i + "- a" for i in range(1000))
    yield "references", "".join(f"[a{i}]: /x\n" for i in range(50_000)) + "[a1]" * 100_000


@pytest.mark.parametrize("text", [pytest.param(text, id=repr(name)) for name, text in bombs()])
def test_no_text_takes_long(qapp, text):
    """A note is painted while somebody drags the canvas."""
    theme.current()
    began = process_time()
    document = markdown(text)
    document.setTextWidth(200)
    document.documentLayout().documentSize()
    assert process_time() - began < 1
