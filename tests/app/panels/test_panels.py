"""The panels around the canvas: nodes, inspector, templates, log, help, about, rail."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QScrollArea

from helpers.running import until
from helpers.studio import CATALOG, text_to_picture
from helpers.window import open_window, press, show_graph
from ponystudio.app.inspector.page_parts import Value
from ponystudio.app.panels.help_panel import node_help
from ponystudio.app.panels.log_panel import LogPanel
from ponystudio.app.panels.node_panel import NodePanel
from ponystudio.app.window import panel_registry
from ponystudio.graph.editing.edits import AddNode, Connect, SetParam
from ponystudio.graph.model import Node
from ponystudio.studio.documents.node_state import Problem
from ponystudio.studio.runs.duration_estimates import works

LEFT = Qt.MouseButton.LeftButton


def texts(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


class TestPanels:
    @pytest.mark.parametrize("name", panel_registry.NAMES)
    @pytest.mark.parametrize("scale", [1.0, 1.5])
    def test_each_opens_fits_its_width_and_closes(self, home, name, scale):
        with open_window(ui_scale=scale) as window:
            window.resize(1800, 1000)
            if name == "nodes":
                window.toggle_panel("help")
            window.toggle_panel(name)
            QTest.qWait(20)
            panel = window.shell.panels.currentWidget()
            assert window.shell.panel == name
            assert panel.accessibleName()
            assert panel.minimumSizeHint().width() <= panel.width()
            for area in panel.findChildren(QScrollArea):
                assert area.widget().minimumSizeHint().width() <= area.viewport().width()
            for label in panel.findChildren(QLabel):
                if label.isVisible() and label.wordWrap():
                    assert label.height() >= label.heightForWidth(label.width()), label.text()
            window.toggle_panel(name)
            assert window.shell.panel == ""
            assert not panel.isVisible()

    def test_the_rail_opens_and_shows_what_is_open(self, window):
        QTest.mouseClick(window.rail.buttons["help"], LEFT)
        checked = {name for name, button in window.rail.buttons.items() if button.isChecked()}
        assert checked == {"help"}
        QTest.mouseClick(window.rail.buttons["help"], LEFT)
        assert not any(button.isChecked() for button in window.rail.buttons.values())

    def test_every_icon_says_what_it_is(self, window):
        for name, button in window.rail.buttons.items():
            assert button.accessibleName(), name
            assert button.toolTip(), name

    def test_keys_open_them(self, window):
        press(window.page.view, Qt.Key.Key_F1)
        assert window.shell.panel == "help"
        press(window.page.view, Qt.Key.Key_Q)
        assert window.shell.panel == "queue"


class TestNodes:
    @pytest.fixture
    def nodes(self, qtbot):
        panel = NodePanel()
        qtbot.addWidget(panel)
        panel.set_catalog(CATALOG)
        panel.resize(208, 800)
        panel.show()
        panel.added = []
        panel.chosen.connect(panel.added.append)
        return panel

    def rows(self, nodes):
        model = nodes.model
        return [model.index(row, 0).data() for row in range(model.rowCount())]

    def test_they_stand_in_their_groups(self, nodes):
        assert self.rows(nodes)[:3] == ["Models", "Text", "Latent"]
        assert f"Search {len(CATALOG)} nodes" == nodes.search.placeholderText()

    def test_what_is_folded_stays_folded(self, nodes):
        nodes.tree.setExpanded(nodes.model.index(0, 0), False)
        QTest.keyClicks(nodes.search, "sample")
        nodes.search.clear_now()
        assert not nodes.tree.isExpanded(nodes.model.index(0, 0))
        assert nodes.tree.isExpanded(nodes.model.index(1, 0))

    def test_letters_find_and_enter_adds(self, nodes):
        QTest.keyClicks(nodes.search, "sample")
        assert self.rows(nodes)[0] == "Sample"
        QTest.keyClick(nodes.search, Qt.Key.Key_Return)
        assert [spec.id for spec in nodes.added] == ["core.sample"]

    def test_arrows_go_into_the_list_and_enter_adds_there(self, nodes):
        QTest.keyClicks(nodes.search, "image")
        QTest.keyClick(nodes.search, Qt.Key.Key_Down)
        QTest.keyClick(nodes.tree, Qt.Key.Key_Down)
        chosen = nodes.tree.currentIndex().data()
        QTest.keyClick(nodes.tree, Qt.Key.Key_Return)
        assert [spec.title for spec in nodes.added] == [chosen]

    def test_what_is_called_nothing_is_said(self, nodes):
        QTest.keyClicks(nodes.search, "xyzzy")
        assert nodes._none.isVisible()
        QTest.keyClick(nodes.search, Qt.Key.Key_Return)
        assert not nodes.added


class TestInspector:
    @pytest.fixture
    def document(self, window):
        """The graph in front, whose states nobody writes but the test."""
        show_graph(window, text_to_picture())
        window.runner.planner.unwatch(window.documents.current)
        return window.documents.current

    def test_without_a_node_it_tells_what_is_wrong(self, window, document):
        states = document.states
        states.update("decode", faults=(Problem("The VAE is missing", "Wire one"),))
        until(lambda: "The VAE is missing" in texts(window.inspector))
        assert "Wire one" in texts(window.inspector)
        show = next(b for b in window.inspector.findChildren(QPushButton) if b.text() == "Show it")
        QTest.mouseClick(show, LEFT)
        assert window.page.scene.selected_nodes() == ["decode"]

    def test_the_first_problem_names_the_key_that_leads_there(self, window, document):
        states = document.states
        for id in ("checkpoint", "decode"):
            states.update(id, faults=(Problem(f"{id} is wrong"),))
        until(lambda: "decode is wrong" in texts(window.inspector))
        assert texts(window.inspector).split("\n").count("F8") == 1
        window.actions_.rebind("view.problems", ["Ctrl+Alt+P"])
        states.update("decode", faults=(Problem("Still wrong"),))
        window.inspector.refresh()
        assert "Ctrl+Alt+P" in texts(window.inspector).split("\n")
        cards = [
            f for f in window.inspector.findChildren(QFrame) if f.property("surface") == "problem"
        ]
        assert len(cards) == 2

    def test_of_a_node_its_problem_stands_once(self, window, document):
        document.states.update("decode", faults=(Problem("The VAE is missing", "Wire one"),))
        window.page.scene.select(["decode"])
        until(lambda: "The VAE is missing" in texts(window.inspector))
        said = texts(window.inspector)
        assert said.count("The VAE is missing") == 1
        assert "Show it" not in said

    def test_what_a_run_would_do_and_how_long_it_takes(self, window, document):
        runner = window.runner
        for id in document.graph.nodes:
            document.states.update(id, tier="memory")
        for id, seconds in (("sampler", 40.0), ("decode", 2.0), ("save", 0.0)):
            kind = document.graph.nodes[id].type
            work = works(document.graph, document.catalog)[id]
            runner.estimates.learn(runner.link.device, kind, work, seconds)
            document.states.update(id, tier="", reason="Seed changed")
        until(lambda: "3 nodes, in about 42\u00a0s" in texts(window.inspector))
        assert f"{len(document.graph.nodes) - 3} nodes" in texts(window.inspector).split("\n")
        document.do(AddNode(Node("loose", "core.load_vae")), "Add a node that nothing needs")
        document.states.update("loose", reason="Not run yet")
        window.inspector.refresh()
        assert "3 nodes, in about 42\u00a0s" in texts(window.inspector)

    def test_after_a_failure_it_says_what_still_works(self, window, document):
        states = document.states
        states.update("checkpoint", phase="done", tier="memory")
        states.update("sampler", phase="failed", problem=Problem("Too large"))
        states.update("decode", phase="not_run")
        until(lambda: "What still works" in texts(window.inspector))
        said = texts(window.inspector).split("\n")
        assert said[said.index("finished") + 1] == "Load checkpoint"
        assert said[said.index("kept") + 1] == "results of 1 node"
        assert said[said.index("not run") + 1] == "1 node"

    def test_it_follows_the_values_of_its_node(self, window):
        show_graph(window, text_to_picture())
        window.page.scene.select(["sampler"])
        window.documents.current.do(SetParam("sampler", "steps", 33), "Change steps")
        until(lambda: "33" in texts(window.inspector).split("\n"))
        window.documents.current.do(Connect("latent", "latent", "sampler", "steps"), "Connect")
        until(lambda: "← Empty latent" in texts(window.inspector).split("\n"))

    def test_long_names_of_files_break_and_are_copied_whole(self, window):
        name = "a_very_long_name_of_a_model-000010.safetensors"
        show_graph(window, text_to_picture())
        window.page.scene.select(["checkpoint"])
        window.documents.current.do(SetParam("checkpoint", "file", name), "Change file")
        until(lambda: "very_" in texts(window.inspector))
        value = next(v for v in window.inspector.findChildren(Value) if "very_" in v.text())
        assert value.minimumSizeHint().width() < 180
        value.setSelection(0, len(value.text()))
        QTest.keyClick(value, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        assert QGuiApplication.clipboard().text() == name

    def test_a_node_that_goes_leaves_no_trace(self, window):
        show_graph(window, text_to_picture())
        window.page.scene.select(["sampler"])
        press(window.page.view, Qt.Key.Key_Delete)
        until(lambda: "Select a node to see what it does." in texts(window.inspector))


class TestTemplates:
    def test_one_click_begins_with_one(self, window):
        window.toggle_panel("templates")
        panel = window.shell.panels.currentWidget()
        row = next(b for b in panel.findChildren(QPushButton) if b.text() == "Text to picture")
        QTest.mouseClick(row, LEFT)
        assert "core.sample" in {n.type for n in window.documents.current.graph.nodes.values()}

    def test_what_was_closed_unsaved_is_there_to_open_again(self, window):
        show_graph(window, text_to_picture(), "Unicorns")
        window.documents.current.do(SetParam("sampler", "steps", 7), "Change steps")
        window.toggle_panel("templates")
        window.documents.close(window.documents.current)
        panel = window.shell.panels.currentWidget()
        until(lambda: "Not saved" in texts(panel), 5)
        row = next(b for b in panel.findChildren(QPushButton) if b.text() == "Unicorns")
        QTest.mouseClick(row, LEFT)
        until(lambda: getattr(window.documents.current, "title", "") == "Unicorns", 10)
        assert "sampler" in window.documents.current.graph.nodes


class TestLog:
    def test_it_shows_what_comes_while_it_is_open(self, qtbot, tmp_path):
        file = tmp_path / "engine.log"
        panel = LogPanel(file)
        qtbot.addWidget(panel)
        panel.show()
        assert panel.text.toPlainText() == ""
        file.write_bytes(b"one\n\xff\n")
        until(lambda: "one" in panel.text.toPlainText(), 5)
        with file.open("ab") as more:
            more.write(b"two\n")
        until(lambda: panel.text.toPlainText().endswith("two\n"), 5)
        file.write_bytes(b"anew\n")
        until(lambda: panel.text.toPlainText() == "anew\n", 5)
        QTest.mouseClick(panel.copy, LEFT)
        assert QGuiApplication.clipboard().text() == "anew\n"
        panel.hide()
        assert not panel._timer.isActive()

    def test_of_a_long_one_it_reads_the_end(self, qtbot, tmp_path):
        file = tmp_path / "engine.log"
        file.write_bytes(b"x" * 60 + b"\n" + (b"line\n" * 200_000) + b"end\n")
        panel = LogPanel(file)
        qtbot.addWidget(panel)
        panel.show()
        assert panel.text.toPlainText().endswith("end\n")
        assert panel.text.document().blockCount() <= 5000


class TestHelp:
    @pytest.mark.parametrize("spec", CATALOG.values(), ids=lambda spec: spec.id)
    def test_every_node_explains_itself(self, spec):
        said = node_help(spec)
        assert spec.title in said
        assert spec.help.split("\n")[0][:20].replace("'", "&#x27;") in said
        for item in (*spec.inputs, *spec.params, *spec.outputs):
            assert (item.title or item.name) in said

    def test_words_are_no_markup(self):
        from ponystudio.api.spec import NodeSpec

        assert "<b>&" not in node_help(NodeSpec("a.b", 1, "A <i>", "X", help="1 < 2 & 3"))
        assert "1 &lt; 2 &amp; 3" in node_help(NodeSpec("a.b", 1, "A <i>", "X", help="1 < 2 & 3"))


def test_about_names_versions_and_licences(window):
    window.toggle_panel("about")
    panel = window.shell.panels.currentWidget()
    said = texts(panel)
    for words in ("torch", "PySide6-Essentials", "LGPL-3.0-only", "Apache-2.0", "MIT"):
        assert words in said
    QTest.mouseClick(panel.copy, LEFT)
    assert QGuiApplication.clipboard().text().startswith("PonyStudio ")
