"""What nodes do, from their own words; and where to begin."""

from __future__ import annotations

import html

from PySide6.QtWidgets import QVBoxLayout, QWidget

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.qt.plain_text import cut
from ponystudio.studio.documents.documents import Documents
from ponystudio.widgets import theme
from ponystudio.widgets.common import ChoiceBox, label
from ponystudio.widgets.primitives import px
from ponystudio.widgets.rich_text import SealedBrowser


class HelpPanel(QWidget):
    def __init__(self, documents: Documents, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._documents = documents
        self.setAccessibleName(self.tr("Help"))
        title = label(self.tr("Help"), "title")
        self.choice = ChoiceBox()
        self.choice.setEditable(True)
        self.choice.setInsertPolicy(ChoiceBox.InsertPolicy.NoInsert)
        self.choice.setAccessibleName(self.tr("Node"))
        self.text = SealedBrowser()
        box = QVBoxLayout(self)
        box.setContentsMargins(px(12), px(12), px(12), px(12))
        box.setSpacing(px(8))
        for widget in (title, self.choice):
            box.addWidget(widget)
        box.addWidget(self.text, 1)
        self._fill()
        self.choice.activated.connect(lambda _: self._show())
        theme.hub.changed.connect(self._show)
        self._show()

    def show_node(self, type: str) -> None:
        """Tell of a kind of node."""
        self._fill()
        index = self.choice.findData(type)
        if index >= 0:
            self.choice.setCurrentIndex(index)
        self._show()

    def _fill(self) -> None:
        chosen = self.choice.currentData()
        self.choice.clear()
        self.choice.addItem(self.tr("First steps"), "")
        for spec in sorted(self._documents.catalog.values(), key=lambda spec: spec.title):
            self.choice.addItem(spec.title, spec.id)
        self.choice.setCurrentIndex(max(0, self.choice.findData(chosen)))

    def _show(self) -> None:
        spec = self._documents.catalog.get(self.choice.currentData() or "")
        look = theme.current()
        style = (
            f"body{{color:{look.color('text').name()}}}"
            f"h3{{color:{look.color('text').name()}}}"
            f"p,li,td{{color:{look.color('text2').name()}}}"
            f"code{{color:{look.color('accent').name()}}}"
        )
        body = node_help(spec) if spec else self._first_steps()
        self.text.show_page(body, style)

    def _first_steps(self) -> str:
        steps = (
            (self.tr("Add a node"), self.tr("Tab, or a double click on the canvas.")),
            (self.tr("Connect"), self.tr("Drag from a socket; those that fit light up.")),
            (self.tr("Ask what fits"), self.tr("Drop the wire on empty canvas.")),
            (self.tr("Run"), self.tr("Ctrl+Enter. What has not changed is not made again.")),
            (self.tr("Find any command"), self.tr("Ctrl+Shift+P, then a few letters of it.")),
            (
                self.tr("Get a graph back"),
                self.tr("Drop a picture that was saved here: it carries its graph."),
            ),
        )
        rows = "".join(f"<p><b>{html.escape(a)}</b><br>{html.escape(b)}</p>" for a, b in steps)
        return f"<h3>{html.escape(self.tr('First steps'))}</h3>{rows}"


def node_help(spec: NodeSpec) -> str:
    """A node's own words as HTML: what it does, its sockets, its params."""
    parts = [f"<h3>{_escaped(spec.title)}</h3><p><code>{_escaped(spec.id)}</code></p>"]
    parts += [f"<p>{_escaped(text)}</p>" for text in spec.help.split("\n\n") if text.strip()]
    if spec.aliases:
        parts.append(f"<p>In other tools: {_escaped(', '.join(spec.aliases))}.</p>")
    for title, entries in (
        ("Takes", [(item.title or item.name, _socket(item)) for item in spec.inputs]),
        ("Settings", [(item.title or item.name, _param(item)) for item in spec.params]),
        ("Gives", [(item.title or item.name, item.type) for item in spec.outputs]),
    ):
        if entries:
            rows = "".join(
                f"<p><b>{_escaped(name)}</b><br>{_escaped(text)}</p>" for name, text in entries
            )
            parts.append(f"<h4>{title}</h4>{rows}")
    return "".join(parts)


def _escaped(text: str) -> str:
    """Words of a node pack, which are no markup and may have no end."""
    return html.escape(cut(text))


def _socket(item: object) -> str:
    type, help = getattr(item, "type", ""), getattr(item, "help", "")
    optional = ", may be left empty" if getattr(item, "optional", False) else ""
    return f"{help} ({type}{optional})" if help else f"{type}{optional}"


def _param(item: ParamSpec) -> str:
    span = f", {item.low:g} to {item.high:g}" if item.low is not None and item.high else ""
    kind = "one of " + ", ".join(item.choices) if item.choices else item.type
    return f"{item.help} ({kind}{span})" if item.help else f"{kind}{span}"
