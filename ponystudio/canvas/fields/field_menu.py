"""A param's context menu."""

from __future__ import annotations

import json
from typing import Any

from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from ponystudio.canvas.fields.base import Field, Host
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.field_painting import label_of, text_of
from ponystudio.errors import GraphError
from ponystudio.graph.coercion import coerce
from ponystudio.graph.editing.edits import Disconnect, Edit, SetView
from ponystudio.qt.i18n import tr
from ponystudio.widgets import theme
from ponystudio.widgets.action import ActionSpec


def actions(ctx: FieldContext, field: Field, part: str, host: Host) -> list[ActionSpec]:
    """What can be done to a param as a whole, after what its field offers of its own."""
    name = label_of(ctx.spec)
    found = [] if ctx.connected else field.actions(ctx, part, host)
    if not ctx.connected:
        found += [
            ActionSpec(
                "param.reset",
                tr("Reset to {value}").format(value=_short(ctx.spec.default)),
                lambda: host.set_value(
                    ctx, ctx.spec.default, text=tr("Reset {name}").format(name=name)
                ),
                icon="again",
                enabled=lambda: bool(ctx.value != ctx.spec.default),
            ),
            ActionSpec("param.copy", tr("Copy value"), lambda: _copy(ctx.value), icon="copy"),
            ActionSpec(
                "param.paste",
                tr("Paste value"),
                lambda: _paste(ctx, host),
                enabled=lambda: _pasted(ctx) is not None,
            ),
        ]
    if ctx.spec.type != "rows":
        found.append(_socket_action(ctx))
    return found


def show(parent: QWidget, specs: list[ActionSpec], at: QPoint) -> QMenu:
    """Open a menu of these actions; it goes when it closes."""
    menu = QMenu(parent)
    menu.aboutToHide.connect(menu.deleteLater)
    fill(menu, specs)
    menu.popup(at)
    return menu


def fill(menu: QMenu, specs: list[ActionSpec]) -> None:
    """Add these actions to a menu, with a line between groups."""
    group = None
    for spec in specs:
        if group is not None and spec.group != group:
            menu.addSeparator()
        group = spec.group
        action = QAction(spec.title, menu)
        if spec.icon:
            action.setIcon(theme.icon(spec.icon))
        action.setEnabled(spec.enabled() if spec.enabled else True)
        if spec.checked:
            action.setCheckable(True)
            action.setChecked(spec.checked())
        action.triggered.connect(lambda _=False, spec=spec: spec.run())
        menu.addAction(action)


def _socket_action(ctx: FieldContext) -> ActionSpec:
    """From a value to a socket, and back."""
    shown = list(ctx.document.looks(ctx.node).get("sockets", ()))
    name, path = ctx.spec.name, ("nodes", ctx.node, "sockets")
    if ctx.connected or name in shown:
        edits: list[Edit] = [Disconnect(ctx.node, name)] if ctx.connected else []
        if name in shown:
            edits.append(SetView(path, [other for other in shown if other != name]))
        title = tr("Turn back into a value")
    else:
        edits, title = [SetView(path, [*shown, name])], tr("Turn into a socket")
    return ActionSpec(
        "param.socket",
        title,
        lambda: ctx.document.do_all(edits, title),
        group="socket",
        icon="link",
    )


def _short(value: Any) -> str:
    text = " ".join(text_of(value).split())
    if isinstance(value, list | tuple | dict) or not text:
        return tr("the default")
    return text if len(text) <= 24 else f"{text[:23]}…"


def _copy(value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    QGuiApplication.clipboard().setText(text)


def _pasted(ctx: FieldContext) -> Any:
    """The clipboard's text as a value of this param, or None."""
    text = QGuiApplication.clipboard().text()
    if not text:
        return None
    value: Any = text
    if ctx.spec.type not in ("text", "choice", "file"):
        try:
            value = json.loads(text)
        except ValueError:
            return None
    try:
        return coerce(ctx.spec, value)
    except GraphError:
        return None


def _paste(ctx: FieldContext, host: Host) -> None:
    value = _pasted(ctx)
    if value is not None:
        host.set_value(ctx, value)
