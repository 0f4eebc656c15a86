"""What a view can be asked to do."""

from __future__ import annotations

from ponystudio.canvas.view.view import GraphView


def test_actions_have_their_own_ids(view: GraphView) -> None:
    actions = view.canvas_actions()
    assert len({item.id for item in actions}) == len(actions)
    assert {"F", ".", "Home"} <= {key for item in actions for key in item.keys}
