"""The window as a whole: what is shown where, and what is still there afterwards."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import CTRL, SHIFT, open_window, picture, press, show_graph
from ponystudio.canvas.scene.error_actions import remedies
from ponystudio.graph.editing.edits import SetMode, SetParam
from ponystudio.studio.documents.node_state import Problem
from ponystudio_resources import path as resource

LEFT = Qt.MouseButton.LeftButton


def words(window) -> list[str]:
    left, right = window.bottom.progress.words()
    return [piece[0] for piece in (*left, *right)]


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


class TestPages:
    def test_the_canvas_stands_between_panel_and_inspector(self, window):
        assert window.shell.panel == "nodes"
        assert window.rail.buttons["nodes"].isChecked()
        assert window.page.view.hasFocus()
        for part in (window.nodes, window.inspector, window.strip, window.bottom):
            assert part.isVisible()
        assert window.shell.right.width() == 264

    def test_the_gallery_takes_its_place_and_esc_leaves_it(self, window):
        width = window.shell.right.width()
        press(window.page.view, Qt.Key.Key_A)
        assert window.page_switcher.in_front == "gallery"
        assert window.rail.buttons["gallery"].isChecked()
        assert not window.shell.right.isVisible()
        assert not window.nodes.isVisible()
        press(QApplication.focusWidget(), Qt.Key.Key_Escape)
        assert window.page_switcher.in_front == ""
        assert window.page.view.hasFocus()
        assert window.nodes.isVisible()
        assert window.shell.right.width() == width

    def test_what_the_gallery_says_stands_in_the_bottom_bar(self, window):
        made = [picture(window.results.index.folder / f"{name}.png") for name in "ab"]
        window.results.start()
        until(lambda: len(window.strip.listing.pictures) == 2)
        window.page_switcher.show_pictures(made[:1])
        until(lambda: "1 of 2 results selected" in words(window))
        window.toggle_panel("gallery")
        assert not any("results" in text for text in words(window))
        # A picture that comes while the canvas is there changes nothing
        window.results.add(window.documents.current, "n", picture(made[0].with_name("c.png")))
        until(lambda: len(window.strip.listing.pictures) == 3)
        assert not any("results" in text for text in words(window))

    def test_a_detached_gallery_leaves_the_canvas_as_it_was(self, window):
        width = window.shell.right.width()
        window.toggle_panel("gallery")
        window.page_switcher.detach_gallery()
        assert window.page_switcher.in_front == ""
        assert window.shell.right.width() == width
        assert window.strip.isVisible()

    def test_another_graph_comes_in_front_of_a_page(self, window):
        window.toggle_panel("models")
        assert window.page_switcher.in_front == "models"
        window.documents.new()
        assert window.page_switcher.in_front == ""
        assert window.shell.right.isVisible()
        assert not window.rail.buttons["models"].isChecked()

    def test_a_graph_opened_from_a_page_is_fitted_beside_the_inspector(self, window):
        window.toggle_panel("gallery")
        QTest.qWait(20)
        window.new_default()
        QTest.qWait(20)
        seen = window.page.view.visible_rect()
        assert seen.contains(window.page.scene.store.bounds())
        assert window.inspector.isVisible()

    def test_nodes_are_shown_beside_the_canvas(self, window):
        window.toggle_panel("models")
        QTest.mouseClick(window.rail.buttons["nodes"], LEFT)
        assert window.page_switcher.in_front == ""
        assert window.nodes.isVisible()
        assert window.nodes.search.hasFocus()

    def test_the_picture_of_a_node_is_the_one_it_made(self, window, home):
        first, second = picture(home / "pictures/1.png"), picture(home / "pictures/2.png")
        document = window.documents.current
        window.results.add(document, "save", first)
        window.results.add(document, "other", second)
        window.page.picture_requested.emit("save")
        assert window.page_switcher.in_front == "gallery"
        until(lambda: window.results.shown == [first])


class TestLayout:
    def test_only_the_canvas_and_everything_again(self, window):
        window.toggle_panel("help")
        width = window.shell.right.width()
        press(window.page.view, Qt.Key.Key_F, SHIFT)
        for part in (window.rail, window.shell.panels, window.shell.right, window.bottom):
            assert not part.isVisible()
        press(window.page.view, Qt.Key.Key_F, SHIFT)
        for part in (window.rail, window.shell.panels, window.shell.right, window.bottom):
            assert part.isVisible()
        assert window.shell.panel == "help"
        assert window.shell.right.width() == width

    def test_only_a_page_and_everything_again(self, window):
        window.toggle_panel("gallery")
        window.shell.toggle_alone()
        window.shell.toggle_alone()
        assert not window.shell.right.isVisible()
        window.shell.toggle_alone()
        window.toggle_panel("gallery")
        assert not window.shell.right.isVisible()
        window.shell.toggle_alone()
        assert window.shell.right.isVisible()

    def test_a_panel_that_is_opened_ends_it(self, window):
        window.shell.toggle_alone()
        window.toggle_panel("help")
        assert window.rail.isVisible()
        assert window.shell.panel == "help"

    def test_widths_are_kept_for_the_next_start(self, home):
        with open_window() as window:
            sizes = window.shell.middle.sizes()
            window.shell.middle.setSizes([sizes[0], sizes[1] - 60, sizes[2] + 60])
            window.shell.right.setSizes([300, 500])
            width, upper = window.shell.right.width(), window.shell.right.sizes()
            assert width > 264
            window.toggle_panel("nodes")
            window.toggle_panel("gallery")
        with open_window() as window:
            window.toggle_panel("nodes")
            assert (window.shell.right.width(), window.shell.right.sizes()) == (width, upper)

    def test_everything_grows_with_the_scale_and_shrinks_again(self, window):
        def sizes():
            shell = window.shell
            return (
                *(window.rail.width(), window.top.height(), shell.panels.width()),
                *(shell.right.width(), window.bottom.height(), window.tabs.height()),
            )

        window.resize(1700, 1000)
        window.toggle_panel("settings")
        QTest.qWait(50)
        before = sizes()
        assert before[:3] == (48, 44, 320)
        window.settings.set("ui_scale", 1.5)
        QTest.qWait(50)
        for now, then in zip(sizes(), before, strict=True):
            assert now == pytest.approx(1.5 * then, abs=2)
        window.settings.set("ui_scale", 1.0)
        QTest.qWait(50)
        assert sizes() == before

    def test_the_keyboard_stays_where_the_scale_is_chosen(self, window):
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


class TestDocuments:
    def test_nothing_is_asked_at_the_end_and_all_is_kept(self, home):
        with open_window() as window:
            show_graph(window, text_to_picture(), "Unicorns")
            window.documents.current.do(SetParam("sampler", "steps", 7), "Change steps")
        with open_window() as window:
            until(lambda: "sampler" in window.documents.current.graph.nodes)
            assert window.documents.current.graph.nodes["sampler"].params["steps"] == 7
            assert window.windowTitle().startswith("Unicorns")

    def test_there_is_always_a_canvas(self, window):
        window.documents.close(window.documents.current)
        until(lambda: window.page is not None)
        assert len(window.documents) == 1
        assert len(window.canvases) == 1

    def test_where_results_go_is_where_they_are_looked_for(self, window, home):
        made = picture(home / "elsewhere/old.png")
        window.settings.set("output_folder", str(made.parent))
        until(lambda: [p.path for p in window.strip.listing.pictures] == [made])

    def test_f8_walks_through_what_is_wrong(self, window):
        show_graph(window, text_to_picture())
        states = window.documents.current.states
        for node in ("decode", "sampler"):
            states.update(node, faults=(Problem("Wrong", "Wrong here"),))
        seen = []
        for _ in range(3):
            press(window.page.view, Qt.Key.Key_F8)
            seen += window.page.scene.store.selected_nodes()
        assert seen[0] == seen[2]
        assert set(seen) == {"decode", "sampler"}

    def test_a_seed_that_belongs_nowhere_is_said(self, window, home):
        path = picture(home / "plain.png")
        window.results.actions.use_seed_requested.emit(2**63 + 1, path, None)
        assert said(window) == ["No seed was changed"]
        window.results.actions.apply_values_requested.emit(path, None)
        assert said(window)[-1] == "Nothing to take over"

    def test_the_only_seed_takes_a_large_one(self, window, home):
        show_graph(window, text_to_picture())
        path = picture(home / "plain.png")
        window.results.actions.use_seed_requested.emit(2**64 - 1, path, None)
        assert window.documents.current.graph.nodes["sampler"].params["seed"] == 2**64 - 1
        assert not said(window)

    def test_a_chosen_node_is_added_where_one_looks(self, window):
        window.nodes.search.setText("decode")
        press(window.nodes.search, Qt.Key.Key_Return)
        (node,) = window.documents.current.graph.nodes.values()
        assert node.type == "core.decode_latent"
        assert window.page.view.hasFocus()
        press(window.page.view, Qt.Key.Key_Z, CTRL)
        assert not window.documents.current.graph.nodes


class TestInspector:
    def test_it_tells_of_the_selected_node_and_fits_its_width(self, window):
        show_graph(window, text_to_picture())
        window.page.scene.store.select(["sampler"])
        assert window.inspector.node == "sampler"
        area = window.inspector.area
        QTest.qWait(20)
        assert area.widget().minimumSizeHint().width() <= area.viewport().width()

    def test_its_help_opens_the_panel_on_that_node(self, window):
        show_graph(window, text_to_picture())
        window.inspector.help_requested.emit("sampler")
        assert window.shell.panel == "help"
        assert window.rail.buttons["help"].isChecked()
        assert window.shell.panels.currentWidget().choice.currentData() == "core.sample"

    def test_bypass_is_a_step_that_can_be_undone(self, window):
        show_graph(window, text_to_picture())
        window.inspector.bypass_requested.emit("sampler")
        assert window.documents.current.graph.nodes["sampler"].mode == "bypassed"
        window.documents.current.undo()
        assert window.documents.current.graph.nodes["sampler"].mode == "normal"


def test_what_is_added_from_beside_the_canvas_covers_nothing(window):
    show_graph(window, text_to_picture(), "Ponies")
    page, document = window.page, window.documents.current
    before = set(document.graph.nodes)
    window.canvas_requests.add_node(window.documents.catalog["core.load_vae"])
    upscaler = resource("models", "upscale_models", "realesrgan-x4plus-anime.safetensors")
    window.canvas_requests.open_files([upscaler, upscaler])
    window.drop_handler.wait()
    until(lambda: len(document.graph.nodes) == len(before) + 3)
    cards = {id: item.rect for id, item in page.scene.store.node_items.items()}
    for id in cards.keys() - before:
        assert [other for other in cards if cards[other].intersects(cards[id])] == [id]
    (shown,) = page.scene.store.selected_nodes()
    until(lambda: page.view.visible_rect().contains(cards[shown]))


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


def test_what_was_bypassed_in_vain_is_turned_on_again_by_a_button(window):
    show_graph(window, text_to_picture(), "Ponies")
    page, document = window.page, window.documents.current
    document.do(SetMode("positive", "bypassed"), "Bypass")
    until(lambda: document.states["sampler"].faults)
    (fault,) = document.states["sampler"].faults
    item = page.scene.store.node_items["sampler"]
    assert fault.what.startswith("The link comes from Prompt, which is bypassed")
    assert remedies(item.node, item.spec, fault)[0].name == "turn_on"
    page.scene.remedy_requested.emit("sampler", fault, "turn_on")
    assert document.graph.nodes["positive"].mode == "normal"
    until(lambda: not document.states["sampler"].faults)


def test_that_a_graph_is_closed_is_not_said_of_one_that_is_open_again(window):
    show_graph(window, text_to_picture(), "Ponies")
    document = window.documents.current
    document.do(SetParam("sampler", "steps", 5), "Change steps")
    window.documents.close(document)
    assert said(window) == ["Ponies is closed"]
    window.documents.reopen()
    until(lambda: said(window) == [])
    assert window.documents.current.title == "Ponies"
