"""Small pictures of pictures, on disk and in memory."""

from __future__ import annotations

import os

from helpers.pictures import save_picture, text_to_picture
from ponystudio.studio.results.thumbnail_cache import ThumbnailCache, trim


def test_thumbnails_are_made_once_and_kept_on_disk(results, output, tmp_path, qtbot):
    path = save_picture(output / "a.png", text_to_picture(), None)
    with qtbot.waitSignal(results.thumbnails.ready, timeout=5000):
        assert results.thumbnails.get(path) is None
    assert results.thumbnails.get(path).width() == 64
    kept = list((tmp_path / "cache" / "thumbnails").iterdir())
    assert len(kept) == 1
    another = ThumbnailCache(tmp_path / "cache" / "thumbnails")
    before = kept[0].stat().st_ino
    with qtbot.waitSignal(another.ready, timeout=5000):
        another.get(path)
    assert [file.stat().st_ino for file in kept] == [before]
    another.close()


def test_old_thumbnails_make_room(tmp_path):
    for number in range(10):
        file = tmp_path / str(number)
        file.write_bytes(b"x" * 100)
        os.utime(file, (number, number))
    trim(tmp_path, 500)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["6", "7", "8", "9"]
