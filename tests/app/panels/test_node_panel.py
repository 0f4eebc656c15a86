"""The nodes there are: searched, folded, added."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.studio import CATALOG
from ponystudio.app.panels.node_panel import NodePanel


@pytest.fixture
def nodes(qtbot):
    panel = NodePanel()
    qtbot.addWidget(panel)
    panel.set_catalog(CATALOG)
    panel.resize(208, 800)
    panel.show()
    panel.added = []
    panel.chosen.connect(panel.added.append)
    return panel


def rows(nodes):
    model = nodes.model
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_they_stand_in_their_groups(nodes):
    assert rows(nodes)[:3] == ["Models", "Text", "Latent"]
    assert f"Search {len(CATALOG)} nodes" == nodes.search.placeholderText()


def test_what_is_folded_stays_folded(nodes):
    nodes.tree.setExpanded(nodes.model.index(0, 0), False)
    QTest.keyClicks(nodes.search, "sample")
    nodes.search.clear_now()
    assert not nodes.tree.isExpanded(nodes.model.index(0, 0))
    assert nodes.tree.isExpanded(nodes.model.index(1, 0))


def test_letters_find_and_enter_adds(nodes):
    QTest.keyClicks(nodes.search, "sample")
    assert rows(nodes)[0] == "Sample"
    QTest.keyClick(nodes.search, Qt.Key.Key_Return)
    assert [spec.id for spec in nodes.added] == ["core.sample"]


def test_arrows_go_into_the_list_and_enter_adds_there(nodes):
    QTest.keyClicks(nodes.search, "image")
    QTest.keyClick(nodes.search, Qt.Key.Key_Down)
    QTest.keyClick(nodes.tree, Qt.Key.Key_Down)
    chosen = nodes.tree.currentIndex().data()
    QTest.keyClick(nodes.tree, Qt.Key.Key_Return)
    assert [spec.title for spec in nodes.added] == [chosen]


def test_what_is_called_nothing_is_said(nodes):
    QTest.keyClicks(nodes.search, "xyzzy")
    assert nodes.nothing_found.isVisible()
    QTest.keyClick(nodes.search, Qt.Key.Key_Return)
    assert not nodes.added
