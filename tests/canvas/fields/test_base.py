"""What every field can do."""

import pytest

from ponystudio.canvas.fields import field_painting
from ponystudio.graph.editing.edits import SetParam


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


def test_every_field_is_read_aloud(studio):
    for node in ("a", "p"):
        for spec in studio.document.spec(node).params:
            field = studio.scene.sync.field(spec)
            said = field.accessible_text(studio.host.context(node, spec))
            assert said.startswith(field_painting.label_of(spec))
