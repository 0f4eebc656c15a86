"""A param's menu: reset, copy, paste, to a socket and back; and what fields survive."""

import pytest
from PySide6.QtGui import QGuiApplication

from ponystudio.canvas.fields import field_painting
from ponystudio.graph.editing.edits import AddNode, Connect, SetParam
from ponystudio.graph.model import Node
from ponystudio.studio.documents.node_state import Problem
from ponystudio.widgets import theme


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


@pytest.mark.parametrize("odd", [None, "text", 1.5, True, [1], {"a": 1}, 2**63, -1])
def test_odd_values_are_shown_and_can_be_edited(studio, odd):
    for name in ("seed", "steps", "cfg", "free", "sampler", "tiled", "prefix", "file", "stack"):
        studio.document.do(SetParam("a", name, odd), "Set")
    for name in ("text", "note", "dialect"):
        studio.document.do(SetParam("p", name, odd), "Set")
    studio.view.grab()
    studio.drag(studio.at("steps"), 50)
    assert isinstance(studio.value("steps"), int)
    for node, name in (("a", "seed"), ("a", "cfg"), ("a", "prefix"), ("p", "text")):
        assert studio.host.edit(node, name)
        studio.view.editors.close(commit=False)


def test_trouble_and_help_are_told(studio):
    problem = Problem("999 is out of range.", "Use 1 to 60.", socket="steps")
    studio.document.states.update("a", faults=(problem,))
    pos = studio.view.to_scene(studio.at("steps"))
    said = studio.view.field_input.tooltip(pos)
    assert said.startswith("999 is out of range. Use 1 to 60.")
    assert "usually 25" in said
    studio.view.grab()


def test_labels():
    from ponystudio.api.spec import ParamSpec

    def label(**names):
        return field_painting.label_of(ParamSpec(type="int", default=0, **names))

    assert label(name="clip_skip") == "clip skip"
    assert label(name="cfg", title="Guidance") == "guidance"
    assert label(name="ddim", title="DDIM end") == "DDIM end"


def test_every_field_is_read_aloud(studio):
    for node in ("a", "p"):
        for spec in studio.document.spec(node).params:
            field = studio.scene.sync.field(spec)
            said = field.accessible_text(studio.host.context(node, spec))
            assert said.startswith(field_painting.label_of(spec))


def test_the_light_theme_paints_too(studio):
    dark = studio.view.grab().toImage()
    theme.use("light")
    try:
        assert studio.view.grab().toImage() != dark
    finally:
        theme.use("dark")
