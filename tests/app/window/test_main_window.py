"""The window as a whole: what is shown where, and what is still there afterwards."""

from __future__ import annotations

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import open_window, picture, show_graph
from ponystudio.app.studio_main import restored_window
from ponystudio.graph.editing.edits import SetParam
from ponystudio.studio.restore_guard import RestoreGuard
from ponystudio.studio.settings import Settings


def said(window) -> list[str]:
    return [toast.title for toast in window.toasts.shown]


def test_a_queue_that_was_left_and_a_full_disk_are_told_as_what_they_are(window):
    window.runner.restored.emit(2)
    window.runner.memory_short.emit(None, "", "results are no longer kept on disk: full")
    assert said(window) == ["2 jobs wait", "The disk takes no results"]


def test_fingers_find_everything_large_enough(window):
    def heights() -> dict[str, int]:
        first = window.nodes.model.index(0, 0)
        return {
            "list row": window.nodes.tree.visualRect(first).height(),
            "button": window.bottom.memory.unload.height(),
            "run": window.run_bar.start.height(),
            "zoom": window.page.view.zoom_bar.height(),
            "bar": window.bottom.height(),
        }

    usual = heights()
    window.settings.set("density", "touch")
    try:
        until(lambda: min(heights().values()) >= 40)
        window.settings.set("density", "compact")
        until(lambda: heights()["bar"] == 40 and heights()["list row"] == usual["list row"] - 2)
    finally:
        window.settings.set("density", "comfortable")
    until(lambda: heights() == usual)


def test_the_canvas_stands_between_panel_and_inspector(window):
    assert window.shell.panel == "nodes"
    assert window.rail.buttons["nodes"].isChecked()
    assert window.page.view.hasFocus()
    for part in (window.nodes, window.inspector, window.strip, window.bottom):
        assert part.isVisible()
    assert window.shell.right.width() == 264


def test_the_keyboard_stays_where_the_scale_is_chosen(window):
    window.toggle_panel("settings")

    def chooser():
        boxes = window.shell.panels.currentWidget().findChildren(QComboBox)
        return next(box for box in boxes if box.accessibleName() == "Size of everything")

    box = chooser()
    box.setFocus()
    box.setCurrentIndex(box.findData(1.25))
    box.activated.emit(box.currentIndex())
    QTest.qWait(50)
    assert chooser() is not box
    assert chooser().hasFocus()
    assert chooser().currentData() == 1.25


def test_nothing_is_asked_at_the_end_and_all_is_kept(home):
    with open_window() as window:
        show_graph(window, text_to_picture(), "Unicorns")
        window.documents.current.do(SetParam("sampler", "steps", 7), "Change steps")
    with open_window() as window:
        until(lambda: "sampler" in window.documents.current.graph.nodes)
        assert window.documents.current.graph.nodes["sampler"].params["steps"] == 7
        assert window.windowTitle().startswith("Unicorns")


def test_where_results_go_is_where_they_are_looked_for(window, home):
    made = picture(home / "elsewhere/old.png")
    window.settings.set("output_folder", str(made.parent))
    until(lambda: [p.path for p in window.strip.listing.pictures] == [made])


def test_it_tells_of_the_selected_node_and_fits_its_width(window):
    show_graph(window, text_to_picture())
    window.page.scene.store.select(["sampler"])
    assert window.inspector.node == "sampler"
    area = window.inspector.area
    QTest.qWait(20)
    assert area.widget().minimumSizeHint().width() <= area.viewport().width()


def test_that_a_graph_is_closed_is_not_said_of_one_that_is_open_again(window):
    show_graph(window, text_to_picture(), "Ponies")
    document = window.documents.current
    document.do(SetParam("sampler", "steps", 5), "Change steps")
    window.documents.close(document)
    assert said(window) == ["Ponies is closed"]
    window.documents.reopen()
    until(lambda: said(window) == [])
    assert window.documents.current.title == "Ponies"


def test_closing_while_documents_are_still_opened_again_makes_none_suspect(home):
    with open_window() as window:
        for title in ("One", "Two", "Three"):
            show_graph(window, text_to_picture(), title)
    window = restored_window(Settings())
    window.show()
    window.close()
    window.deleteLater()
    assert RestoreGuard(home / "data" / "restoring.jsonl").suspects == ()
