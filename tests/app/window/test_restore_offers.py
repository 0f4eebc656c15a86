"""What is held back at a start is offered, and done with as somebody says."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import open_window, show_graph
from ponystudio.errors import NotWritable
from ponystudio.graph.formats import graph_file
from ponystudio.studio.restore_guard import Restored
from ponystudio.studio.runs.job_store import JobStore
from ponystudio.studio.settings import Settings


def accuse(home, *suspects: Restored) -> None:
    """As a start that was killed in the midst of them leaves it."""
    lines = [json.dumps(["begin", asdict(suspect)]) + "\n" for suspect in suspects]
    (home / "data" / "restoring.jsonl").write_text("".join(lines))


@pytest.fixture
def held(home):
    """A document, look and queue that an earlier start did not survive."""
    with open_window(density="compact") as window:
        show_graph(window, text_to_picture(), "Ponies")
        document = window.documents.current
        window.runner.queue.set_paused(True)
        window.runner.run(document)
        id = document.id
    suspects = Restored("document", id, "Ponies"), Restored("queue", "queue")
    accuse(home, *suspects)
    return suspects


@pytest.fixture
def window(held):
    with open_window(canvas=False) as window:
        window.services._restore_queue()
        until(lambda: window.offers.page is not None)
        yield window


def kinds(window) -> list[str]:
    return [item.kind for item in window.offers.held]


def card(window, kind: str):
    return window.offers.page.cards[kinds(window).index(kind)]


def test_the_window_comes_up_without_them(window):
    assert window.shell.pages.currentWidget() is window.offers.page
    assert [document.title for document in window.documents] == ["Untitled"]
    assert sorted(kinds(window)) == ["document", "queue"]
    assert len(window.runner.queue) == 0


def test_it_opens_all_the_same_if_somebody_wants_it(window, held):
    card(window, "document").open.click()
    window.documents.wait()
    until(lambda: window.documents.current.title == "Ponies")
    assert window.documents.current.id == held[0].id
    assert window.documents.current.graph == text_to_picture()
    assert kinds(window) == ["queue"]
    assert [toast.title for toast in window.toasts.shown] == ["Some things are not opened"]
    window.actions_.run("app.held_back")
    assert window.offers.page.isVisible()


def test_it_can_be_read_as_letters(window):
    card(window, "document").text.click()
    until(lambda: window.offers.page.text is not None)
    assert '"format":"ponystudio.journal"' in window.offers.page.text.toPlainText()


def test_a_copy_is_saved_without_opening_it(window, tmp_path):
    target = tmp_path / "copy.json"
    card(window, "document").copy.click()
    dialog = window.dialogs.dialog
    assert isinstance(dialog, QFileDialog)
    dialog.setDirectory(str(tmp_path))
    dialog.selectFile(str(target))
    dialog.done(1)
    until(target.exists)
    until(lambda: any(toast.title == "A copy is saved" for toast in window.toasts.shown))
    assert graph_file.read(target).nodes == text_to_picture().nodes
    assert len(window.documents) == 1


def test_it_is_discarded_after_a_second_look(window, held, home):
    journal = home / "data" / "documents" / f"{held[0].id}.journal"
    card(window, "document").discard.click()
    assert journal.exists()
    card(window, "document").confirm.click()
    window.documents.flush()
    assert not journal.exists()
    assert kinds(window) == ["queue"]


@pytest.mark.parametrize("is_wanted", [True, False])
def test_it_needs_no_place_under_the_recent_files(window, held, home, is_wanted):
    window.documents.recent.take_unsaved(held[0].id)
    if is_wanted:
        card(window, "document").open.click()
        window.documents.wait()
        assert window.documents.current.id == held[0].id
    else:
        card(window, "document").discard.click()
        card(window, "document").confirm.click()
        window.documents.flush()
        assert not (home / "data" / "documents" / f"{held[0].id}.journal").exists()
    assert kinds(window) == ["queue"]


def test_the_queue_is_taken_up_or_discarded(window):
    card(window, "queue").open.click()
    assert len(window.runner.queue) == 1
    assert window.runner.paused
    assert kinds(window) == ["document"]


def test_when_all_is_decided_the_canvas_is_there(window):
    for kind in ("queue", "document"):
        card(window, kind).discard.click()
        card(window, kind).confirm.click()
    assert window.offers.page is None
    assert window.shell.pages.currentWidget() is window.page
    assert len(window.runner.queue) == 0


def test_what_is_left_is_offered_again_and_stands_under_the_recent_ones(window, held):
    window.offers.page.leave.click()
    assert window.shell.pages.currentWidget() is window.page
    assert window.documents.recent.last_unsaved().id == held[0].id
    assert sorted(kinds(window)) == ["document", "queue"]
    window.close()
    with open_window(canvas=False) as again:
        until(lambda: again.offers.page is not None)
        assert sorted(kinds(again)) == ["document", "queue"]


def test_a_look_that_was_not_survived_is_left_out_until_somebody_wants_it(home):
    with open_window(density="compact", ui_scale=1.5):
        pass
    accuse(home, Restored("settings", "look"))
    kept = Settings().get("window")
    with open_window(canvas=False) as window:
        assert window.settings.get("density") == "comfortable"
        until(lambda: window.offers.page is not None)
        assert kinds(window) == ["settings"]
        window.settings.set("theme", "light")
        assert window.settings.get("theme") == "light"  # what is set now holds
    assert Settings().get("window") == kept
    assert Settings().get("density") == "compact"
    with open_window(canvas=False) as window:
        until(lambda: window.offers.page is not None)
        card(window, "settings").open.click()
        assert window.settings.get("density") == "compact"
        assert window.offers.page is None
        QTest.qWait(20)
    accuse(home, Restored("settings", "look"))
    with open_window(canvas=False) as window:
        until(lambda: window.offers.page is not None)
        card(window, "settings").discard.click()
        card(window, "settings").confirm.click()
    assert Settings().get("density") == "comfortable"


def test_a_queue_that_cannot_be_put_aside_stays_suspect_and_unread(held, monkeypatch):
    def refuse(store: JobStore) -> None:
        raise NotWritable("It is in use.")

    monkeypatch.setattr(JobStore, "_make_room", refuse)
    with open_window(canvas=False) as window:
        window.services._restore_queue()
        until(lambda: window.offers.page is not None)
        assert len(window.runner.queue) == 0
        assert "The queue could be lost" in [toast.title for toast in window.toasts.shown]
        card(window, "queue").open.click()
        assert window.guard.suspect("queue", "queue") is not None
        card(window, "queue").discard.click()
        card(window, "queue").confirm.click()
        assert sorted(kinds(window)) == ["document", "queue"]
