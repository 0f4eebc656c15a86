"""From `<lora:…>` in a prompt to the nodes that apply them: by a button, by the menu, undone."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.running import until
from helpers.window import open_window
from ponystudio.graph.editing.edits import SetParam
from ponystudio.widgets.primitives import PaintedButton

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(home):
    folder = home / "mine" / "loras" / "style"
    folder.mkdir(parents=True)
    (folder / "mane.safetensors").write_bytes(b"")
    with open_window(model_folders=[str(home / "mine")]) as window:
        window.new_default()
        until(lambda: "positive" in window.documents.current.graph.nodes)
        yield window


def say(window, text):
    window.documents.current.do(SetParam("positive", "text", text), "Set")
    window.page.scene.store.select(["positive"])


def button(window):
    for found in window.inspector.findChildren(PaintedButton):
        if found.accessibleName() == "Make LoRA nodes" and found.isVisible():
            return found
    return None


def test_the_button_makes_one_step(window):
    document = window.documents.current
    before = document.graph
    say(window, "a pony, <lora:mane:0.8>, hat <lora:nowhere:1:0.5>")
    until(lambda: button(window) is not None)
    told = document.graph
    QTest.mouseClick(button(window), LEFT)
    until(lambda: document.graph is not told)
    added = document.graph.nodes.keys() - before.nodes.keys()
    (stack,) = (document.graph.nodes[id] for id in added)
    assert [row["file"] for row in stack.params["loras"]] == ["style/mane.safetensors", "nowhere"]
    assert document.graph.nodes["positive"].params["text"] == "a pony, hat"
    assert window.page.scene.store.selected_nodes() == [stack.id]
    source = window.page.scene.store.node_items["checkpoint"].rect
    card = window.page.scene.store.node_items[stack.id].rect
    readers = ("positive", "negative", "sampler")
    assert source.right() < card.left()
    assert all(card.right() < window.page.scene.store.node_items[id].rect.left() for id in readers)
    assert document.undo_text == "Make LoRA nodes"
    document.undo()
    assert document.graph.nodes == told.nodes


def test_the_menu_has_it_where_there_are_tags(window):
    document = window.documents.current
    say(window, "a pony")
    actions = {action.id: action for action in window.page.commands.actions()}
    assert not actions["prompt.loras"].enabled()
    assert button(window) is None
    say(window, "a pony <lora:mane:1>")
    assert actions["prompt.loras"].enabled()
    actions["prompt.loras"].run()
    until(lambda: "lora" in document.graph.nodes)
    assert document.graph.nodes["lora"].params["file"] == "style/mane.safetensors"


def test_without_a_text_encoder_it_says_so(window):
    window.page.scene.store.select(["checkpoint"])
    window.actions_.run("edit.delete")
    until(lambda: "checkpoint" not in window.documents.current.graph.nodes)
    say(window, "a pony <lora:mane:1>")
    until(lambda: button(window) is not None)
    QTest.mouseClick(button(window), LEFT)
    until(lambda: [toast.title for toast in window.toasts.shown] == ["No LoRA node was made"])
