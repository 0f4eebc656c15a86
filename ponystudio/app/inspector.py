"""What the selected node is, does and costs; without one, what is wrong with the graph."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ponystudio.api.spec import NodeSpec
from ponystudio.app.painted import PaintedButton, px
from ponystudio.app.runner import Runner
from ponystudio.app.studio_document import StudioDocument
from ponystudio.app.token_view import TokenView
from ponystudio.canvas import theme
from ponystudio.canvas.params.brought import loras_behind
from ponystudio.canvas.params.counting import Prompt
from ponystudio.canvas.params.painting import label_of, text_of
from ponystudio.canvas.params.services import ParamServices
from ponystudio.canvas.state import NodeState, Problem
from ponystudio.canvas.status import seconds, status
from ponystudio.diffusion.prompt import DIALECTS
from ponystudio.graph.model import Node

LONGEST = 60
SOON = 80
SELECTABLE = Qt.TextInteractionFlag.TextSelectableByMouse


class Inspector(QFrame):
    """`show_node` fills it. `run_to`, `bypass`, `go_to` and `help_wanted` carry a node's id;
    `words_chosen` a node, and from where to where in its prompt."""

    run_to = Signal(str)
    bypass = Signal(str)
    go_to = Signal(str)
    help_wanted = Signal(str)
    words_chosen = Signal(str, int, int)

    def __init__(
        self, runner: Runner, services: ParamServices, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._runner, self._counts = runner, services.counts
        self._document: StudioDocument | None = None
        self._node = ""
        self.tokens = TokenView(self)
        self.tokens.hide()
        self.tokens.chosen.connect(lambda *span: self.words_chosen.emit(self._node, *span))
        self.setProperty("surface", "panel")
        self.setAccessibleName(self.tr("Inspector"))
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._area)
        self._soon = QTimer(self, singleShot=True, interval=SOON)
        self._soon.timeout.connect(self.refresh)
        self._counts.changed.connect(self._later)
        theme.hub.changed.connect(self.refresh)

    def show_document(self, document: StudioDocument | None) -> None:
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
        self._node = node
        self.refresh()

    def show_tokens(self) -> None:
        """Bring them into sight."""
        self.refresh()
        if self.tokens.isVisibleTo(self) and (page := self._area.widget()):
            page.adjustSize()
            self._area.ensureWidgetVisible(self.tokens, 0, self._area.height())

    def refresh(self) -> None:
        document = self._document
        self.tokens.setParent(self)  # or it would go with what it stood in
        self.tokens.hide()
        if document is None:
            content: QWidget = QWidget()
        elif self._node in document.graph.nodes:
            content = self._of_node(document, self._node)
        else:
            content = self._of_document(document)
        bar = self._area.verticalScrollBar()
        place = bar.value()
        if before := self._area.takeWidget():
            before.deleteLater()  # later: it may be one of its buttons that led here
        self._area.setWidget(content)
        bar.setValue(place)

    def _state_changed(self, node: str) -> None:
        if node in ("", self._node) or not self._node:
            self._later()

    def _graph_changed(self, change: object) -> None:
        if getattr(change, "nodes", None) or self._node:
            self._later()

    def _later(self) -> None:
        """A run tells more often than anybody reads."""
        if not self._soon.isActive():
            self._soon.start()

    # Of a node

    def _of_node(self, document: StudioDocument, id: str) -> QWidget:
        node, spec, state = document.graph.nodes[id], document.spec(id), document.states[id]
        page, box = _page()
        head = QHBoxLayout()
        head.addWidget(_label(node.title or (spec.title if spec else node.type), "title"), 1)
        help = PaintedButton("icon", icon="help", name=self.tr("Help on this node"))
        help.setToolTip(self.tr("Help on this node"))
        help.clicked.connect(lambda: self.help_wanted.emit(id))
        head.addWidget(help, 0, Qt.AlignmentFlag.AlignTop)
        box.addLayout(head)
        box.addWidget(_label(f"{node.type} v{node.version}", "mono_caption", "text3"))
        if spec and spec.help:
            box.addWidget(_label(spec.help.split("\n\n")[0], "body", "text2"))
        box.addWidget(self._state_card(node, spec, state))
        for problem in _problems(state):
            box.addWidget(self._problem_card(id, problem))
        prompt = _prompt(document, node, spec)
        count = self._counts.get(prompt, "inspector") if prompt else None
        for note in dict.fromkeys((*state.notes, *(count.notes if count else ()))):
            box.addWidget(_label(note, "body", "text2"))
        self._section(box, self.tr("Parameters"), _params(document, node, spec))
        if prompt:
            self.tokens.show_prompt(self._counts, prompt)
            box.addSpacing(px(4))
            box.addWidget(self.tokens)
            self.tokens.show()
        self._section(box, self.tr("Cost"), self._cost(document, id, state))
        self._section(box, self.tr("Output"), list(state.outputs))
        box.addLayout(self._buttons(id, node))
        box.addStretch(1)
        return page

    def _state_card(self, node: Node, spec: NodeSpec | None, state: NodeState) -> QWidget:
        said = status(node, spec, state)
        card, box = _card()
        row = QHBoxLayout()
        icon = QLabel()
        icon.setPixmap(theme.icon(said.icon, said.color).pixmap(px(16), px(16)))
        row.addWidget(icon)
        row.addWidget(_label(said.text, "body"), 1)
        if state.phase == "running" and state.steps:
            row.addWidget(_label(f"{state.step} / {state.steps}", "mono", "text2"))
        elif said.right:
            row.addWidget(_label(said.right, "mono", "text2"))
        box.addLayout(row)
        if state.reason and state.reason != said.text:
            box.addWidget(_label(state.reason, "body", "text2"))
        return card

    def _problem_card(self, node: str, problem: Problem) -> QWidget:
        card, box = _card()
        box.addWidget(_label(problem.what, "body", "err"))
        if problem.remedy:
            box.addWidget(_label(problem.remedy, "body", "text2"))
        show = QPushButton(self.tr("Show it"))
        show.setProperty("kind", "link")
        show.clicked.connect(lambda: self.go_to.emit(node))
        box.addWidget(show, 0, Qt.AlignmentFlag.AlignLeft)
        return card

    def _cost(self, document: StudioDocument, id: str, state: NodeState) -> list[tuple[str, str]]:
        rows = []
        known = self._runner.cost(document, id)
        if known.runs:
            if known.per_step:
                rows.append((self.tr("per step"), seconds(known.per_step)))
            runs = self.tr("over %n runs").replace("%n", str(known.runs))
            rows.append((self.tr("usually"), f"{seconds(known.seconds)} {runs}"))
        if state.seconds is not None:
            rows.append((self.tr("last time"), seconds(state.seconds)))
        return rows

    def _buttons(self, id: str, node: Node) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(px(8))
        off = node.mode == "bypassed"
        wanted: tuple[tuple[str, str, Callable[[], object]], ...] = (
            (self.tr("Run to here"), "run", lambda: self.run_to.emit(id)),
            (
                self.tr("Use again") if off else self.tr("Bypass"),
                "bypass",
                lambda: self.bypass.emit(id),
            ),
        )
        for text, icon, run in wanted:
            button = PaintedButton("plain", text, icon)
            button.clicked.connect(lambda _=False, run=run: run())
            row.addWidget(button)
        row.addStretch(1)
        return row

    # Of the whole graph

    def _of_document(self, document: StudioDocument) -> QWidget:
        page, box = _page()
        states = document.states
        found = [(id, p) for id in document.graph.nodes for p in _problems(states[id])]
        head = QHBoxLayout()
        head.addWidget(_label(self.tr("Problems") if found else document.title, "title"), 1)
        if found:
            head.addWidget(_label(str(len(found)), "mono_caption", "text3"))
        box.addLayout(head)
        if document.read_only:
            box.addWidget(_label(document.read_only, "body", "warn"))
        for problem in document.problems:
            box.addWidget(_label(problem.what, "body", "warn"))
        for id, problem in found:
            box.addWidget(self._named_problem(document, id, problem))
        if not found:
            count = len(document.graph.nodes)
            nodes = self.tr("%n nodes").replace("%n", str(count))
            rows = [(self.tr("graph"), nodes)]
            if document.path is not None:
                rows.append((self.tr("file"), document.path.name))
            runs = [id for id in document.graph.nodes if states[id].reason]
            kept = [id for id in document.graph.nodes if states[id].tier]
            rows.append((self.tr("will run"), str(len(runs))))
            rows.append((self.tr("kept"), str(len(kept))))
            self._section(box, self.tr("This graph"), rows)
            box.addWidget(_label(self.tr("Select a node to see what it does."), "caption"))
        box.addStretch(1)
        return page

    def _named_problem(self, document: StudioDocument, id: str, problem: Problem) -> QWidget:
        node, spec = document.graph.nodes[id], document.spec(id)
        card = self._problem_card(id, problem)
        title = _label(node.title or (spec.title if spec else node.type), "group", "text")
        layout = card.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(0, title)
        return card

    def _section(self, box: QVBoxLayout, title: str, rows: list[tuple[str, str]]) -> None:
        if not rows:
            return
        box.addSpacing(px(4))
        box.addWidget(_label(title, "group"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(4))
        grid.setColumnMinimumWidth(0, px(76))
        grid.setColumnStretch(1, 1)
        for index, (name, value) in enumerate(rows):
            said = _label(name, "body", "text2")
            said.setTextInteractionFlags(SELECTABLE)  # as the value, else it would stand higher
            grid.addWidget(said, index, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(_label(value, "mono"), index, 1, Qt.AlignmentFlag.AlignTop)
        box.addLayout(grid)


def next_problem(document: StudioDocument, after: str) -> str:
    """The node with a problem that follows another, round and round; "" without any."""
    nodes = [id for id in document.graph.nodes if _problems(document.states[id])]
    if not nodes:
        return ""
    return nodes[(nodes.index(after) + 1) % len(nodes)] if after in nodes else nodes[0]


def _problems(state: NodeState) -> list[Problem]:
    return [state.problem] if state.problem else list(state.faults)


def _params(document: StudioDocument, node: Node, spec: NodeSpec | None) -> list[tuple[str, str]]:
    if spec is None:
        return [(name, _short(text_of(value))) for name, value in node.params.items()]
    rows = []
    for param in spec.params:
        title = label_of(param)
        if param.name in node.inputs:
            source = node.inputs[param.name].source
            feeding = document.graph.nodes.get(source)
            rows.append((title, f"← {feeding.title or source if feeding else source}"))
        elif param.type != "rows" and not param.prompt:  # that one is shown by its tokens
            rows.append((title, _short(text_of(node.params.get(param.name, param.default)))))
    return rows


def _prompt(document: StudioDocument, node: Node, spec: NodeSpec | None) -> Prompt | None:
    """The first prompt of its own that a node has."""
    own = (p for p in spec.params if p.prompt and p.name not in node.inputs) if spec else ()
    if (param := next(iter(own), None)) is None:
        return None
    dialect = node.params.get("dialect")
    text = str(node.params.get(param.name, param.default))
    known = dialect if dialect in DIALECTS else DIALECTS[0]
    return Prompt(text, known, loras_behind(document, node.id))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _page() -> tuple[QWidget, QVBoxLayout]:
    page = QWidget()
    page.setProperty("surface", "panel")
    box = QVBoxLayout(page)
    box.setContentsMargins(px(12), px(12), px(12), px(12))
    box.setSpacing(px(8))
    return page, box


def _card() -> tuple[QFrame, QVBoxLayout]:
    card = QFrame()
    card.setProperty("surface", "card")
    box = QVBoxLayout(card)
    box.setContentsMargins(px(10), px(8), px(10), px(8))
    box.setSpacing(px(4))
    return card, box


def _label(text: str, role: str, tone: str = "") -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(role in ("body", "caption", "title"))
    label.setProperty("role", role)
    if tone:
        label.setProperty("tone", tone)
    if role.startswith("mono"):
        label.setWordWrap(True)
        label.setTextInteractionFlags(SELECTABLE)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label
