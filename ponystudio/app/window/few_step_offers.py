"""Offers on the cards of nodes that sample: what a model of few steps, which they are given, wants.

It follows a document and what becomes known of its files, and says what it finds in the states of
the nodes; it changes no graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from ponystudio.graph.editing.edits import Edit, SetParam
from ponystudio.graph.model import Node
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import Change, EditableGraph, Offer
from ponystudio.studio.models.field_services import FieldServices

if TYPE_CHECKING:
    from ponystudio.library.recognition.few_steps import FewSteps

SAMPLING = ("core.sample", "core.sample_steps")
SOON = 120


class FewStepOffers(QObject):
    """The offers of one document; `dismiss` takes one away for as long as it is open."""

    def __init__(
        self, document: EditableGraph, services: FieldServices, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document, self._services = document, services
        self._dismissed: set[tuple[str, Offer]] = set()
        self._soon = QTimer(self, singleShot=True, interval=SOON)
        self._soon.timeout.connect(self.refresh)
        document.changed.connect(self._changed)
        document.catalog_changed.connect(self._soon.start)
        services.facts.changed.connect(self._soon.start)
        self._soon.start()

    def _changed(self, change: Change) -> None:
        if change.nodes:
            self._soon.start()

    def refresh(self) -> None:
        """Look at all nodes that sample."""
        states = self._document.states
        with states.at_once():
            for node in self._document.graph.nodes.values():
                if node.type in SAMPLING:
                    offer = self._offer(node)
                    if offer and (node.id, offer) in self._dismissed:
                        offer = None
                    states.update(node.id, offer=offer)

    def accept(self, node: str) -> None:
        """Set what is offered, as one step of the undo history."""
        if offer := self._document.states[node].offer:
            edits: list[Edit] = [SetParam(node, name, value) for name, value in offer.params]
            self._document.do_all(edits, offer.button)
            self.refresh()

    def dismiss(self, node: str) -> None:
        """Offer this no more."""
        if offer := self._document.states[node].offer:
            self._dismissed.add((node, offer))
            self._document.states.update(node, offer=None)

    def _offer(self, node: Node) -> Offer | None:
        found = [known for file in self._files(node) if (known := self._known(*file))]
        spec = self._document.catalog.get(node.type)
        if not found or spec is None or node.mode != "normal":
            return None
        # What was put on last counts: a LoRA of few steps on another model.
        name, few = found[0]
        wanted = {
            param: value
            for param, value in few.params.items()
            if param not in node.inputs and param in spec.param_by_name
        }
        if all(_value(self._document, node, param) == wanted[param] for param in wanted):
            return None
        return Offer(
            title=tr("{model} makes pictures in few steps").format(model=name),
            text=tr(
                "{method}, as {why}: {steps} steps, {sampler}, {scheduler}, guidance {cfg}."
            ).format(
                method=few.method,
                why=few.why,
                steps=few.steps,
                sampler=few.sampler,
                scheduler=few.scheduler,
                cfg=f"{few.cfg:g}",
            ),
            button=tr("Sample for {method}").format(method=few.method),
            params=tuple(wanted.items()),
        )

    def _known(self, kind: str, name: str) -> tuple[str, FewSteps] | None:
        fact = self._services.facts.get(kind, name)
        return (fact.title, fact.few_steps) if fact and fact.few_steps else None

    def _files(self, node: Node) -> Iterator[tuple[str, str]]:
        """The kinds and names of files on the way of the model to a node, nearest first."""
        graph, seen = self._document.graph, {node.id}
        while (link := node.inputs.get("model")) and link.source in graph.nodes:
            node = graph.nodes[link.source]
            if node.id in seen:
                return
            seen.add(node.id)
            spec = self._document.catalog.get(node.type)
            if spec is None or node.mode == "muted":
                return
            if node.mode == "bypassed":
                continue
            for param in spec.params:
                value = node.params.get(param.name, param.default)
                if param.type == "file" and value:
                    yield param.kind, str(value)
                elif param.type == "rows":
                    yield from _of_rows(param.fields, value)


def _of_rows(fields: Any, rows: Any) -> Iterator[tuple[str, str]]:
    for row in reversed(rows if isinstance(rows, list) else []):
        if isinstance(row, Mapping) and row.get("on", True):
            for field in fields:
                if field.type == "file" and row.get(field.name):
                    yield field.kind, str(row[field.name])


def _value(document: EditableGraph, node: Node, param: str) -> Any:
    spec = document.catalog.get(node.type)
    known = spec.param_by_name.get(param) if spec else None
    return node.params.get(param, known.default if known else None)
