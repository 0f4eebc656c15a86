"""Where things go: the platform's places, or all below one folder."""

import pytest

from ponystudio.library import home

PLACES = (home.config, home.data, home.cache, home.logs, home.pictures, home.models, home.nodes)


def test_all_below_one_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    assert len({place() for place in PLACES}) == len(PLACES)
    assert all(tmp_path in place().parents for place in PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_else_the_platforms(monkeypatch, place):
    monkeypatch.delenv("PONYSTUDIO_HOME")
    assert "ponystudio" in str(place()).lower()
    assert place().is_absolute()
