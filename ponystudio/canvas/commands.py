"""The canvas's commands: everything that menus, keys and the command palette may ask of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, QPointF
from PySide6.QtGui import QKeyEvent, QKeySequence

from ponystudio.canvas.action import ActionSpec
from ponystudio.canvas.chooser import Chooser
from ponystudio.canvas.document import Document
from ponystudio.canvas.gestures.controller import GestureController
from ponystudio.canvas.hint import Hint
from ponystudio.canvas.inplace import InPlace
from ponystudio.canvas.items import FocusRef, WireKey
from ponystudio.canvas.keyboard import Keyboard
from ponystudio.canvas.menus import Menus
from ponystudio.canvas.metrics import snapped
from ponystudio.canvas.operations import Operations
from ponystudio.canvas.palette_entries import Entry
from ponystudio.canvas.selection import Selection
from ponystudio.canvas.state import Problem
from ponystudio.graph import wiring
from ponystudio.graph.arranging import Side
from ponystudio.graph.edits import REMOVED, SetView

if TYPE_CHECKING:
    from ponystudio.canvas.view import GraphView


class CanvasCommands(QObject):
    """All that edits a view's document: commands, gestures, keyboard, palette, menus.

    Making one gives the view its gestures. `actions` are for menus and shortcuts; while
    `handles_keys` is true their keys work on the canvas also where nobody made shortcuts of them
    (set it to False when keys can be rebound).
    """

    def __init__(self, view: GraphView, document: Document | None = None) -> None:
        super().__init__(view)
        self.view, self.scene = view, view.graph_scene
        self.document = document or self.scene.document
        self.handles_keys = True
        self.keys_of: Callable[[ActionSpec], tuple[str, ...]] = lambda spec: spec.keys
        """The keys of a command, where they can be bound anew."""
        self.ops = Operations(view)
        self.selection = Selection(self.ops)
        self.chooser = Chooser(self.ops)
        self.in_place = InPlace(self.ops)
        self.hint = Hint(view)
        self.keyboard = Keyboard(self)
        self.menus = Menus(self)
        self.gestures = GestureController(self)
        view.set_gestures(self.gestures)
        self.chooser.extras = [
            Entry(
                self.tr("Note"),
                self.tr("Text on the canvas, in Markdown."),
                self.tr("Utility"),
                self.add_note,
                "note",
                ("markdown", "comment", "sticky"),
            ),
            Entry(
                self.tr("Frame"),
                self.tr("A titled area around nodes that moves with them."),
                self.tr("Utility"),
                self.add_frame,
                "grid",
                ("group", "box"),
            ),
        ]
        self.scene.more_requested.connect(self._more)
        self.scene.remedy_requested.connect(self._remedy)
        self._actions = self._make_actions()
        self._by_id = {action.id: action for action in self._actions}

    def actions(self) -> list[ActionSpec]:
        return list(self._actions)

    def named(self, *ids: str) -> list[ActionSpec]:
        """Some of the actions, the view's included, by id."""
        known = {**{spec.id: spec for spec in self.view.canvas_actions()}, **self._by_id}
        return [known[id] for id in ids if id in known]

    def handle_key(self, event: QKeyEvent) -> bool:
        """Run the action that a key stands for, if keys are not handled by shortcuts."""
        if not self.handles_keys:
            return False
        pressed = QKeySequence(event.keyCombination())
        for spec in (*self._actions, *self.view.canvas_actions()):
            if any(QKeySequence(keys) == pressed for keys in self.keys_of(spec)):
                if event.isAutoRepeat() and not spec.repeats:
                    return True
                if spec.enabled is None or spec.enabled():
                    spec.run()
                    return True
        return False

    # What needs more than one part

    def add_at_pointer(self) -> None:
        """The palette under the pointer, or in the middle."""
        place = self.pointer()
        self.chooser.add(place if place is not None else self.view.visible_rect().center())

    def pointer(self) -> QPointF | None:
        """Where the pointer was last over the canvas, in scene px, if that is in sight."""
        at = cast("QPointF | None", self.view.property("pointer"))
        return at if at is not None and self.view.visible_rect().contains(at) else None

    def add_dot(self, wire: WireKey, index: int, at: QPointF) -> None:
        place = snapped(at.x()), snapped(at.y())
        edits = wiring.with_dot(self.ops.graph, wire, index, place)
        self.ops.do(edits, self.tr("Add a dot"))

    def add_note(self, at: QPointF | None = None) -> None:
        if (index := self.selection.note(at)) is not None:
            self.in_place.edit_note(index)

    def add_frame(self, at: QPointF | None = None) -> None:
        if (index := self.selection.frame(at)) is not None:
            self.in_place.retitle_frame(index)

    def hide_socket(self, node: str, param: str) -> None:
        edits = wiring.hide_socket(self.ops.graph, node, param)
        self.ops.do(edits, self.tr("Turn {0} back into a value").format(param))

    def show_socket(self, node: str, param: str) -> None:
        edits = wiring.show_socket(self.ops.graph, node, param)
        self.ops.do(edits, self.tr("Turn {0} into a socket").format(param))

    def toggle_picture(self, node: str) -> None:
        hidden = self.document.looks(node).get("preview") is False
        edit = SetView(("nodes", node, "preview"), REMOVED if hidden else False)
        text = self.tr("Show the picture of {0}") if hidden else self.tr("Hide the picture of {0}")
        self.ops.do([edit], text.format(self.ops.title(node)))

    def view_output(self, node: str) -> None:
        """Preview what a node gives, and run to there."""
        if preview := self.selection.view_output(node):
            self.scene.run_to_requested.emit(preview)

    def rename(self) -> None:
        if nodes := self.ops.targets():
            self.in_place.rename_node(nodes[0])
        elif frames := self.scene.selected_frames():
            self.in_place.retitle_frame(frames[0])
        elif notes := self.scene.selected_notes():
            self.in_place.edit_note(notes[0])

    def _remedy(self, node: str, problem: Problem, which: str) -> None:
        """What a failed node's message offers and the canvas can do itself."""
        if which == "bypass":
            self.ops.set_mode([node], "bypassed")
        elif which in ("focus", "choose"):
            self._open_param(node, problem.socket.split("[")[0].split(".")[0], which == "choose")

    def _open_param(self, node: str, param: str, file: bool) -> None:
        spec = self.document.spec(node)
        if spec is None:
            return
        if param not in spec.param_by_name and file:
            param = next((p.name for p in spec.params if p.type == "file"), "")
        if param in spec.param_by_name:
            self.keyboard.set(FocusRef("param", node, param))
            if self.view.params is not None:
                self.view.params.edit(node, param)

    def _more(self, node: str, at: QPointF) -> None:
        if not self.scene.node_items[node].selected:
            self.scene.select([node])
        where = self.view.viewport().mapToGlobal(self.view.from_scene(at).toPoint())
        self.menus.popup(self.menus.for_node(node), where)

    # As data

    def _make_actions(self) -> list[ActionSpec]:
        return [*self._adding(), *self._editing(), *self._node_states(), *self._arranging()]

    def _adding(self) -> list[ActionSpec]:
        group = self.tr("Add")
        return [
            ActionSpec(
                "edit.add",
                self.tr("Add a node…"),
                self.add_at_pointer,
                ("Tab", "Shift+A"),
                group,
                "add",
            ),
            ActionSpec(
                "edit.frame",
                self.tr("Frame the selection"),
                lambda: self.add_frame(self.pointer()),
                ("Ctrl+G",),
                group,
                "grid",
            ),
            ActionSpec(
                "edit.note",
                self.tr("Add a note"),
                lambda: self.add_note(self.pointer()),
                ("Shift+N",),
                group,
                "note",
            ),
            ActionSpec(
                "edit.find",
                self.tr("Find a node…"),
                self.chooser.find,
                ("Ctrl+F",),
                group,
                "search",
            ),
        ]

    def _editing(self) -> list[ActionSpec]:
        s, group = self.selection, self.tr("Edit")
        some, nodes = s.any, lambda: bool(self.ops.targets())
        stack = self.document.undo_stack
        undo, redo = self.document.undo, self.document.redo

        def spec(
            id: str,
            title: str,
            run: Callable[[], object],
            keys: tuple[str, ...],
            icon: str = "",
            enabled: Callable[[], bool] | None = some,
            repeats: bool = False,
        ) -> ActionSpec:
            return ActionSpec(f"edit.{id}", title, run, keys, group, icon, enabled, repeats=repeats)

        return [
            spec("undo", self.tr("Undo"), undo, ("Ctrl+Z",), "last", stack.canUndo, True),
            spec(
                "redo", self.tr("Redo"), redo, ("Ctrl+Y", "Ctrl+Shift+Z"), "again",
                stack.canRedo, True,
            ),
            spec("cut", self.tr("Cut"), s.cut, ("Ctrl+X",), "close"),
            spec("copy", self.tr("Copy"), s.copy, ("Ctrl+C",), "copy"),
            spec("paste", self.tr("Paste"), s.paste, ("Ctrl+V",), "docs", s.can_paste),
            spec(
                "paste_with_inputs",
                self.tr("Paste with incoming wires"),
                lambda: s.paste(incoming=True),
                ("Ctrl+Shift+V",),
                "docs",
                s.can_paste,
            ),
            spec("duplicate", self.tr("Duplicate"), s.duplicate, ("Shift+D",), "copy"),
            spec(
                "duplicate_with_inputs",
                self.tr("Duplicate with incoming wires"),
                lambda: s.duplicate(incoming=True),
                ("Ctrl+Shift+D",),
                "copy",
                nodes,
            ),
            spec("delete", self.tr("Delete"), s.delete, ("Del", "X"), "delete"),
            spec(
                "dissolve", self.tr("Delete and keep wires"), s.dissolve, ("Ctrl+Del",),
                "delete", nodes,
            ),
            spec("unlink", self.tr("Disconnect from the rest"), s.unlink, (), "link", nodes),
            spec(
                "select_all", self.tr("Select all"), self.scene.select_all, ("Ctrl+A",),
                "nodes", None,
            ),
            spec("rename", self.tr("Rename"), self.rename, ("F2",), "text"),
            spec(
                "swap", self.tr("Swap for another node…"), self._swap, ("Shift+S",), "swap", nodes
            ),
            spec("menu", self.tr("Open the context menu"), self.keyboard.open_menu, (), "more"),
        ]  # fmt: skip

    def _swap(self) -> None:
        self.chooser.swap(self.ops.targets()[0])

    def _node_states(self) -> list[ActionSpec]:
        ops, group = self.ops, self.tr("Node")

        def spec(
            id: str, title: str, run: Callable[[list[str]], object], keys: tuple[str, ...],
            icon: str, on: Callable[[str], bool],
        ) -> ActionSpec:  # fmt: skip
            return ActionSpec(
                f"edit.{id}",
                title,
                lambda: run(ops.targets()),
                keys,
                group,
                icon,
                lambda: bool(ops.targets()),
                lambda: bool(ops.targets()) and all(map(on, ops.targets())),
            )

        def has(flag: str) -> Callable[[str], bool]:
            return lambda id: bool(ops.document.looks(id).get(flag))

        def flag(name: str, on: str, off: str) -> Callable[[list[str]], object]:
            return lambda ids: ops.set_flag(ids, name, on, off)

        def mode(name: str) -> Callable[[str], bool]:
            return lambda id: ops.graph.nodes[id].mode == name

        fold = flag("collapsed", self.tr("Collapse {0}"), self.tr("Expand {0}"))
        pin = flag("pinned", self.tr("Pin {0}"), self.tr("Unpin {0}"))
        return [
            spec(
                "mute", self.tr("Mute"), lambda ids: ops.set_mode(ids, "muted"),
                ("M", "Ctrl+M"), "mute", mode("muted"),
            ),
            spec(
                "bypass", self.tr("Bypass"), lambda ids: ops.set_mode(ids, "bypassed"),
                ("D", "Ctrl+B"), "bypass", mode("bypassed"),
            ),
            spec(
                "collapse", self.tr("Collapse"), fold, ("Alt+C", "H"), "down", has("collapsed")
            ),
            spec("pin", self.tr("Pin in place"), pin, ("P",), "lock", has("pinned")),
            ActionSpec(
                "edit.view_output",
                self.tr("View its output"),
                lambda: self.view_output(ops.targets()[0]),
                ("Shift+V",),
                group,
                "image",
                lambda: bool(ops.targets()),
            ),
        ]  # fmt: skip

    def _arranging(self) -> list[ActionSpec]:
        s, group = self.selection, self.tr("Arrange")

        def several() -> bool:
            return len(self.scene.selected_nodes()) > 1

        sides: list[tuple[Side, str, tuple[str, ...]]] = [
            ("left", self.tr("Align left edges"), ("Ctrl+Alt+Left",)),
            ("right", self.tr("Align right edges"), ("Ctrl+Alt+Right",)),
            ("top", self.tr("Align tops"), ("Ctrl+Alt+Up",)),
            ("bottom", self.tr("Align bottoms"), ("Ctrl+Alt+Down",)),
            ("middle", self.tr("Align on one height"), ()),
            ("centre", self.tr("Align one above the other"), ()),
        ]
        return [
            *(
                ActionSpec(
                    f"arrange.{side}",
                    title,
                    lambda side=side: s.align(side),  # type: ignore[misc]
                    keys,
                    group,
                    "grid",
                    several,
                )
                for side, title, keys in sides
            ),
            ActionSpec(
                "arrange.across", self.tr("Distribute across"), lambda: s.distribute("x"),
                (), group, "grid", several,
            ),
            ActionSpec(
                "arrange.down", self.tr("Distribute down"), lambda: s.distribute("y"),
                (), group, "grid", several,
            ),
            ActionSpec("edit.tidy", self.tr("Tidy up"), s.tidy, ("Shift+T",), group, "graph"),
        ]  # fmt: skip
