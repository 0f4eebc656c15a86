"""How fields look."""

from ponystudio.canvas.fields import field_painting
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.widgets import theme


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


def test_the_light_theme_paints_too(studio):
    dark = studio.view.grab().toImage()
    theme.use("light")
    try:
        assert studio.view.grab().toImage() != dark
    finally:
        theme.use("dark")
