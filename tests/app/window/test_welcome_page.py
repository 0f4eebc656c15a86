"""The first start: who is greeted, and where each way leads."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from helpers.studio import text_to_picture
from helpers.window import open_window, press, show_graph
from ponystudio.app.window.welcome_page import WelcomePage
from ponystudio.studio.settings import Settings

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(home):
    with open_window(welcomed=False) as window:
        window.welcome()
        yield window


def greeting(window) -> WelcomePage | None:
    shown = window.shell.pages.currentWidget()
    return shown if isinstance(shown, WelcomePage) else None


def test_it_stands_in_the_place_of_the_canvas(window):
    page = greeting(window)
    assert page is not None
    assert page.make.hasFocus()
    assert not window.shell.right.isVisible()


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_no_text_is_cut(home, scale):
    with open_window(welcomed=False, ui_scale=scale) as window:
        window.welcome()
        QTest.qWait(30)
        for label in greeting(window).findChildren(QLabel):
            assert label.height() >= label.heightForWidth(label.width()), label.text()


def test_the_empty_canvas_is_one_click_away_and_it_never_comes_again(window):
    QTest.mouseClick(greeting(window).empty, LEFT)
    assert greeting(window) is None
    assert window.page.view.hasFocus()
    assert window.shell.right.isVisible()
    assert Settings().get("welcomed")
    window.welcome()
    assert greeting(window) is None


def test_one_key_makes_a_picture(window, monkeypatch):
    ran = []
    window.runner.queue.changed.connect(lambda: ran.append(len(window.runner.queue.jobs)))
    press(greeting(window).make, Qt.Key.Key_Space)
    assert greeting(window) is None
    assert {node.type for node in window.documents.current.graph.nodes.values()} >= {
        "core.load_checkpoint",
        "core.sample",
    }
    assert ran
    assert ran[-1] == 1
    window.runner.cancel_all()


def test_models_of_another_tool_are_chosen_and_read(window, home):
    QTest.mouseClick(greeting(window).models, LEFT)
    dialog = window.dialogs.dialog
    assert dialog is not None
    folder = home / "ComfyUI"
    folder.mkdir()
    dialog.fileSelected.emit(str(folder))
    dialog.filesSelected.emit([str(folder)])
    dialog.reject()
    assert greeting(window) is None


def test_who_has_work_open_is_not_greeted(home):
    with open_window(welcomed=False) as window:
        show_graph(window, text_to_picture())
        window.welcome()
        assert greeting(window) is None
