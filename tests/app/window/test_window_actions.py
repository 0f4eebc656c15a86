"""The window's own commands."""

from __future__ import annotations

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import picture, show_graph


def test_the_last_two_pictures_are_compared_by_a_command(window):
    show_graph(window, text_to_picture(), "Ponies")
    command = window.actions_.spec("view.compare")
    assert not command.enabled()
    for name in ("older", "newer"):
        made = picture(window.results.index.folder / f"{name}.png")
        window.results.add(window.documents.current, "save", made)
        until(lambda made=made: [p.path for p in window.results.index.latest(1)] == [made])
    window.actions_.run("view.compare")
    assert window.page_switcher.in_front == "gallery"
    until(lambda: len(window.results.shown) == 2)
    assert [path.stem for path in window.results.shown] == ["older", "newer"]
