"""Journals read back, and all that a person could notice of a document."""

from __future__ import annotations

from dataclasses import replace

from helpers.graphs import picture
from ponystudio.graph.editing.undo_history import states
from ponystudio.graph.model import Graph
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.documents.journal_format import replay


def start() -> Graph:
    view = {"nodes": {"load": {"pos": [0, 0]}, "save": {"pos": [9, 9]}}, "frames": [{"title": "A"}]}
    return replace(picture(), view=view, extra={"kept": 1})


def replayed(document: Document):
    document.journal.writer.sync()
    stored = replay(document.journal.path)
    assert stored is not None
    return stored


def told(document: EditableGraph):
    """All that a person could notice of a document's past and future."""
    history = document.undo_record()
    texts = [(step.text, step.merge) for step in history.steps]
    return texts, history.index, history.sealed, states(document.graph, history)


def told_of(stored):
    history = stored.history.record()
    texts = [(step.text, step.merge) for step in history.steps]
    return texts, history.index, history.sealed, states(stored.graph, history)
