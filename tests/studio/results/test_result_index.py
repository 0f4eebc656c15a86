from __future__ import annotations

from helpers.pictures import save_picture, text_to_picture
from ponystudio.studio.results.result_index import Query, ResultIndex


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


def test_an_index_that_cannot_be_kept_hides_nothing_else(qapp, tmp_path, qtbot):
    (tmp_path / "data").write_text("a file where the folder should be")
    index = ResultIndex(tmp_path / "data" / "results.sqlite", tmp_path)
    with qtbot.waitSignal(index.answered, timeout=5000) as signal:
        index.ask(Query())
    assert signal.args[0].pictures == ()
    index.close()


def test_a_link_that_leads_to_itself_hides_no_picture(results, output, scanned, qtbot):
    save_picture(output / "a.png", text_to_picture("fox"))
    (output / "loop.png").symlink_to(output / "loop.png")
    scanned()
    assert ask(results, qtbot) == ["a.png"]
