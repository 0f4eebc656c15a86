"""Settings: their file, what makes no sense in it, and the panel that shows them."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QScrollArea

from helpers.window import open_window
from ponystudio.app.settings import settings_texts
from ponystudio.app.settings.folder_list import FolderList
from ponystudio.studio.settings import BY_NAME, SETTINGS, Settings

LEFT = Qt.MouseButton.LeftButton


class TestFile:
    def test_what_is_set_is_read_again(self, home):
        Settings().set("ui_scale", 1.5)
        assert Settings().get("ui_scale") == 1.5
        assert json.loads((home / "config/settings.json").read_text()) == {"ui_scale": 1.5}

    def test_a_change_is_told_once(self, home):
        told = []
        settings = Settings()
        settings.changed.connect(told.append)
        settings.set("theme", "light")
        settings.set("theme", "light")
        assert told == ["theme"]

    @pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
    def test_defaults_make_sense_themselves(self, setting):
        assert setting.accepts(setting.default)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("theme", "pink"), ("ui_scale", 3.0), ("ui_scale", "1.0"), ("notify", 1)),
            *(("disk_cache_gb", True), ("model_folders", "x"), ("keys", []), ("device", 3)),
        ],
    )
    def test_nonsense_is_refused_and_read_as_the_default(self, home, name, value):
        with pytest.raises(ValueError, match="is no"):
            Settings().set(name, value)
        path = home / "config/settings.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({name: value}))
        assert Settings().get(name) == BY_NAME[name].default

    @pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000])
    def test_a_broken_file_is_as_none(self, home, content):
        path = home / "config/settings.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        settings = Settings()
        assert settings.get("theme") == "system"
        settings.set("theme", "dark")
        assert Settings().get("theme") == "dark"
        assert path.with_suffix(".damaged.json").read_bytes() == content

    def test_what_a_later_version_set_is_kept(self, home):
        path = home / "config/settings.json"
        path.parent.mkdir(parents=True)
        path.write_text('{"from_the_future": [1, 2], "theme": "light"}')
        Settings().set("theme", "dark")
        assert json.loads(path.read_text()) == {"from_the_future": [1, 2], "theme": "dark"}

    def test_where_nothing_can_be_written_it_holds_until_the_end(self, home):
        (home / "config").write_text("a file in the folder's place")
        settings = Settings()
        settings.set("theme", "light")
        assert settings.get("theme") == "light"

    def test_folders_are_paths(self, home):
        settings = Settings()
        assert settings.output_folder() == home / "pictures"
        settings.set("output_folder", "/tmp/elsewhere")
        settings.set("model_folders", ["/models"])
        assert str(settings.output_folder()) == "/tmp/elsewhere"
        assert [str(folder) for folder in settings.model_folders()] == ["/models"]


class TestPanel:
    @pytest.fixture
    def window(self, home):
        with open_window() as window:
            window.toggle_panel("settings")
            QTest.qWait(30)
            yield window

    @pytest.fixture
    def panel(self, window):
        return window.shell.panels.currentWidget()

    def editor(self, panel, kind, title):
        return next(w for w in panel.findChildren(kind) if w.accessibleName() == title)

    def test_a_tick_holds_at_once(self, window, panel):
        box = next(b for b in panel.findChildren(QCheckBox) if b.text() == "Less motion")
        QTest.mouseClick(box, LEFT, pos=box.rect().center() - box.rect().topRight() / 3)
        assert window.settings.get("reduced_motion") == box.isChecked()

    def test_what_changes_elsewhere_is_shown(self, window, panel):
        box = self.editor(panel, QComboBox, "Theme")
        assert box.currentData() == "dark"
        window.settings.set("theme", "light")
        assert box.currentData() == "light"

    def test_a_folder_can_be_typed(self, window, panel, home):
        field = self.editor(panel, QLineEdit, "Results go to")
        QTest.keyClicks(field, str(home / "out"))
        QTest.keyClick(field, Qt.Key.Key_Return)
        assert window.settings.output_folder() == home / "out"
        assert window.results.index.folder == home / "out"

    def test_a_folder_that_is_none_is_refused_in_words(self, window, panel, home):
        (home / "file").write_text("")
        field = self.editor(panel, QLineEdit, "Results go to")
        for text, said in (("somewhere", "whole path"), (str(home / "file"), "There is a file")):
            field.setText(text)
            QTest.keyClick(field, Qt.Key.Key_Return)
            assert window.settings.get("output_folder") == ""
            assert any(said in w.text() for w in panel.findChildren(QLabel) if w.isVisible())
        window.settings.set("output_folder", str(home / "out"))  # as by the button beside it
        assert not any(said in w.text() for w in panel.findChildren(QLabel) if w.isVisible())

    def test_a_name_that_no_file_can_have_is_refused_in_words(self, window, panel):
        field = self.editor(panel, QLineEdit, "Names of results begin with")
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

    def test_model_folders_are_listed_and_taken_out(self, window, panel, home):
        folders = panel.findChild(FolderList)
        assert not folders.list.isVisible()
        assert not folders.remove.isEnabled()
        window.settings.set("model_folders", [str(home / "a"), str(home / "b")])
        assert folders.list.isVisible()
        folders.list.setCurrentRow(0)
        QTest.mouseClick(folders.remove, LEFT)
        assert window.settings.get("model_folders") == [str(home / "b")]

    def test_every_setting_of_a_section_has_words(self):
        for name in settings_texts.SECTIONS:
            heading, settings = settings_texts.section(name)
            assert heading
            for setting in settings:
                assert settings_texts.title(setting)
                choices = BY_NAME[setting].choices
                assert all(settings_texts.value(choice) for choice in choices)

    @pytest.mark.parametrize("scale", [1.0, 1.5])
    def test_no_text_is_cut(self, window, scale):
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


class TestKeys:
    @pytest.fixture
    def window(self, home):
        with open_window() as window:
            window.toggle_panel("settings")
            yield window

    @pytest.fixture
    def keys(self, window):
        return window.shell.panels.currentWidget().keys

    def choose(self, keys, words):
        keys.search.clear()
        QTest.keyClicks(keys.search, words)
        keys.list.setCurrentRow(0)
        return keys.chosen()

    def test_keys_are_bound_anew_and_taken_from_others(self, window, keys):
        assert self.choose(keys, "all commands").id == "app.commands"
        keys.field.setFocus()
        QTest.keyClick(keys.field, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
        assert keys.field.text() == "Ctrl+N"
        assert len(window.documents) == 1  # they are written down, not done
        assert keys.said.text() == "Now used for: New graph"
        QTest.mouseClick(keys.bind, LEFT)
        spec = window.actions_.spec
        assert spec("app.commands").keys == ("Ctrl+N",)
        assert spec("file.new").keys == ("Ctrl+T",)
        assert keys.said.text() == ""
        QTest.mouseClick(keys.reset, LEFT)
        assert spec("app.commands").keys == ("Ctrl+Shift+P",)

    def test_what_is_no_key_binds_nothing(self, window, keys):
        self.choose(keys, "new graph")
        QTest.keyClick(keys.field, Qt.Key.Key_Control)
        QTest.keyClick(keys.field, Qt.Key.Key_M)
        QTest.keyClick(keys.field, Qt.Key.Key_Backspace)
        QTest.keyClick(keys.field, Qt.Key.Key_Return)
        assert keys.said.text() == "Choose a command, then press its keys."
        assert window.settings.get("keys") == {}

    def test_commands_are_found_by_their_keys(self, keys):
        assert self.choose(keys, "ctrl+shift+p").id == "app.commands"

    def test_the_canvas_knows_its_new_keys(self, window, keys):
        assert self.choose(keys, "mute").id == "edit.mute"
        keys.field.setFocus()
        held = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
        QTest.keyClick(keys.field, Qt.Key.Key_M, held)
        QTest.keyClick(keys.field, Qt.Key.Key_Return)
        found = next(s for s in window.actions_.specs() if s.id == "edit.mute")
        assert found.keys == ("Ctrl+Alt+M",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keys", {"edit.mute": 5}),
        ("keys", {"edit.mute": "M"}),
        ("model_folders", ["/models", 7]),
        ("disk_cache_gb", float("nan")),
        ("disk_cache_gb", -1.0),
    ],
)
def test_nonsense_in_the_file_counts_as_not_set(tmp_path, name, value):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({name: value}))
    assert Settings(path).get(name) == BY_NAME[name].default
