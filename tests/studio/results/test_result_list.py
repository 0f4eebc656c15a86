"""What a strip or a gallery shows, as it changes."""

from __future__ import annotations

from helpers.pictures import save_picture, text_to_picture
from ponystudio.studio.results.result_library import ResultList


def test_a_picture_just_made_is_there_at_once(results, output, qtbot):
    listing = ResultList(results)
    path = save_picture(output / "a.png", text_to_picture(seed=2**64 - 1))
    with qtbot.waitSignal(results.index.added, timeout=5000):
        results.add(None, "save", path)
    qtbot.waitUntil(lambda: len(listing.pictures) == 1)
    assert listing.pictures[0].seed == 2**64 - 1
    assert listing.row(path) == 0


def test_pictures_of_others_are_noticed(results, output, scanned, qtbot):
    listing = ResultList(results)
    scanned()
    qtbot.waitUntil(lambda: listing.ready)
    qtbot.waitUntil(lambda: results.index.is_watched(output))
    save_picture(output / "a.png", text_to_picture())
    qtbot.waitUntil(lambda: len(listing.pictures) == 1, timeout=5000)


def test_search_and_stars_narrow_the_list(results, output, scanned, qtbot):
    paths = [
        save_picture(output / f"{n}.png", text_to_picture(p), time=n)
        for n, p in ((1, "fox"), (2, "cat"))
    ]
    scanned()
    listing = ResultList(results)
    qtbot.waitUntil(lambda: len(listing.pictures) == 2)
    listing.search("fox")
    qtbot.waitUntil(lambda: [p.name for p in listing.pictures] == ["1.png"])
    assert (listing.total, listing.all) == (1, 2)
    listing.search("")
    listing.show_starred(True)
    qtbot.waitUntil(lambda: listing.pictures == ())
    results.index.star([paths[1]], True)
    qtbot.waitUntil(lambda: [p.name for p in listing.pictures] == ["2.png"])


def test_a_picture_that_vanished_leaves_the_list(results, output, scanned, qtbot):
    path = save_picture(output / "a.png", text_to_picture())
    scanned()
    listing = ResultList(results)
    qtbot.waitUntil(lambda: len(listing.pictures) == 1)
    path.unlink()
    results.thumbnails.get(path)
    qtbot.waitUntil(lambda: listing.pictures == ())
