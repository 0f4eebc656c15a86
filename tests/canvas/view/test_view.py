"""What a view says and can be asked to do."""

from __future__ import annotations

from ponystudio.canvas.view.view import GraphView


def test_it_is_spoken_what_the_keyboard_is_on(view: GraphView) -> None:
    from ponystudio.canvas.scene.items import FocusRef

    view.graph_scene.set_focus(FocusRef("output", "source", "latent"))
    assert view.accessibleDescription() == "Output latent of Source, Latent, one wire"


def test_actions_have_their_own_ids(view: GraphView) -> None:
    actions = view.canvas_actions()
    assert len({item.id for item in actions}) == len(actions)
    assert {"F", ".", "Home"} <= {key for item in actions for key in item.keys}
