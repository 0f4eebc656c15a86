"""What the selected node is, does and costs; without one, what is wrong with the graph."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from ponystudio.api.spec import NodeSpec
from ponystudio.app.inspector.graph_page import graph_page, problems_of
from ponystudio.app.inspector.page_parts import label, new_page, problem_card, section, state_card
from ponystudio.app.inspector.token_view import TokenView
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.field_painting import label_of, text_of
from ponystudio.canvas.fields.prompt import prompt_in
from ponystudio.canvas.scene.card_status import seconds
from ponystudio.graph.editing import lora_tags
from ponystudio.graph.model import Node
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.node_state import NodeState
from ponystudio.studio.models.field_services import FieldServices
from ponystudio.studio.models.token_counter import PromptState
from ponystudio.studio.runs.run_texts import title
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import PaintedButton, px

LONGEST = 60
SOON = 80


class Inspector(QFrame):
    """Tells of a node or of the graph; `problem_key` gives the keys that walk through problems.

    `run_requested`, `bypass_requested`, `help_requested`, `loras_requested` (its `<lora:…>` are to
    be nodes) and `node_requested` (it is to be shown) carry a node's id, `words_chosen` a node, and
    from where to where in its prompt.
    """

    run_requested = Signal(str)
    bypass_requested = Signal(str)
    node_requested = Signal(str)
    help_requested = Signal(str)
    loras_requested = Signal(str)
    words_chosen = Signal(str, int, int)

    def __init__(
        self,
        runner: Runner,
        services: FieldServices,
        problem_key: Callable[[], str] = str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner, self._counts, self._problem_key = runner, services.counts, problem_key
        self._document: Document | None = None
        self.node = ""
        self.tokens = TokenView(self)
        self.tokens.hide()
        self.tokens.chosen.connect(lambda *span: self.words_chosen.emit(self.node, *span))
        self.setProperty("surface", "panel")
        self.setAccessibleName(self.tr("Inspector"))
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.area)
        self._soon = QTimer(self, singleShot=True, interval=SOON)
        self._soon.timeout.connect(self.refresh)
        self._counts.changed.connect(self._later)
        theme.hub.changed.connect(self.refresh)

    def show_document(self, document: Document | None) -> None:
        before, self._document = self._document, document
        if before is document:
            return
        if before is not None:
            before.states.changed.disconnect(self._state_changed)
            before.changed.disconnect(self._graph_changed)
        if document is not None:
            document.states.changed.connect(self._state_changed)
            document.changed.connect(self._graph_changed)
        self.show_node("")

    def show_node(self, node: str) -> None:
        """Tell of a node of the document; "" tells of all of it."""
        self.node = node
        self.refresh()

    def show_tokens(self) -> None:
        """Bring them into sight."""
        self.refresh()
        if self.tokens.isVisibleTo(self) and (page := self.area.widget()):
            page.adjustSize()
            self.area.ensureWidgetVisible(self.tokens, 0, self.area.height())

    def refresh(self) -> None:
        document = self._document
        self.tokens.setParent(self)  # or it would go with what it stood in
        self.tokens.hide()
        if document is None:
            content: QWidget = QWidget()
        elif self.node in document.graph.nodes:
            content = self._of_node(document, self.node)
        else:
            content = graph_page(
                document, self._runner, self._problem_key(), self.node_requested.emit
            )
        bar = self.area.verticalScrollBar()
        place = bar.value()
        if before := self.area.takeWidget():
            before.deleteLater()  # later: it may be one of its buttons that led here
        self.area.setWidget(content)
        bar.setValue(place)

    def _state_changed(self, node: str) -> None:
        if node in ("", self.node) or not self.node:
            self._later()

    def _graph_changed(self, change: object) -> None:
        if getattr(change, "nodes", None) or self.node:
            self._later()

    def _later(self) -> None:
        """A run tells more often than anybody reads."""
        if not self._soon.isActive():
            self._soon.start()

    # Of a node

    def _of_node(self, document: Document, id: str) -> QWidget:
        node, spec, state = document.graph.nodes[id], document.spec(id), document.states[id]
        page, box = new_page()
        head = QHBoxLayout()
        head.addWidget(label(node.title or (spec.title if spec else node.type), "title"), 1)
        help = PaintedButton("icon", icon="help", name=self.tr("Help on this node"))
        help.setToolTip(self.tr("Help on this node"))
        help.clicked.connect(lambda: self.help_requested.emit(id))
        head.addWidget(help, 0, Qt.AlignmentFlag.AlignTop)
        box.addLayout(head)
        box.addWidget(label(f"{node.type} v{node.version}", "mono_caption", "text3"))
        if spec and spec.help:
            box.addWidget(label(spec.help.split("\n\n")[0], "body", "text2"))
        problems = problems_of(state)
        for problem in problems:
            box.addWidget(problem_card(problem))
        if not problems or state.phase in ("running", "waiting"):
            box.addWidget(state_card(node, spec, state))
        prompt = _prompt(document, node, spec)
        count = self._counts.get(prompt, "inspector") if prompt else None
        for note in dict.fromkeys((*state.notes, *(count.notes if count else ()))):
            box.addWidget(label(note, "body", "text2"))
        if prompt and lora_tags.tags(prompt.text):
            make = PaintedButton("plain", self.tr("Make LoRA nodes"), "models")
            make.clicked.connect(lambda: self.loras_requested.emit(id))
            box.addWidget(make, 0, Qt.AlignmentFlag.AlignLeft)
        section(box, self.tr("Parameters"), _params(document, node, spec))
        if prompt:
            self.tokens.show_prompt(self._counts, prompt)
            box.addSpacing(px(4))
            box.addWidget(self.tokens)
            self.tokens.show()
        section(box, self.tr("Cost"), self._cost(document, id, state))
        section(box, self.tr("Output"), list(state.outputs))
        box.addLayout(self._buttons(id, node))
        box.addStretch(1)
        return page

    def _cost(self, document: Document, id: str, state: NodeState) -> list[tuple[str, str]]:
        rows = []
        (known,) = self._runner.costs(document, [id])
        if known.runs:
            if known.per_step:
                rows.append((self.tr("per step"), seconds(known.per_step)))
            one = known.runs == 1
            runs = self.tr("in 1 run") if one else self.tr("over {n} runs").format(n=known.runs)
            rows.append((self.tr("usually"), f"{seconds(known.seconds)} {runs}"))
        if state.seconds is not None:
            rows.append((self.tr("last time"), seconds(state.seconds)))
        return rows

    def _buttons(self, id: str, node: Node) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(px(8))
        off = node.mode == "bypassed"
        wanted: tuple[tuple[str, str, Callable[[], object]], ...] = (
            (self.tr("Run to here"), "run", lambda: self.run_requested.emit(id)),
            (
                self.tr("Use again") if off else self.tr("Bypass"),
                "bypass",
                lambda: self.bypass_requested.emit(id),
            ),
        )
        for text, icon, run in wanted:
            button = PaintedButton("plain", text, icon)
            button.clicked.connect(lambda _=False, run=run: run())
            row.addWidget(button)
        row.addStretch(1)
        return row


def _params(document: Document, node: Node, spec: NodeSpec | None) -> list[tuple[str, str]]:
    if spec is None:
        return [(name, _short(text_of(value))) for name, value in node.params.items()]
    rows = []
    for param in spec.params:
        name = label_of(param)
        if param.name in node.inputs:
            source = node.inputs[param.name].source
            rows.append((name, f"← {title(document.graph, document.catalog, source)}"))
        elif param.type != "rows" and not param.prompt:  # that one is shown by its tokens
            value = text_of(node.params.get(param.name, param.default))
            rows.append((name, _short(value) or tr("none")))
    return rows


def _prompt(document: Document, node: Node, spec: NodeSpec | None) -> PromptState | None:
    """The first prompt of its own that a node has."""
    own = (p for p in spec.params if p.prompt and p.name not in node.inputs) if spec else ()
    param = next(iter(own), None)
    return prompt_in(FieldContext.of(document, node.id, param)) if param else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
