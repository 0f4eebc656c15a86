from __future__ import annotations

from types import SimpleNamespace

from helpers.pictures import save_picture, text_to_picture
from ponystudio.studio.results.result_index import Query, ResultIndex
from ponystudio.studio.results.result_library import ResultList


def ask(results, qtbot, query=None):
    with qtbot.waitSignal(results.index.answered, timeout=5000) as signal:
        results.index.ask(query or Query())
    return [picture.name for picture in signal.args[0].pictures]


def test_a_scan_finds_what_came_changed_and_went(results, output, scanned, qtbot):
    save_picture(output / "a.png", text_to_picture("fox"), time=1000)
    save_picture(output / "deep" / "b.png", text_to_picture("cat"), time=2000)
    (output / ".draft.png").write_bytes(b"half")
    (output / "notes.txt").write_text("none")
    scanned()
    assert ask(results, qtbot) == ["b.png", "a.png"]
    (output / "deep" / "b.png").unlink()
    save_picture(output / "a.png", text_to_picture("owl"), time=3000)
    scanned()
    assert ask(results, qtbot) == ["a.png"]
    assert ask(results, qtbot, Query("owl")) == ["a.png"]


def test_a_drive_that_is_away_is_not_forgotten(results, output, scanned, qtbot):
    save_picture(output / "a.png", text_to_picture())
    scanned()
    output.rename(output.with_name("away"))
    scanned()
    assert ask(results, qtbot) == ["a.png"]


def test_a_picture_just_made_is_there_at_once(results, output, qtbot):
    listing = ResultList(results)
    path = save_picture(output / "a.png", text_to_picture(seed=2**64 - 1))
    with qtbot.waitSignal(results.index.added, timeout=5000):
        results.add(None, "save", path)
    qtbot.waitUntil(lambda: len(listing.pictures) == 1)
    assert listing.pictures[0].seed == 2**64 - 1
    assert listing.row(path) == 0


def test_the_picture_of_a_node_belongs_to_its_document_not_to_an_address(results, output):
    path = save_picture(output / "a.png", text_to_picture())
    results.add(SimpleNamespace(id="one"), "save", path)
    assert results.picture_of(SimpleNamespace(id="one"), "save") == path
    assert results.picture_of(SimpleNamespace(id="two"), "save") is None


def test_pictures_of_others_are_noticed(results, output, scanned, qtbot):
    listing = ResultList(results)
    scanned()
    qtbot.waitUntil(lambda: listing.ready)
    qtbot.wait(20)  # until the folder is watched
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


def test_an_index_that_cannot_be_kept_hides_nothing_else(qapp, tmp_path, qtbot):
    (tmp_path / "data").write_text("a file where the folder should be")
    index = ResultIndex(tmp_path / "data" / "results.sqlite", tmp_path)
    with qtbot.waitSignal(index.answered, timeout=5000) as signal:
        index.ask(Query())
    assert signal.args[0].pictures == ()
    index.close()


def test_a_picture_that_vanished_leaves_the_list(results, output, scanned, qtbot):
    path = save_picture(output / "a.png", text_to_picture())
    scanned()
    listing = ResultList(results)
    qtbot.waitUntil(lambda: len(listing.pictures) == 1)
    path.unlink()
    results.thumbnails.get(path)
    qtbot.waitUntil(lambda: listing.pictures == ())
