"""Context menus: what can be done with what is under the pointer, as data, and shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from PySide6.QtCore import QObject, QPoint, QPointF
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from ponystudio.canvas.commands.edit_commands import EditCommands
from ponystudio.canvas.gestures.connect import dot_index
from ponystudio.canvas.scene.items import Hit, SocketRef
from ponystudio.graph.editing import auto_layout, wiring
from ponystudio.graph.editing.edits import REMOVED, SetView
from ponystudio.widgets import theme
from ponystudio.widgets.action import ActionSpec

Section = Sequence[ActionSpec]


class ContextMenus(QObject):
    """Opens menus; what stands in them is asked for by part (`for_node`, `for_wire`, ...), each a
    list of sections."""

    def __init__(
        self, view: QWidget, commands: EditCommands, named: Callable[..., list[ActionSpec]]
    ) -> None:
        """`named` gives some of all actions by their ids."""
        super().__init__(view)
        self.view, self.commands, self.named = view, commands, named
        self.ops, self.store = commands.ops, commands.store
        self.shown: QMenu | None = None

    def open(self, hit: Hit, at: QPointF, where: QPoint) -> None:
        """A menu about what was hit, at a place of the screen; it acts on the selection where that
        holds what was hit."""
        if hit.node and not hit.socket:
            if not self.store.node_items[hit.node].selected:
                self.store.select([hit.node])
            sections = self.for_node(hit.node)
        elif hit.socket:
            sections = self.for_socket(hit.socket, at)
        elif hit.wire:
            self.store.select(wires=[hit.wire])
            sections = self.for_wire(hit, at)
        elif hit.part == "note":
            self.store.select(notes=[hit.index])
            sections = self.for_note(hit.index)
        elif hit.part in ("frame_title", "frame_edge"):
            self.store.select(frames=[hit.index])
            sections = self.for_frame(hit.index)
        else:
            sections = self.for_empty(at)
        self.popup(sections, where)

    def popup(self, sections: Iterable[Section], where: QPoint) -> QMenu:
        if self.shown:
            self.shown.deleteLater()
        self.shown = menu = build(sections, self.view)
        menu.popup(where)
        return menu

    def for_node(self, node: str) -> list[Section]:
        pick, run_to = self.named, self.ops.scene.run_to_requested
        swap = self._one(
            "swap_node", self.tr("Swap for…"), lambda: self.commands.chooser.swap(node), "swap"
        )
        keep = self._one(
            "keep_picture",
            self.tr("Show its picture"),
            lambda: self.ops.toggle_picture(node),
            "image",
            checked=lambda: self.ops.document.looks(node).get("preview") is not False,
        )
        return [
            [
                self._one("run_to", self.tr("Run to here"), lambda: run_to.emit(node), "run"),
                *pick("edit.view_output"),
            ],
            pick("edit.rename", "edit.mute", "edit.bypass", "edit.collapse", "edit.pin"),
            [swap, keep, *self._hue_of_kind(node)],
            pick("edit.copy", "edit.cut", "edit.duplicate", "edit.frame"),
            pick("edit.unlink", "edit.dissolve", "edit.delete"),
        ]

    def _hue_of_kind(self, node: str) -> list[ActionSpec]:
        """For a card that has a colour of its own, as imported ones may."""
        if not self.ops.document.looks(node).get("hue"):
            return []
        text, back = self.tr("Colour of its kind"), SetView(("nodes", node, "hue"), REMOVED)
        return [self._one("hue_of_kind", text, lambda: self.ops.do([back], text), "swap")]

    def for_socket(self, socket: SocketRef, at: QPointF) -> list[Section]:
        ops = self.ops
        if socket.is_output:
            wires = wiring.wires_from(ops.graph, socket.node, socket.name)
        else:
            linked = socket.name in ops.graph.nodes[socket.node].inputs
            wires = [(socket.node, socket.name)] if linked else []
        first = [
            self._one(
                "add_here",
                self.tr("Add a node here…"),
                lambda: self.commands.chooser.connect_from(at, [socket]),
                "add",
            ),
            self._one(
                "unwire",
                self.tr("Disconnect"),
                lambda: ops.unwire(wires),
                "link",
                enabled=bool(wires),
            ),
        ]
        spec = ops.document.spec(socket.node)
        if not socket.is_output and spec and socket.name in spec.param_by_name:
            back = self._one(
                "socket_back",
                self.tr("Turn back into a value"),
                lambda: ops.hide_socket(socket.node, socket.name),
                "swap",
            )
            return [first, [back]]
        return [first]

    def for_wire(self, hit: Hit, at: QPointF) -> list[Section]:
        key = hit.wire
        assert key is not None
        dots = wiring.dots(self.ops.graph, key)
        actions = [
            self._one(
                "insert",
                self.tr("Put a node into the wire…"),
                lambda: self.commands.chooser.add(at, key),
                "add",
            ),
            self._one(
                "add_dot",
                self.tr("Add a dot"),
                lambda: self.ops.add_dot(key, dot_index(self.store, key, at), at),
                "link",
            ),
        ]
        if hit.part == "dot":
            text = self.tr("Remove this dot")
            remove = self._one(
                "remove_dot", text, lambda: self.ops.remove_dot(key, hit.dot, text), "close"
            )
            actions.append(remove)
        clear = wiring.set_dots(self.ops.graph, key, ())
        text_all = self.tr("Remove its dots")
        actions.append(
            self._one(
                "remove_dots",
                text_all,
                lambda: self.ops.do(clear, text_all),
                "close",
                enabled=bool(dots),
            )
        )
        cut = self._one("unwire", self.tr("Disconnect"), lambda: self.ops.unwire([key]), "delete")
        return [actions, [cut]]

    def for_note(self, index: int) -> list[Section]:
        write = self._one(
            "edit_note",
            self.tr("Write"),
            lambda: self.commands.in_place.edit_note(index),
            "text",
        )
        return [[write], self.named("edit.copy", "edit.duplicate", "edit.delete")]

    def for_frame(self, index: int) -> list[Section]:
        selection = self.commands.selection
        first = [
            self._one(
                "retitle",
                self.tr("Retitle"),
                lambda: self.commands.in_place.retitle_frame(index),
                "text",
            ),
            self._one(
                "frame_contents",
                self.tr("Select its nodes"),
                lambda: self.store.select(self.store.frame_contents(index)),
                "nodes",
            ),
            self._one("fit_frame", self.tr("Fit to its nodes"), lambda: self._fit(index), "fit"),
        ]
        colours = [
            self._one(
                f"hue_{key}",
                theme.current().group(key).title,
                partial(selection.recolour, [index], key),
                theme.current().group(key).icon,
                checked=partial(self._has_hue, index, key),
            )
            for key in theme.group_keys()
        ]
        return [first, colours, self.named("edit.copy", "edit.delete")]

    def for_empty(self, at: QPointF) -> list[Section]:
        chooser, selection = self.commands.chooser, self.commands.selection
        add = [
            self._one(
                "add_here", self.tr("Add a node…"), lambda: chooser.add(at), "add", keys=("Tab",)
            ),
            self._one(
                "note_here", self.tr("Add a note"), lambda: self.commands.add_note(at), "note"
            ),
            self._one(
                "frame_here", self.tr("Add a frame"), lambda: self.commands.add_frame(at), "grid"
            ),
            self._one(
                "paste_here",
                self.tr("Paste here"),
                lambda: self.commands.paste(at),
                "copy",
                enabled=selection.can_paste(),
            ),
        ]
        more = self.named("edit.select_all", "edit.find", "edit.tidy")
        return [add, more, self.named("canvas.fit")]

    def _has_hue(self, frame: int, hue: str) -> bool:
        return self.store.frame_items[frame].hue == hue

    def _fit(self, index: int) -> None:
        boxes = self.ops.boxes(self.store.frame_contents(index))
        if not boxes:
            return
        pos, size = auto_layout.frame_around(boxes.values())
        edits = [SetView(("frames", index, "pos"), pos), SetView(("frames", index, "size"), size)]
        self.ops.do(edits, self.tr("Resize frame"))

    def _one(
        self,
        id: str,
        title: str,
        run: Callable[[], object],
        icon: str = "",
        *,
        keys: tuple[str, ...] = (),
        enabled: bool = True,
        checked: Callable[[], bool] | None = None,
    ) -> ActionSpec:
        return ActionSpec(
            f"here.{id}",
            title,
            run,
            keys,
            icon=icon,
            enabled=lambda: enabled,
            checked=checked,
        )


def build(sections: Iterable[Section], parent: QWidget) -> QMenu:
    """A menu of actions with lines between its sections; keep a reference while it is open."""
    menu = QMenu(parent)
    for section in sections:
        if section and menu.actions():
            menu.addSeparator()
        for spec in section:
            menu.addAction(_action(spec, menu))
    return menu


def _action(spec: ActionSpec, menu: QMenu) -> QAction:
    action = QAction(spec.title, menu)
    on = bool(spec.checked and spec.checked())
    # A check takes the icon's place: beside one styles show it badly or not at all.
    if spec.icon:
        action.setIcon(theme.icon("check", "accent") if on else theme.icon(spec.icon))
    if spec.keys:
        # Shown only: as shortcuts of their own they would be ambiguous with the app's.
        shown = QKeySequence(spec.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)
        action.setText(f"{spec.title}\t{shown}")
    if spec.checked:
        action.setCheckable(True)
        action.setChecked(on)
    action.setEnabled(spec.enabled is None or spec.enabled())
    action.triggered.connect(lambda: spec.run())
    return action
