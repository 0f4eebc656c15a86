"""What is wrong with a graph, and what its next run would do, told after every edit."""

from __future__ import annotations

import pytest

from helpers.running import document_of, make, until
from ponystudio.engine.protocol.run_events import NodePlan
from ponystudio.engine.protocol.worker_messages import PlanAnswer
from ponystudio.graph.editing.edits import RemoveNode, SetParam
from ponystudio.studio.runs import planner


@pytest.fixture
def asked(document, worker):
    """The number of the question about the document, once it was asked."""
    until(lambda: worker.asked)
    return max(worker.asked)


def answer(worker, number, keys=(), **nodes):
    plans = {id: NodePlan(*text.split(": ", 1)) for id, text in nodes.items()}
    worker.receive(PlanAnswer(number, plans, dict(keys), []))


def test_a_faulty_node_says_so_and_the_rest_is_planned(runner, worker):
    document = document_of(
        make("d", "dice", seed=5),
        make("end", "steps", a=("d", "float")),
        make("half", "steps"),
        catalog=worker.catalog,
    )
    checked = []
    runner.planner.checked.connect(checked.append)
    runner.watch(document)
    until(lambda: checked)
    assert document.states["half"].faults
    assert not document.states["end"].faults
    assert worker.asked[max(worker.asked)].targets == ("end",)


def test_the_answer_stands_on_the_cards(document, worker, asked):
    answer(worker, asked, d="cached: memory", end="runs: its result was not kept")
    states = {id: (document.states[id].tier, document.states[id].reason) for id in ("d", "end")}
    assert states == {"d": ("memory", ""), "end": ("", "Result was not kept")}


def test_what_nothing_needs_was_done_before(document, worker, asked):
    answer(worker, asked, d="not needed", end="skipped: its files still stand")
    assert document.states["d"].phase == "done"
    assert document.states["end"].tier == "disk"


def test_one_question_at_a_time_and_another_after_an_edit(runner, document, worker, asked):
    document.do(SetParam("d", "seed", 6), "Seed")
    document.do(SetParam("d", "seed", 7), "Seed")
    checked = []
    runner.planner.checked.connect(checked.append)
    until(lambda: checked)  # it was checked again, and nothing more was asked
    assert list(worker.asked) == [asked]
    answer(worker, asked, d="runs: not run before", end="runs: not run before")
    until(lambda: len(worker.asked) > 1)
    assert worker.asked[max(worker.asked)].graph.nodes["d"].params["seed"] == 7


def test_answers_of_what_was_removed_harm_nothing(document, worker, asked):
    document.do(RemoveNode("end"), "Remove")
    answer(worker, asked, d="cached: memory", end="runs: not run before")
    assert document.states["d"].tier == "memory"


@pytest.mark.log_warnings
def test_a_check_that_fails_is_no_end_of_checks(runner, document, worker, asked, monkeypatch):
    answer(worker, asked, d="runs: not run before", end="runs: not run before")
    failed = []
    with monkeypatch.context() as broken:
        broken.setattr(planner, "check", lambda *_, **__: failed.append(1) or 1 / 0)
        document.do(SetParam("d", "seed", 6), "Seed")
        until(lambda: failed)
    document.do(SetParam("d", "seed", 7), "Seed")
    until(lambda: len(worker.asked) > 1)
    question = max(worker.asked)
    assert worker.asked[question].graph.nodes["d"].params["seed"] == 7
    answer(worker, question, d="cached: memory", end="runs: not run before")
    until(lambda: document.states["d"].tier == "memory")
