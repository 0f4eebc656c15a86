"""The canvas's commands: everything that menus, keys and the command palette may ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, QPointF
from PySide6.QtGui import QKeyEvent, QKeySequence

from ponystudio.canvas.commands import command_table
from ponystudio.canvas.commands.context_menus import ContextMenus
from ponystudio.canvas.commands.edit_commands import EditCommands
from ponystudio.canvas.commands.keyboard_commands import KeyboardCommands
from ponystudio.canvas.gestures.controller import GestureController
from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.view.event_handler import EventHandler
from ponystudio.canvas.view.view import GraphView
from ponystudio.canvas.view.zoom_bar import StatusHint
from ponystudio.widgets.action import ActionSpec, is_typed


class CanvasCommands(QObject, EventHandler):
    """All that edits a view's document, put together: commands, gestures, keyboard, menus.

    Making one gives the view its gestures. The keys of `actions`, and of the view's own, work while
    the canvas has the keyboard; `keys_of` tells them where they can be bound anew.
    """

    def __init__(
        self,
        view: GraphView,
        keys_of: Callable[[ActionSpec], tuple[str, ...]] = lambda spec: spec.keys,
    ) -> None:
        super().__init__(view)
        self.view, self.keys_of = view, keys_of
        self.ops = GraphOperations(view.graph_scene, self)
        self.edit = EditCommands(view, self.ops)
        self.hint = StatusHint(view.viewport())
        self.gestures = GestureController(view, self.ops, lambda: self.edit.chooser.is_open)
        self.keyboard = KeyboardCommands(view, self.ops)
        self.menus = ContextMenus(view, self.edit, self.named)
        view.set_handlers(self.gestures, self.keyboard, self)
        self._connect()
        self._actions = command_table.actions(self.edit, view.field_host, self.keyboard.open_menu)
        self._by_id = {action.id: action for action in self._actions}

    def _connect(self) -> None:
        self.view.panning.space_tapped.connect(self.edit.add_at_pointer)
        self.view.graph_scene.more_requested.connect(self._more)
        self.gestures.add_requested.connect(self.edit.chooser.add)
        self.gestures.text_requested.connect(self.edit.in_place.edit)
        self.gestures.output_requested.connect(self.edit.view_output)
        self.gestures.menu_requested.connect(self.menus.open)
        self.gestures.hint_changed.connect(self.hint.show_text)
        self.edit.pasted.connect(self.gestures.dropped)
        self.keyboard.hint_changed.connect(self.hint.show_text)
        self.keyboard.menu_requested.connect(self.menus.open)
        self.keyboard.nudge_requested.connect(self.edit.selection.nudge)

    def actions(self) -> list[ActionSpec]:
        return list(self._actions)

    def named(self, *ids: str) -> list[ActionSpec]:
        """Some of the actions, the view's included, by id."""
        known = {**{spec.id: spec for spec in self.view.canvas_actions()}, **self._by_id}
        return [replace(known[id], keys=self.keys_of(known[id])) for id in ids if id in known]

    def key_press(self, event: QKeyEvent) -> bool:
        """Run the action that a key stands for."""
        pressed = QKeySequence(event.keyCombination())
        for spec in (*self._actions, *self.view.canvas_actions()):
            if any(QKeySequence(keys) == pressed for keys in self.keys_of(spec)):
                if event.isAutoRepeat() and not spec.repeats:
                    return True
                if spec.enabled is None or spec.enabled():
                    self._run(spec, said=is_typed(pressed))
                    return True
        return False

    def _run(self, spec: ActionSpec, said: bool) -> None:
        """`said`: tell what it did, for a letter is pressed sooner than one thinks."""
        document = self.ops.document
        before = document.undo_index
        spec.run()
        if said:
            changed = document.undo_index != before
            self.hint.say(document.undo_text if changed else spec.title)

    def _more(self, node: str, at: QPointF) -> None:
        store = self.view.graph_scene.store
        if not store.node_items[node].selected:
            store.select([node])
        where = self.view.viewport().mapToGlobal(self.view.from_scene(at).toPoint())
        self.menus.popup(self.menus.for_node(node), where)
