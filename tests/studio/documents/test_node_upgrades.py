"""Old nodes are upgraded when there is a worker that can."""

from __future__ import annotations

import pytest

from helpers.graphs import CATALOG
from helpers.running import PlayedWorker
from ponystudio.engine.protocol.worker_messages import UpgradeAnswer
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.model import Graph, Node
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.documents.node_upgrades import NodeUpgrader

OLD = Graph.of(Node("s", "t.sample", version=1), Node("l", "t.load", version=1))
NEW = Graph.of(Node("s", "t.sample", version=2, params={"steps": 9}), OLD.nodes["l"])


class Link(PlayedWorker):
    """Keeps what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.upgrades: dict[int, Graph] = {}

    def upgrade(self, graph: Graph) -> int:
        number = super().upgrade(graph)
        self.upgrades[number] = graph
        return number

    def answer(self, notes: tuple[str, ...] = ()) -> None:
        self.receive(UpgradeAnswer(max(self.upgrades), NEW, list(notes)))


@pytest.fixture
def worker(qapp):
    worker = Link()
    yield worker
    worker.close()


@pytest.fixture
def document(qapp):
    return EditableGraph(OLD, CATALOG)


@pytest.fixture
def told():
    return []


@pytest.fixture
def upgrader(worker, told):
    upgrader = NodeUpgrader(worker)
    upgrader.upgraded.connect(lambda *what: told.append(what))
    return upgrader


def test_it_waits_for_a_worker_and_is_one_step_to_undo(upgrader, worker, document, told):
    upgrader.watch(document)
    assert not worker.upgrades
    worker.become_ready(CATALOG)
    assert list(worker.upgrades.values()) == [OLD]
    worker.answer(("s is new",))
    assert document.graph.nodes == NEW.nodes
    assert document.undo_text == "Upgrade nodes"
    assert told == [(document, ["s is new"])]
    document.undo()
    assert document.graph == OLD


def test_what_is_new_is_not_asked_for(upgrader, worker, told):
    worker.become_ready(CATALOG)
    upgrader.watch(EditableGraph(NEW, CATALOG))
    assert not worker.upgrades


def test_what_was_edited_in_the_meantime_stays(upgrader, worker, document, told):
    worker.become_ready(CATALOG)
    upgrader.watch(document)
    document.do(SetParam("s", "steps", 3), "Set")
    worker.answer()
    assert document.graph.nodes["s"].version == 1
    assert told == []


def test_a_document_that_is_closed_is_left_alone(upgrader, worker, document, told):
    worker.become_ready(CATALOG)
    upgrader.watch(document)
    upgrader.unwatch(document)
    worker.answer()
    assert (document.graph, told) == (OLD, [])


def test_another_worker_is_asked_again(upgrader, worker, document):
    worker.become_ready(CATALOG)
    upgrader.watch(document)
    worker.restarted.emit()
    worker.become_ready(CATALOG)
    assert len(worker.upgrades) == 2
    worker.answer()
    assert document.graph.nodes == NEW.nodes
