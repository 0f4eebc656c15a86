"""The tokens of the selected prompt, beside the canvas."""

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from helpers.running import until
from helpers.window import open_window
from ponystudio.app.inspector.token_view import TokenView
from ponystudio.diffusion.text.clip_tokens import ClipTokenizer
from ponystudio.diffusion.text.prompt_syntax import parse
from ponystudio.graph.editing.edits import SetParam
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.models.token_counter import Counts
from ponystudio.studio.models.token_counts import PromptState
from ponystudio.widgets import theme


@pytest.fixture
def view(qtbot, tmp_path):
    (tmp_path / "embeddings").mkdir()
    counts = Counts(lambda: ModelFolders([tmp_path]))
    found = TokenView()
    qtbot.addWidget(found)
    found.resize(280, 400)
    found.show()

    def show(text, dialect="a1111", family=""):
        prompt = PromptState(text, dialect, family=family)
        found.show_prompt(counts, prompt)
        until(lambda: found.shown_prompt == prompt)
        found.resize(280, found.heightForWidth(280))
        return found

    yield show
    counts.close()


def pieces(view):
    return [box for box in view.boxes if box.piece]


def test_shows_what_the_encoder_is_given(view):
    text = "score_9, unicornio with a (rainbow mane:1.3)"
    shown = pieces(view(text))
    (chunk,) = ClipTokenizer().chunks(parse(text, "a1111"), "a1111")
    assert [box.piece.id for box in shown] == chunk.ids[1 : 1 + len(shown)]
    assert chunk.ids[1 + len(shown)] == 49407
    assert "".join(box.text for box in shown) == "score_9,unicorniowitharainbowmane"
    assert [box.place for box in shown] == list(range(1, len(shown) + 1))


def test_boxes_neither_overlap_nor_stick_out(view):
    found = view("a (long:1.4) [prompt], " * 40 + "x" * 300)
    for one, other in zip(found.boxes, found.boxes[1:], strict=False):
        assert not one.rect.intersects(other.rect)
    assert all(b.rect.left() >= 0 and b.rect.right() <= 280 for b in found.boxes)
    assert found.boxes[-1].rect.bottom() <= found.heightForWidth(280)


def test_an_empty_prompt_has_no_tokens_of_its_own(view):
    assert pieces(view("")) == []


def test_weights_are_said_and_coloured(view):
    found = view("a (pony:1.3) [hill]")
    assert [box.text for box in found.boxes] == ["a", "pony", "×1.3", "hill", "×0.91"]
    image = found.grab().toImage()
    corner = QPointF(6, 2)
    grounds = [
        image.pixelColor((b.rect.topLeft() + corner).toPoint()).name() for b in pieces(found)
    ]
    assert len(set(grounds)) == 3


def test_a_line_stands_between_chunks(view):
    found = view("a pony BREAK a hill")
    assert [box.text for box in found.boxes] == ["a", "pony", "2 / 75", "a", "hill"]
    found = view("word " * 100, "comfyui")
    assert [box.text for box in found.boxes if box.line] == ["75 / 75"]
    line = next(box for box in found.boxes if box.line)
    image = found.grab().toImage()
    y = round(line.rect.center().y())
    row = {image.pixelColor(x, y).name() for x in range(200)}
    assert theme.current().color("warn").name() in row


def test_a_click_tells_where_it_stands(view, qtbot):
    found = view("a (rainbow mane:1.3)")
    box = next(box for box in pieces(found) if box.text == "mane")
    with qtbot.waitSignal(found.chosen) as chosen:
        QTest.mouseClick(found, Qt.MouseButton.LeftButton, pos=box.rect.center().toPoint())
    text = found.shown_prompt.text
    assert text[slice(*chosen.args)] == "mane"


def test_what_is_named_in_vain_is_shown_as_words(view):
    found = view("a embedding:gone, b")
    assert [box.text for box in pieces(found)] == ["a", "gone", ",", "b"]


def test_of_a_book_the_beginning_is_shown(view):
    found = view("(pony:1.1), " * 3000)
    assert len(pieces(found)) == 12 * 75
    assert found.boxes[-1].text == "and 5100 more"
    found.resize(280, 400)
    assert not found.grab().isNull()


def test_of_what_t5_reads_there_are_no_chunks(view):
    text = "a (rainbow:1.3) BREAK pony, " + "word " * 100
    found = view(text, family="flux")
    shown = pieces(found)
    assert [box.text for box in shown[:3]] == ["␣", "a", "rainbow"]
    assert not any(box.line for box in found.boxes)
    assert [box.place for box in shown] == list(range(1, len(shown) + 1))
    assert "Place 2 of 255" in found.tooltip_of(shown[1])
    assert found.boxes[-1].piece is not None


def test_a_tokenizer_that_is_only_like_the_models_is_said(view):
    found = view("a pony", family="auraflow")
    assert [box.text for box in pieces(found)] == ["␣", "a", "pony"]
    assert found.boxes[-1].text == "By T5; the model's own is like it"


def test_of_a_book_for_t5_the_beginning_is_shown(view):
    found = view("pony, " * 3000, family="flux")
    assert len(pieces(found)) == 12 * 75
    assert found.boxes[-1].text == "and 5100 more"


@pytest.fixture
def window(qapp, tmp_path, monkeypatch):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    with open_window() as found:
        found.new_default()
        until(lambda: found.page is not None and "positive" in found.page.scene.store.node_items)
        yield found


def test_the_inspector_follows_the_prompt_while_it_is_written(window):
    page = window.page
    page.scene.store.select(["positive"])
    page.document.do(SetParam("positive", "text", "a pony"), "Set")
    until(lambda: [box.text for box in pieces(window.inspector.tokens)] == ["a", "pony"])
    page.view.field_host.edit("positive", "text")
    QTest.keyClicks(page.view.editors.widget.text, " hill")
    until(lambda: [box.text for box in pieces(window.inspector.tokens)] == ["a", "pony", "hill"])
    assert window.inspector.tokens.isVisible()
    page.view.editors.close()
    page.scene.store.select(["sampler"])
    assert not window.inspector.tokens.isVisible()


def test_asked_for_they_come_into_sight_and_lead_back_into_the_text(window):
    page = window.page
    text = "a pony, " * 60 + "unicorns <lora:mane:0.5>"
    page.document.do(SetParam("positive", "text", text), "Set")
    window.shell.toggle_focus_mode()
    page.scene.store.select(["positive"])
    assert window.actions_.run("prompt.tokens")
    tokens = window.inspector.tokens
    until(lambda: len(pieces(tokens)) > 180 and not tokens.visibleRegion().isEmpty())
    last = pieces(tokens)[-1]
    tokens.chosen.emit(*last.piece.span)
    editor = page.view.editors.widget
    assert editor.text.textCursor().selectedText() == last.text
    assert "unicorns".endswith(last.text)
    until(lambda: "<lora:mane:0.5>: left out" in said(window.inspector))
    page.view.editors.close()


def said(inspector):
    from PySide6.QtWidgets import QLabel

    return "\n".join(label.text() for label in inspector.findChildren(QLabel))
