"""Keys as hands know them from other tools, where they differ from ours.

Each names only what differs: commands by id, the keys that they have there.
"""

from __future__ import annotations

from collections.abc import Mapping

Keys = Mapping[str, tuple[str, ...]]

PRESETS: Mapping[str, Keys] = {
    "ponystudio": {},
    "comfyui": {
        "edit.mute": ("Ctrl+M",),
        "edit.bypass": ("Ctrl+B",),
        "edit.collapse": ("Alt+C",),
        "edit.pin": ("P",),
        "edit.duplicate": ("Ctrl+D",),
        "edit.add": ("Tab",),
        "edit.delete": ("Del",),
        "canvas.fit": (".",),
        "panel.models": ("M",),
        "panel.focus": ("F",),
    },
    "blender": {
        "edit.add": ("Shift+A", "Tab"),
        "edit.mute": ("M",),
        "edit.collapse": ("H",),
        "edit.delete": ("X", "Del"),
        "edit.dissolve": ("Ctrl+X",),
        "edit.cut": (),
        "edit.frame": ("F", "Ctrl+J"),
        "canvas.fit": ("Home",),
        "canvas.fit_selection": (".",),
        "edit.redo": ("Ctrl+Shift+Z",),
    },
    "nuke": {
        "edit.add": ("Tab",),
        "edit.bypass": ("D",),
        "edit.duplicate": ("Alt+C",),
        "edit.collapse": (),
        "edit.frame": ("Shift+B",),
        "edit.dissolve": ("Ctrl+Shift+X",),
        "edit.tidy": ("L",),
        "canvas.fit": ("F",),
        "run.run": ("F5", "Ctrl+Return"),
    },
}
