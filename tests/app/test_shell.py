"""The shell's parts by themselves: settings, commands and their keys, tabs, rail, nodes, toasts."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMainWindow, QMenu, QPushButton, QWidget

from helpers.studio import CATALOG
from ponystudio.app.actions import Actions, shown_keys
from ponystudio.app.command_palette import CommandPalette
from ponystudio.app.documents import Documents
from ponystudio.app.key_presets import PRESETS
from ponystudio.app.node_panel import NodePanel
from ponystudio.app.rail import Rail
from ponystudio.app.settings import BY_NAME, Settings
from ponystudio.app.tabs import Tabs
from ponystudio.app.toasts import MOST, Toasts
from ponystudio.canvas import theme
from ponystudio.canvas.action import ActionSpec
from ponystudio.graph.edits import AddNode
from ponystudio.graph.model import Node

CTRL = Qt.KeyboardModifier.ControlModifier
LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path / "settings.json")


# --- Settings -------------------------------------------------------------------------------------


def test_settings_are_kept(tmp_path, settings):
    told = []
    settings.changed.connect(told.append)
    settings.set("theme", "light")
    settings.set("theme", "light")
    settings.set("ui_scale", 1.25)
    assert told == ["theme", "ui_scale"]
    again = Settings(tmp_path / "settings.json")
    assert (again.get("theme"), again.get("ui_scale")) == ("light", 1.25)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"theme": "pink", "keys": 3}'])
def test_a_broken_settings_file_is_no_reason_to_stop(tmp_path, text):
    file = tmp_path / "settings.json"
    file.write_text(text)
    settings = Settings(file)
    for name, setting in BY_NAME.items():
        assert settings.get(name) == setting.default
    settings.set("theme", "dark")
    assert Settings(file).get("theme") == "dark"


def test_what_a_later_version_wrote_stays(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"of_tomorrow": {"a": 1}}')
    Settings(file).set("notify", False)
    assert json.loads(file.read_text()) == {"notify": False, "of_tomorrow": {"a": 1}}


def test_nonsense_cannot_be_set(settings):
    for name, value in (("theme", "pink"), ("notify", 1), ("disk_cache_gb", "4"), ("keys", [])):
        with pytest.raises(ValueError, match="is no"):
            settings.set(name, value)
    with pytest.raises(KeyError):
        settings.get("unheard")


def test_a_folder_that_cannot_be_written_keeps_nobody_from_working(tmp_path):
    (tmp_path / "file").write_text("")
    settings = Settings(tmp_path / "file" / "settings.json")
    settings.set("theme", "light")
    assert settings.get("theme") == "light"


# --- Commands -------------------------------------------------------------------------------------


class Bench(QMainWindow):
    """A window with a few commands that note what was run."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.ran: list[str] = []
        self.may = True
        self.actions_ = Actions(self, settings)
        self.actions_.add(
            [
                self.spec("file.new", "New graph", ("Ctrl+N",)),
                self.spec("file.save", "Save", ("Ctrl+S",), enabled=lambda: self.may),
                self.spec("edit.bypass", "Bypass", ("D",)),
            ]
        )
        self.actions_.add_source(lambda: [self.spec("canvas.fit", "Show all", ("F", "Home"))])
        self.resize(800, 600)

    def spec(self, id: str, title: str, keys: tuple[str, ...], **more: object) -> ActionSpec:
        return ActionSpec(id, title, lambda: self.ran.append(id), keys, **more)


@pytest.fixture
def bench(qtbot, settings):
    window = Bench(settings)
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


def test_commands_run_by_their_keys(bench):
    QTest.keyClick(bench, Qt.Key.Key_N, CTRL)
    bench.may = False
    QTest.keyClick(bench, Qt.Key.Key_S, CTRL)
    assert bench.ran == ["file.new"]
    assert not bench.actions_.run("file.save")
    assert not bench.actions_.run("unheard")


def test_keys_are_bound_anew_and_back(bench, settings):
    bench.actions_.rebind("file.new", ["Ctrl+K"])
    QTest.keyClick(bench, Qt.Key.Key_N, CTRL)
    assert not bench.ran
    QTest.keyClick(bench, Qt.Key.Key_K, CTRL)
    assert bench.ran == ["file.new"]
    assert [spec.id for spec in bench.actions_.conflicts("file.save", "Ctrl+K")] == ["file.new"]
    assert not bench.actions_.conflicts("file.new", "Ctrl+K")
    assert Settings(settings.path).get("keys") == {"file.new": ["Ctrl+K"]}
    bench.actions_.reset_keys("file.new")
    QTest.keyClick(bench, Qt.Key.Key_N, CTRL)
    assert bench.ran == ["file.new"] * 2


def test_presets_change_what_they_name(bench, settings):
    settings.set("key_preset", "comfyui")
    assert bench.actions_.spec("edit.bypass").keys == ("Ctrl+B",)
    assert bench.actions_.spec("canvas.fit").keys == (".",)
    assert bench.actions_.spec("file.new").keys == ("Ctrl+N",)
    bench.actions_.rebind("edit.bypass", ["B"])
    assert bench.actions_.spec("edit.bypass").keys == ("B",)
    settings.set("key_preset", "ponystudio")
    assert bench.actions_.spec("canvas.fit").keys == ("F", "Home")


def test_every_preset_can_be_chosen():
    assert set(PRESETS) == set(BY_NAME["key_preset"].choices)


def test_menus_show_commands_with_their_keys(bench):
    bench.may = False
    menu = bench.actions_.fill(QMenu(bench), ("file.new", "", "file.save", "unheard"))
    new, line, save = menu.actions()
    assert new.text() == f"New graph\t{shown_keys(bench.actions_.spec('file.new'))}"
    assert line.isSeparator()
    assert not save.isEnabled()
    new.trigger()
    assert bench.ran == ["file.new"]


def test_the_command_palette_finds_and_runs(bench):
    palette = CommandPalette(bench, bench.actions_)
    palette.open()
    assert palette.list.count() == 4
    QTest.keyClicks(palette.search, "byp")
    assert palette.list.count() == 1
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert bench.ran == ["edit.bypass"]
    assert not palette.isVisible()
    palette = CommandPalette(bench, bench.actions_)
    palette.open()
    QTest.keyClicks(palette.search, "zzz")
    assert palette.list.count() == 0
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    QTest.keyClick(palette.search, Qt.Key.Key_Escape)
    assert bench.ran == ["edit.bypass"]
    assert not palette.isVisible()


# --- Tabs and rail --------------------------------------------------------------------------------


@pytest.fixture
def documents(tmp_path, qapp):
    documents = Documents(tmp_path / "data", CATALOG)
    documents.restore()
    documents.wait()
    for document in list(documents):
        documents.close(document)
    yield documents
    assert documents.shutdown()


@pytest.fixture
def tabs(qtbot, documents):
    tabs = Tabs(documents)
    qtbot.addWidget(tabs)
    tabs.resize(900, 44)
    tabs.show()
    tabs.close_requested.connect(documents.close)
    return tabs


def test_tabs_mirror_the_documents(tabs, documents):
    first, second = documents.new(), documents.new()
    assert tabs.count() == 2
    assert tabs.document(tabs.currentIndex()) is documents.current is second
    QTest.mouseClick(tabs, LEFT, pos=tabs.tabRect(0).center())
    assert documents.current is first
    QTest.mouseClick(tabs, MIDDLE, pos=tabs.tabRect(1).center())
    assert list(documents) == [first]
    assert tabs.count() == 1
    QTest.mouseClick(tabs, LEFT, pos=tabs.close_rect(0).center())
    assert tabs.count() == 0


def test_a_tab_can_be_moved(tabs, documents):
    first, second = documents.new(), documents.new()
    tabs.moveTab(0, 1)
    assert list(documents) == [second, first]


def test_a_changed_document_has_a_dot(tabs, documents):
    document = documents.new()
    place = tabs.close_rect(0)
    QTest.mouseMove(tabs, QPoint(tabs.width() - 5, 5))
    before = tabs.grab(place).toImage()
    document.do(AddNode(Node("a", "core.sample", 1)), "Add Sample")
    assert document.dirty
    assert tabs.grab(place).toImage() != before


def test_the_rail_tells_what_was_pressed(qtbot):
    rail = Rail()
    qtbot.addWidget(rail)
    rail.resize(48, 700)
    rail.show()
    chosen = []
    rail.chosen.connect(chosen.append)
    for name, button in rail.buttons.items():
        assert button.accessibleName()
        assert button.toolTip().startswith(button.accessibleName())
        QTest.mouseClick(button, LEFT)
        assert chosen[-1] == name
    rail.show_open({"nodes"})
    assert [name for name, button in rail.buttons.items() if button.isChecked()] == ["nodes"]
    button = rail.buttons["queue"]
    plain = button.grab().toImage()
    button.set_badge(3)
    assert button.grab().toImage() != plain


# --- Nodes ----------------------------------------------------------------------------------------


@pytest.fixture
def nodes(qtbot):
    panel = NodePanel()
    qtbot.addWidget(panel)
    panel.set_catalog(CATALOG)
    panel.resize(220, 900)
    panel.show()
    return panel


def test_all_nodes_stand_in_groups_of_the_look(nodes):
    model = nodes.model
    groups = [model.item(row) for row in range(model.rowCount())]
    keys = [theme.group_key(group.text()) for group in groups]
    assert keys == sorted(keys, key=theme.group_keys().index)
    assert sum(group.rowCount() for group in groups) == len(CATALOG)


def test_a_node_is_found_and_chosen_by_keys(nodes):
    chosen = []
    nodes.chosen.connect(lambda spec: chosen.append(spec.id))
    QTest.keyClicks(nodes.search, "upscale im")
    QTest.keyClick(nodes.search, Qt.Key.Key_Return)
    assert chosen == ["core.upscale_image"]
    nodes.search.clear()
    QTest.keyClicks(nodes.search, "zzzz")
    assert nodes.model.rowCount() == 0
    QTest.keyClick(nodes.search, Qt.Key.Key_Return)
    assert len(chosen) == 1


def test_a_folded_group_stays_folded(nodes):
    index = nodes.model.index(0, 0)
    QTest.mouseClick(nodes.tree.viewport(), LEFT, pos=nodes.tree.visualRect(index).center())
    assert not nodes.tree.isExpanded(index)
    nodes.search.setText("sample")
    nodes.search.clear()
    assert not nodes.tree.isExpanded(nodes.model.index(0, 0))
    assert nodes.tree.isExpanded(nodes.model.index(1, 0))


# --- Toasts ---------------------------------------------------------------------------------------


@pytest.fixture
def toasts(qtbot):
    host = QWidget()
    qtbot.addWidget(host)
    host.resize(900, 600)
    host.show()
    toasts = Toasts(host)
    toasts.host = host
    return toasts


def test_at_most_two_toasts_stand_above_each_other(toasts):
    for title in ("One", "Two", "Three"):
        toasts.show(title, "Something was done.")
    upper, lower = toasts.shown
    assert len(toasts.shown) == MOST
    assert (upper.title, lower.title) == ("Two", "Three")
    assert upper.geometry().bottom() < lower.geometry().top()
    toasts.host.resize(500, 400)
    QApplication.sendPostedEvents()
    for toast in toasts.shown:
        assert toasts.host.rect().contains(toast.geometry())


def test_what_says_the_same_is_said_once(toasts):
    toasts.show("Saved", "a.json")
    toasts.show("Saved", "b.json")
    assert [toast.text for toast in toasts.shown] == ["b.json"]


def test_quiet_toasts_leave_unless_somebody_reads_them(toasts):
    quiet, loud = toasts.show("Saved", "a.json", kind="ok"), toasts.show("Short", "", kind="warn")
    assert quiet.gone.isActive()
    assert not loud.gone.isActive()
    at = QPointF(5, 5)
    QApplication.sendEvent(quiet, QEnterEvent(at, at, QPointF(quiet.mapToGlobal(at.toPoint()))))
    assert not quiet.gone.isActive()
    QApplication.sendEvent(quiet, QEvent(QEvent.Type.Leave))
    assert quiet.gone.isActive()
    quiet.gone.timeout.emit()
    assert toasts.shown == (loud,)


def test_a_toast_offers_what_to_do(toasts):
    done = []
    rows = [("done", "Dropped 3 results", "0.6 GB"), ("spare", "Decode on the CPU", "not needed")]
    toast = toasts.show("Memory was short", "", [("Show node", lambda: done.append(1))], rows=rows)
    button = next(b for b in toast.findChildren(QPushButton) if b.text() == "Show node")
    QTest.mouseClick(button, LEFT)
    assert done == [1]
    assert not toasts.shown
    toast = toasts.show("Again")
    QTest.mouseClick(toast.closed, LEFT)
    assert not toasts.shown
