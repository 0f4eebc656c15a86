"""Settings: their file, and what makes no sense in it."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

from ponystudio.graph.formats.metadata_policy import MetadataPolicy
from ponystudio.studio.settings import (
    BY_NAME,
    LOOK,
    SETTINGS,
    Settings,
    section_titles,
    value_text,
)


@pytest.fixture
def home(tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    return tmp_path


def test_what_is_set_is_read_again(home):
    Settings().set("ui_scale", 1.5)
    assert Settings().get("ui_scale") == 1.5
    assert json.loads((home / "config/settings.json").read_text()) == {"ui_scale": 1.5}


def test_a_change_is_told_once(home):
    told = []
    settings = Settings()
    settings.on("theme", told.append, now=True)
    settings.set("theme", "light")
    settings.set("theme", "light")
    settings.set("density", "compact")
    assert told == ["system", "light"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_defaults_make_sense_themselves(setting):
    assert setting.accepts(setting.default)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("theme", "pink"), ("ui_scale", 3.0), ("ui_scale", "1.0"), ("notify", 1)),
        *(("disk_cache_gb", True), ("model_folders", "x"), ("keys", []), ("device", 3)),
    ],
)
def test_nonsense_is_refused_and_read_as_the_default(home, name, value):
    with pytest.raises(ValueError, match="is no"):
        Settings().set(name, value)
    path = home / "config/settings.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: value}))
    assert Settings().get(name) == BY_NAME[name].default


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_broken_file_is_as_none(home, content):
    path = home / "config/settings.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    settings = Settings()
    assert settings.get("theme") == "system"
    settings.set("theme", "dark")
    assert Settings().get("theme") == "dark"
    assert path.with_suffix(".damaged.json").read_bytes() == content


def test_what_a_later_version_set_is_kept(home):
    path = home / "config/settings.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"from_the_future": [1, 2], "theme": "light"}')
    Settings().set("theme", "dark")
    assert json.loads(path.read_text()) == {"from_the_future": [1, 2], "theme": "dark"}


def test_where_nothing_can_be_written_it_holds_until_the_end(home):
    (home / "config").write_text("a file in the folder's place")
    settings = Settings()
    settings.set("theme", "light")
    assert settings.get("theme") == "light"


def test_what_pictures_carry_is_one_value(home):
    settings = Settings()
    assert settings.metadata_policy() == MetadataPolicy()
    settings.set("metadata", "without prompts")
    settings.set("disclosure", False)
    assert settings.metadata_policy() == MetadataPolicy("without prompts", disclosed=False)


def test_folders_are_paths(home):
    settings = Settings()
    assert settings.output_folder() == home / "pictures"
    settings.set("output_folder", "/tmp/elsewhere")
    settings.set("model_folders", ["/models"])
    assert str(settings.output_folder()) == "/tmp/elsewhere"
    assert [str(folder) for folder in settings.model_folders()] == ["/models"]


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


def test_every_setting_of_the_panel_has_words():
    titles = section_titles()
    for setting in SETTINGS:
        assert bool(setting.title()) == bool(setting.section)
        assert not setting.section or titles[setting.section]
        assert all(value_text(value) for value in setting.choices)


def test_who_follows_is_let_go_of_with_its_object(home):
    class Follower(QObject):
        def take(self, value):
            told.append(value)

    told, settings, follower = [], Settings(), Follower()
    settings.on("theme", follower.take)
    settings.set("theme", "light")
    follower.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    settings.set("theme", "dark")
    assert told == ["light"]


def test_what_is_held_back_is_kept_until_it_is_used_or_forgotten(home):
    kept = Settings()
    kept.set("density", "compact")
    kept.set("output_folder", "/pictures")
    settings, told = Settings(), []
    settings.on("density", told.append, now=True)
    settings.hold_back(LOOK)
    assert settings.get("density") == "comfortable"
    assert settings.get("output_folder") == "/pictures"
    assert settings.is_held_back("window")
    settings.set("theme", "light")
    assert settings.get("theme") == "light"
    assert Settings().get("density") == "compact"
    settings.release()
    assert settings.get("density") == "compact"
    assert told == ["compact", "compact"]
    settings.hold_back(LOOK)
    settings.reset()
    assert Settings().get("density") == "comfortable"
    assert Settings().get("output_folder") == "/pictures"
