"""A param's menu: reset, copy, paste, to a socket and back; and what fields survive."""

from PySide6.QtGui import QGuiApplication

from ponystudio.graph.editing.edits import AddNode, Connect, SetParam
from ponystudio.graph.model import Node


def actions(studio, name, node="a"):
    return studio.actions(name, node)


def test_reset(studio):
    assert not actions(studio, "steps")["param.reset"].enabled()
    studio.document.do(SetParam("a", "steps", 3), "Set")
    found = actions(studio, "steps")["param.reset"]
    assert found.title == "Reset to 25"
    found.run()
    assert studio.value("steps") == 25


def test_copy_and_paste(studio):
    studio.document.do(SetParam("a", "seed", 2**64 - 1), "Set")
    actions(studio, "seed")["param.copy"].run()
    assert QGuiApplication.clipboard().text() == str(2**64 - 1)
    assert not actions(studio, "cfg")["param.paste"].enabled()
    QGuiApplication.clipboard().setText("42")
    actions(studio, "seed")["param.paste"].run()
    assert studio.value("seed") == 42
    QGuiApplication.clipboard().setText("a unicorn")
    assert not actions(studio, "seed")["param.paste"].enabled()
    actions(studio, "text", "p")["param.paste"].run()
    assert studio.value("text", "p") == "a unicorn"


def test_to_a_socket_and_back(studio):
    actions(studio, "steps")["param.socket"].run()
    assert "steps" in studio.document.looks("a")["sockets"]
    assert studio.scene.store.node_items["a"].layout.input("steps") is not None
    studio.document.do(AddNode(Node("b", "test.all"), {"pos": [0, 700]}), "Add")
    studio.document.do(Connect("b", "value", "a", "steps"), "Connect")
    found = actions(studio, "steps")
    assert set(found) == {"param.socket"}
    studio.view.grab()
    found["param.socket"].run()
    assert studio.document.graph.nodes["a"].inputs == {}
    assert "steps" not in studio.document.looks("a")["sockets"]
