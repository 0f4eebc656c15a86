"""Commands by their ids: keys, presets, conflicts, menus."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from helpers.window import CTRL, open_window, press
from ponystudio.app.actions.action_registry import PRESETS, ActionRegistry, shown_keys
from ponystudio.app.window.panel_registry import panel_specs
from ponystudio.app.window.window_actions import menu_entries
from ponystudio.studio.settings import Settings
from ponystudio.widgets.action import ActionSpec


@pytest.fixture
def settings(home):
    return Settings()


@pytest.fixture
def done():
    return []


@pytest.fixture
def host(qtbot):
    host = QWidget()
    qtbot.addWidget(host)
    with qtbot.waitExposed(host):
        host.show()
    host.activateWindow()
    qtbot.waitUntil(host.isActiveWindow)
    return host


@pytest.fixture
def actions(host, settings, done):
    actions = ActionRegistry(host, settings)
    able = {"on": True}
    actions.able = able
    actions.add(
        [
            ActionSpec("file.new", "New", lambda: done.append("new"), ("Ctrl+N", "Ctrl+T")),
            ActionSpec(
                "file.save",
                "Save",
                lambda: done.append("save"),
                ("Ctrl+S",),
                enabled=lambda: able["on"],
            ),
        ]
    )
    actions.add_source(lambda: [ActionSpec("edit.mute", "Mute", lambda: 0, ("M",))])
    return actions


class TestKeys:
    def test_each_of_them_works(self, actions, host, done):
        press(host, Qt.Key.Key_N, CTRL)
        press(host, Qt.Key.Key_T, CTRL)
        assert done == ["new", "new"]

    def test_what_cannot_be_done_is_not(self, actions, host, done):
        actions.able["on"] = False
        press(host, Qt.Key.Key_S, CTRL)
        assert not actions.run("file.save")
        assert not done
        actions.able["on"] = True
        press(host, Qt.Key.Key_S, CTRL)
        assert done == ["save"]

    def test_bound_anew_the_old_ones_do_nothing(self, actions, host, done, settings):
        actions.rebind("file.new", ["Ctrl+J"])
        press(host, Qt.Key.Key_N, CTRL)
        assert not done
        press(host, Qt.Key.Key_J, CTRL)
        assert done == ["new"]
        assert settings.get("keys") == {"file.new": ["Ctrl+J"]}
        actions.reset_keys("file.new")
        press(host, Qt.Key.Key_N, CTRL)
        assert done == ["new", "new"]

    def test_conflicts_are_known_however_they_are_written(self, actions):
        assert [spec.id for spec in actions.conflicts("edit.mute", "ctrl+n")] == ["file.new"]
        assert actions.conflicts("file.new", "Ctrl+N") == []
        assert actions.conflicts("file.new", "Ctrl+Alt+F9") == []

    def test_a_preset_changes_what_differs_and_own_keys_stay(self, actions, settings):
        actions.rebind("file.new", ["Ctrl+J"])
        settings.set("key_preset", "comfyui")
        assert actions.spec("edit.mute").keys == ("Ctrl+M",)
        assert actions.spec("file.new").keys == ("Ctrl+J",)
        assert actions.spec("file.save").keys == ("Ctrl+S",)
        actions.reset_keys()
        assert actions.spec("file.new").keys == ("Ctrl+N", "Ctrl+T")


class TestMenu:
    def test_commands_come_with_their_keys_and_unknown_ones_are_left_out(self, actions, qtbot):
        menu = QMenu()
        qtbot.addWidget(menu)
        actions.able["on"] = False
        actions.fill(menu, ("file.new", "", "file.unknown", "file.save"))
        texts = [action.text() for action in menu.actions()]
        assert texts == ["New\tCtrl+N", "", "Save\tCtrl+S"]
        assert [action.isEnabled() for action in menu.actions()] == [True, True, False]

    def test_an_entry_does_it(self, actions, qtbot, done):
        menu = QMenu()
        qtbot.addWidget(menu)
        actions.fill(menu, ("file.new",)).actions()[0].trigger()
        assert done == ["new"]


@pytest.fixture
def specs(home):
    with open_window() as window:
        yield window.actions_.specs()


def test_ids_are_unique_and_keys_are_keys(specs):
    ids = [spec.id for spec in specs]
    assert len(ids) == len(set(ids))
    for spec in specs:
        assert spec.title
        for keys in spec.keys:
            assert QKeySequence(keys).toString(), (spec.id, keys)


def test_no_two_share_keys(specs):
    taken: dict[str, str] = {}
    for spec in specs:
        for keys in spec.keys:
            other = taken.setdefault(QKeySequence(keys).toString(), spec.id)
            assert other == spec.id, keys


def test_the_menu_holds_what_there_is(specs):
    known = {spec.id for spec in specs}
    wanted = {id for _, ids in menu_entries(panel_specs()) for id in ids if id}
    assert wanted <= known


def test_the_platform_writes_the_keys():
    assert shown_keys(ActionSpec("a.b", "C", lambda: 0)) == ""
    assert shown_keys(ActionSpec("a.b", "C", lambda: 0, ("Ctrl+K", "F5"))) == "Ctrl+K"


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_name_what_there_is_and_share_no_keys(home, preset):
    with open_window(key_preset=preset) as window:
        specs = window.actions_.specs()
    assert set(PRESETS[preset]) <= {spec.id for spec in specs}
    taken: dict[str, str] = {}
    for spec in specs:
        for keys in spec.keys:
            other = taken.setdefault(QKeySequence(keys).toString(), spec.id)
            assert other == spec.id, keys
