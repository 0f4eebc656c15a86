"""Where things go: the platform's places, or all below one folder."""

import pytest

from ponystudio.library import user_folders

PLACES = (
    user_folders.config,
    user_folders.data,
    user_folders.cache,
    user_folders.logs,
    user_folders.pictures,
    user_folders.models,
    user_folders.nodes,
)


def test_all_below_one_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    assert len({place() for place in PLACES}) == len(PLACES)
    assert all(tmp_path in place().parents for place in PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_else_the_platforms(monkeypatch, place):
    monkeypatch.delenv("PONYSTUDIO_HOME")
    assert "ponystudio" in str(place()).lower()
    assert place().is_absolute()
