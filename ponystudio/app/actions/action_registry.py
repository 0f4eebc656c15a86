"""Every command of the studio by its id: for menus, keys and the command palette, rebindable.

Those of the window are shortcuts of the window, but for plain letters, which work only while what
stands in the middle has the keyboard: a letter that is typed elsewhere must not open something.
Those of a canvas work while a canvas has the keyboard (so that M mutes there and types elsewhere)
and are asked for anew each time, since the canvas in front changes.

Presets are keys as hands know them from other tools: each names only what differs from ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from ponystudio.studio.settings import Settings
from ponystudio.widgets import theme
from ponystudio.widgets.action import ActionSpec, is_typed

Source = Callable[[], Iterable[ActionSpec]]


class ActionRegistry(QObject):
    """`changed` fires when keys were bound anew; `typed` carries the title of a command that a
    plain letter has done."""

    changed = Signal()
    typed = Signal(str)

    def __init__(self, window: QWidget, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings
        self._middle: QWidget | None = None
        self._sources: list[Source] = []
        self._bound: dict[str, QAction] = {}
        self._letters: dict[str, QAction] = {}
        settings.on("keys", self._keys_changed)
        settings.on("key_preset", self._keys_changed)

    def set_middle(self, widget: QWidget) -> None:
        """Where plain letters are commands; before the first `add`."""
        self._middle = widget

    def add(self, specs: Iterable[ActionSpec]) -> None:
        """Commands of the window: their keys work wherever the keyboard is, plain letters where
        the middle of the window has it."""
        listed = list(specs)
        self._sources.append(lambda: listed)
        for spec in listed:
            action = self._bound[spec.id] = self._action(spec, self._window)
            action.triggered.connect(lambda _=False, id=spec.id: self.run(id))
            letter = self._letters[spec.id] = self._action(spec, self._middle or self._window)
            letter.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            letter.triggered.connect(lambda _=False, id=spec.id: self._run_typed(id))
        self._bind()

    def _action(self, spec: ActionSpec, owner: QWidget) -> QAction:
        action = QAction(spec.title, owner)
        action.setAutoRepeat(spec.repeats)
        owner.addAction(action)
        return action

    def _run_typed(self, id: str) -> None:
        if self.run(id) and (spec := self.spec(id)) is not None:
            self.typed.emit(spec.title)

    def add_source(self, source: Source) -> None:
        """Commands that change with what is in front; they handle their keys themselves, with
        `keys_of`."""
        self._sources.append(source)

    def specs(self) -> list[ActionSpec]:
        """All there are now, with the keys that they have now."""
        return [
            replace(spec, keys=self.keys_of(spec)) for source in self._sources for spec in source()
        ]

    def spec(self, id: str) -> ActionSpec | None:
        return next((spec for spec in self.specs() if spec.id == id), None)

    def run(self, id: str) -> bool:
        """Do it, if it can be done now."""
        spec = self.spec(id)
        if spec is None or (spec.enabled is not None and not spec.enabled()):
            return False
        spec.run()
        return True

    # Keys

    def shown_keys(self, id: str) -> str:
        """The first keys of an action as the platform writes them; "" if it has none."""
        spec = self.spec(id)
        return shown_keys(spec) if spec else ""

    def keys_of(self, spec: ActionSpec) -> tuple[str, ...]:
        """Its keys: the user's, else the preset's, else its own."""
        own: Mapping[str, list[str]] = self._settings.get("keys")
        if spec.id in own:
            return tuple(own[spec.id])
        preset = PRESETS.get(self._settings.get("key_preset"), {})
        return preset.get(spec.id, spec.keys)

    def rebind(self, id: str, keys: Iterable[str]) -> None:
        self._settings.set("keys", {**self._settings.get("keys"), id: list(keys)})

    def reset_keys(self, id: str = "") -> None:
        """Back to the preset's: of one command, or of all."""
        own = self._settings.get("keys")
        kept = {name: keys for name, keys in own.items() if id and name != id}
        self._settings.set("keys", kept)

    def conflicts(self, id: str, keys: str) -> list[ActionSpec]:
        """Which other commands have these keys."""
        wanted = QKeySequence(keys)
        return [
            spec
            for spec in self.specs()
            if spec.id != id and any(QKeySequence(other) == wanted for other in spec.keys)
        ]

    def _keys_changed(self, _value: object) -> None:
        self._bind()
        self.changed.emit()

    def _bind(self) -> None:
        for source in self._sources:
            for spec in source():
                if spec.id not in self._bound:
                    continue
                keys = [QKeySequence(keys) for keys in self.keys_of(spec)]
                letters = [sequence for sequence in keys if is_typed(sequence)]
                others = [sequence for sequence in keys if not is_typed(sequence)]
                for action, wanted in (
                    (self._bound[spec.id], others),
                    (self._letters[spec.id], letters),
                ):
                    if action.shortcuts() != wanted:
                        action.setShortcuts(wanted)

    # Menus

    def fill(self, menu: QMenu, ids: Iterable[str]) -> QMenu:
        """Put commands into a menu; "" is a line between, an unknown one is left out."""
        known = {spec.id: spec for spec in self.specs()}
        for id in ids:
            if not id:
                menu.addSeparator()
            elif spec := known.get(id):
                self._add_to(menu, spec)
        return menu

    def _add_to(self, menu: QMenu, spec: ActionSpec) -> None:
        keys = shown_keys(spec)
        action = menu.addAction(f"{spec.title}\t{keys}" if keys else spec.title)
        if spec.icon:
            action.setIcon(theme.icon(spec.icon))
        if spec.checked is not None:
            action.setCheckable(True)
            action.setChecked(spec.checked())
        action.setEnabled(spec.enabled is None or spec.enabled())
        action.triggered.connect(lambda _=False: self.run(spec.id))


def shown_keys(spec: ActionSpec) -> str:
    """Its first keys as the platform writes them."""
    if not spec.keys:
        return ""
    return QKeySequence(spec.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)


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
