"""What may be asked of the runner, as actions."""

from __future__ import annotations

from ponystudio.app.queue.run_actions import run_actions


def test_actions_know_what_they_can_do(runner, document, worker):
    chosen: list[str] = []
    actions = {
        action.id: action for action in run_actions(runner, lambda: document, lambda: chosen)
    }
    assert not actions["run.selection"].enabled()
    assert not actions["run.stop"].enabled()
    actions["run.run"].run()
    chosen.append("d")
    actions["run.selection"].run()
    actions["run.front"].run()
    assert [job.targets for job in runner.queue.jobs] == [None, None, ("d",)]
    actions["run.stop"].run()
    assert worker.cancelled
    actions["run.seed_fixed"].run()
    assert actions["run.seed_fixed"].checked()
    assert len({action.id for action in actions.values()}) == len(actions)
