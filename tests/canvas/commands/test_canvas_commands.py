"""Commands by key, menus, notes and frames, the clipboard across documents."""

from PySide6.QtCore import Qt

Key = Qt.Key


def test_keys_can_be_others(canvas, hands):
    canvas.commands.keys_of = lambda spec: ("K",) if spec.id == "edit.mute" else spec.keys
    canvas.scene.store.select(["save"])
    hands.key(Key.Key_M)
    assert canvas.nodes["save"].mode == "normal"
    hands.key(Key.Key_K)
    assert canvas.nodes["save"].mode == "muted"
    assert canvas.commands.named("edit.mute")[0].keys == ("K",)
