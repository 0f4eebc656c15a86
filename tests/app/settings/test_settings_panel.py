"""The panel that shows the settings and changes them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollArea,
    QWidget,
)

from helpers.running import PlayedWorker
from helpers.wheel import turn_wheel
from helpers.window import open_window
from ponystudio.app.actions.action_registry import ActionRegistry
from ponystudio.app.settings.settings_panel import SettingsPanel
from ponystudio.engine.protocol.worker_messages import WorkerReady
from ponystudio.graph.catalog import Catalog
from ponystudio.studio.settings import SETTINGS, Setting, Settings

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(home):
    with open_window() as window:
        window.toggle_panel("settings")
        QTest.qWait(30)
        yield window


@pytest.fixture
def panel(window):
    return window.shell.panels.currentWidget()


def editor(panel, kind, title):
    return next(w for w in panel.findChildren(kind) if w.accessibleName() == title)


def test_a_tick_holds_at_once(window, panel):
    box = next(b for b in panel.findChildren(QCheckBox) if b.text() == "Less motion")
    QTest.mouseClick(box, LEFT, pos=box.rect().center() - box.rect().topRight() / 3)
    assert window.settings.get("reduced_motion") == box.isChecked()


def test_what_changes_elsewhere_is_shown(window, panel):
    box = editor(panel, QComboBox, "Theme")
    assert box.currentData() == "dark"
    window.settings.set("theme", "light")
    assert box.currentData() == "light"


def test_a_folder_can_be_typed(window, panel, home):
    field = editor(panel, QLineEdit, "Results go to")
    QTest.keyClicks(field, str(home / "out"))
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert window.settings.output_folder() == home / "out"
    assert window.results.index.folder == home / "out"


def test_a_folder_that_is_none_is_refused_in_words(window, panel, home):
    (home / "file").write_text("")
    field = editor(panel, QLineEdit, "Results go to")
    for text, said in (("somewhere", "whole path"), (str(home / "file"), "There is a file")):
        field.setText(text)
        QTest.keyClick(field, Qt.Key.Key_Return)
        assert window.settings.get("output_folder") == ""
        assert any(said in w.text() for w in panel.findChildren(QLabel) if w.isVisible())
    window.settings.set("output_folder", str(home / "out"))  # as by the button beside it
    assert not any(said in w.text() for w in panel.findChildren(QLabel) if w.isVisible())


def test_a_name_that_no_file_can_have_is_refused_in_words(window, panel):
    field = editor(panel, QLineEdit, "Names of results begin with")
    field.setText("../up")
    QTest.keyClick(field, Qt.Key.Key_Return)
    shown = [w.text() for w in panel.findChildren(QLabel) if w.isVisible()]
    assert any("leads out of the output folder" in text for text in shown)
    assert window.settings.get("file_name_pattern") == "ponystudio"
    field.setText("ponies/unicorn ")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert window.settings.get("file_name_pattern") == "ponies/unicorn"
    shown = [w.text() for w in panel.findChildren(QLabel) if w.isVisible()]
    assert not any("leads out" in text for text in shown)


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_no_text_is_cut(window, scale):
    window.resize(1800, 1000)
    window.settings.set("ui_scale", scale)
    QTest.qWait(80)
    panel = window.shell.panels.currentWidget()
    area = panel.findChild(QScrollArea)
    page = area.widget()
    assert page.minimumSizeHint().width() <= area.viewport().width()
    for label in panel.findChildren(QLabel):
        if label.isVisible() and label.text():
            needed = label.heightForWidth(label.width()) if label.wordWrap() else 0
            assert label.height() >= needed, label.text()
            if not label.wordWrap():
                assert label.width() >= label.sizeHint().width(), label.text()


def test_a_setting_is_a_row(home, tmp_path):
    """One more is added in one place: the panel shows it, and it is kept."""
    toy = Setting("toy", "soft", ("soft", "hard"), "engine", lambda: "Toy", lambda: "It is a toy.")
    settings = Settings(tmp_path / "settings.json", rows=(*SETTINGS, toy))
    window, told = QWidget(), []
    settings.on("toy", told.append)
    registry = ActionRegistry(window, settings)
    panel = SettingsPanel(settings, registry, PlayedWorker(), lambda *_: None, lambda _: None)
    box = editor(panel, QComboBox, "Toy")
    assert {"Toy", "It is a toy."} <= {text.text() for text in panel.findChildren(QLabel)}
    box.setCurrentIndex(box.findData("hard"))
    box.activated.emit(box.currentIndex())
    assert told == ["hard"]
    assert Settings(settings.path, rows=(toy,)).get("toy") == "hard"
    settings.set("toy", "soft")
    assert box.currentData() == "soft"


def test_the_wheel_scrolls_the_settings_and_changes_none(window, panel):
    """Every control that a wheel could turn, with the wheel right over it."""
    before = {setting.name: window.settings.get(setting.name) for setting in SETTINGS}
    turned = [*panel.findChildren(QComboBox), *panel.findChildren(QAbstractSpinBox)]
    assert len(turned) >= 6
    window.setFocus()
    for box in turned:
        shown = box.text() if isinstance(box, QAbstractSpinBox) else box.currentIndex()
        for delta in (120, -120):
            assert not turn_wheel(box, delta)
        assert not box.hasFocus()
        assert shown == (box.text() if isinstance(box, QAbstractSpinBox) else box.currentIndex())
    assert before == {setting.name: window.settings.get(setting.name) for setting in SETTINGS}


def test_the_wheel_turns_what_has_the_keyboard(window, panel):
    box = editor(panel, QComboBox, "Theme")
    window.activateWindow()
    box.setFocus()
    QTest.qWait(10)
    index = box.currentIndex()
    assert turn_wheel(box, 120 if index else -120)
    assert box.currentIndex() != index


def test_only_devices_that_are_there_are_offered(home, tmp_path, qtbot):
    worker, settings = PlayedWorker(), Settings(tmp_path / "settings.json")
    window = QWidget()
    registry = ActionRegistry(window, settings)
    panel = SettingsPanel(settings, registry, worker, lambda *_: None, lambda _: None)
    qtbot.addWidget(panel)
    box = editor(panel, QComboBox, "Compute on")

    def offered():
        return [box.itemData(index) for index in range(box.count())]

    assert offered() == ["auto"]
    devices = {"cpu": "CPU with 2 threads", "cuda": "GeForce RTX 4090"}
    worker.receive(WorkerReady("CPU, fp32", "CPU", "", [], Catalog([]).to_json(), devices))
    assert offered() == ["auto", "cpu", "cuda"]
    assert box.itemText(2) == "GeForce RTX 4090"
    settings.set("device", "cuda:1")  # as in a file of another machine
    assert offered() == ["auto", "cpu", "cuda", "cuda:1"]
    assert box.currentText() == "cuda:1, which is not here"
    settings.set("device", "cpu")
    assert offered() == ["auto", "cpu", "cuda"]
    assert box.currentData() == "cpu"
