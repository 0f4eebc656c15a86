"""The canvas's commands as data: ids, titles, keys and what they call."""

from __future__ import annotations

from collections.abc import Callable

from ponystudio.canvas.commands.edit_commands import EditCommands
from ponystudio.canvas.fields import prompt_help
from ponystudio.canvas.view.field_host import FieldHost
from ponystudio.graph.editing.auto_layout import Side
from ponystudio.qt.i18n import tr
from ponystudio.widgets.action import ActionSpec


def actions(c: EditCommands, host: FieldHost, open_menu: Callable[[], object]) -> list[ActionSpec]:
    prompting = prompt_help.actions(host.prompt, host)
    return [*adding(c), *editing(c, open_menu), *node_states(c), *prompting, *arranging(c)]


def adding(c: EditCommands) -> list[ActionSpec]:
    group = tr("Add")
    return [
        ActionSpec(
            "edit.add",
            tr("Add a node…"),
            c.add_at_pointer,
            ("Tab", "Shift+A"),
            group,
            "add",
        ),
        ActionSpec(
            "edit.frame",
            tr("Frame the selection"),
            c.add_frame,
            ("Ctrl+G",),
            group,
            "grid",
        ),
        ActionSpec(
            "edit.note",
            tr("Add a note"),
            c.add_note,
            ("Shift+N",),
            group,
            "note",
        ),
        ActionSpec(
            "edit.find",
            tr("Find a node…"),
            c.chooser.find,
            ("Ctrl+F",),
            group,
            "search",
        ),
    ]


def editing(c: EditCommands, open_menu: Callable[[], object]) -> list[ActionSpec]:
    s, group = c.selection, tr("Edit")
    some, nodes = s.any, lambda: bool(c.ops.targets())
    document = c.ops.document

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
        spec(
            "undo", tr("Undo"), document.undo, ("Ctrl+Z",), "last",
            lambda: document.can_undo, True,
        ),
        spec(
            "redo", tr("Redo"), document.redo, ("Ctrl+Y", "Ctrl+Shift+Z"), "again",
            lambda: document.can_redo, True,
        ),
        spec("cut", tr("Cut"), s.cut, ("Ctrl+X",), "close"),
        spec("copy", tr("Copy"), s.copy, ("Ctrl+C",), "copy"),
        spec("paste", tr("Paste"), c.paste, ("Ctrl+V",), "docs", c.can_paste),
        spec(
            "paste_with_inputs",
            tr("Paste with incoming wires"),
            lambda: s.paste(incoming=True),
            ("Ctrl+Shift+V",),
            "docs",
            s.can_paste,
        ),
        spec("duplicate", tr("Duplicate"), s.duplicate, ("Shift+D",), "copy"),
        spec(
            "duplicate_with_inputs",
            tr("Duplicate with incoming wires"),
            lambda: s.duplicate(incoming=True),
            ("Ctrl+Shift+D",),
            "copy",
            nodes,
        ),
        spec("delete", tr("Delete"), s.delete, ("Del", "X"), "delete"),
        spec(
            "dissolve", tr("Delete and keep wires"), s.dissolve, ("Ctrl+Del",),
            "delete", nodes,
        ),
        spec("unlink", tr("Disconnect from the rest"), s.unlink, (), "link", nodes),
        spec(
            "select_all", tr("Select all"), c.store.select_all, ("Ctrl+A",),
            "nodes", None,
        ),
        spec("rename", tr("Rename"), c.rename, ("F2",), "text"),
        spec(
            "swap", tr("Swap for another node…"), c.swap, ("Shift+S",), "swap", nodes
        ),
        spec("menu", tr("Open the context menu"), open_menu, (), "more"),
    ]  # fmt: skip


def node_states(c: EditCommands) -> list[ActionSpec]:
    ops, group = c.ops, tr("Node")

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

    fold = flag("collapsed", tr("Collapse {0}"), tr("Expand {0}"))
    pin = flag("pinned", tr("Pin {0}"), tr("Unpin {0}"))
    return [
        spec(
            "mute", tr("Mute"), lambda ids: ops.set_mode(ids, "muted"),
            ("M", "Ctrl+M"), "mute", mode("muted"),
        ),
        spec(
            "bypass", tr("Bypass"), lambda ids: ops.set_mode(ids, "bypassed"),
            ("D", "Ctrl+B"), "bypass", mode("bypassed"),
        ),
        spec(
            "collapse", tr("Collapse"), fold, ("Alt+C", "H"), "down", has("collapsed")
        ),
        spec("pin", tr("Pin in place"), pin, ("P",), "lock", has("pinned")),
        ActionSpec(
            "edit.view_output",
            tr("View its output"),
            lambda: c.view_output(ops.targets()[0]),
            ("Shift+V", "1"),
            group,
            "image",
            lambda: bool(ops.targets()),
        ),
    ]  # fmt: skip


def arranging(c: EditCommands) -> list[ActionSpec]:
    s, group = c.selection, tr("Arrange")

    def several() -> bool:
        return len(c.store.selected_nodes()) > 1

    sides: list[tuple[Side, str, tuple[str, ...]]] = [
        ("left", tr("Align left edges"), ("Ctrl+Alt+Left",)),
        ("right", tr("Align right edges"), ("Ctrl+Alt+Right",)),
        ("top", tr("Align tops"), ("Ctrl+Alt+Up",)),
        ("bottom", tr("Align bottoms"), ("Ctrl+Alt+Down",)),
        ("middle", tr("Align on one height"), ()),
        ("centre", tr("Align one above the other"), ()),
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
            "arrange.across", tr("Distribute across"), lambda: s.distribute("x"),
            (), group, "grid", several,
        ),
        ActionSpec(
            "arrange.down", tr("Distribute down"), lambda: s.distribute("y"),
            (), group, "grid", several,
        ),
        ActionSpec("edit.tidy", tr("Tidy up"), s.tidy, ("Shift+T",), group, "graph"),
    ]  # fmt: skip
