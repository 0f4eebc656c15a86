from __future__ import annotations

from ponystudio.canvas.scene.items import FocusRef
from ponystudio.canvas.scene.scene import GraphScene


def test_focus_is_told(scene: GraphScene, qtbot) -> None:
    with qtbot.waitSignal(scene.focus_changed):
        scene.set_focus(FocusRef("node", "sample"))
