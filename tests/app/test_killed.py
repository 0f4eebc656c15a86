"""Killed at any moment, the studio comes back as it was, with all that could be undone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers import editing_run
from ponystudio.graph.editing.undo_history import states
from ponystudio.graph.formats import graph_file
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.editable_graph import EditableGraph

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")

FOLDERS, ROUNDS = 10, 5
LAST_SECOND = 1.0


class Nursery:
    """The program that forks editors."""

    def __init__(self) -> None:
        helpers = Path(editing_run.__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": str(helpers), "QT_QPA_PLATFORM": "offscreen"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers.editing_run"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
        )

    def ask(self, line: str) -> str:
        self._process.stdin.write(line + "\n")
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@pytest.fixture
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


def test_fifty_killed_editing_runs_lose_at_most_the_last_second(qapp, tmp_path, nursery):
    dice = random.Random(4)
    models: dict[Path, EditableGraph] = {}
    for number in range(FOLDERS):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        graph_file.write(editing_run.start(), folder / editing_run.FILE)
        models[folder] = EditableGraph(graph_file.read(folder / editing_run.FILE))
    edits = 0
    for _ in range(ROUNDS):
        seeds = {folder: dice.randrange(2**32) for folder in models}
        killed = kill_all(nursery, seeds, dice)
        for folder, model in models.items():
            edits += compare(folder, model, seeds[folder], killed[folder])
    assert edits > 50 * FOLDERS * ROUNDS / 10, "hardly anything was done"


def kill_all(nursery: Nursery, seeds: dict[Path, int], dice: random.Random) -> dict[Path, float]:
    """Let one editor for each folder run for a while; when each was killed."""
    pids = {folder: int(nursery.ask(f"{folder} {seed}")) for folder, seed in seeds.items()}
    for folder in pids:
        wait_for(folder / "acks")
    begun = time.monotonic()
    ends = {folder: begun + dice.random() * 1.5 for folder in pids}
    killed = {}
    for folder in sorted(pids, key=ends.__getitem__):
        time.sleep(max(ends[folder] - time.monotonic(), 0))
        killed[folder] = time.monotonic()
        os.kill(pids[folder], signal.SIGKILL)
        assert nursery.ask(f"wait {pids[folder]}") == "gone"
    return killed


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < deadline, "the editor did not begin"
        time.sleep(0.005)


def compare(folder: Path, model: EditableGraph, seed: int, killed: float) -> int:
    """The reopened document is the model after some number of the actions: all that were
    acknowledged but for the last second's, none that were not done. The model goes on from there.
    """
    lines = (folder / "acks").read_text().splitlines()
    (folder / "acks").unlink()
    times = [float(line.split()[1]) for line in lines]
    safe = sum(at < killed - LAST_SECOND for at in times)
    documents = Documents(folder)
    notices = []
    documents.notice.connect(notices.append)
    documents.restore()
    documents.wait()
    try:
        assert len(documents) <= 1  # none if it was killed before it began
        assert all(notice.kind == "ok" for notice in notices), notices
        found = documents.current or documents.open_now(folder / editing_run.FILE)
        assert found.path == folder / editing_run.FILE
        found_told = told(found)
        matches = []
        actions = editing_run.actions(seed)
        for number in range(len(lines) + 2):  # one more may have been done but not told
            if number:
                editing_run.tried(next(actions), model)
            if number >= safe and told(model) == found_told:
                matches.append(number)
        assert matches, f"as after none of the actions {safe}..{len(lines) + 1}"
        model.restore(found.graph, found.undo_record())
        check_file(found)
        return len(lines)
    finally:
        assert documents.shutdown()


def told(document: EditableGraph):
    history = document.undo_record()
    return (
        document.graph,
        history.index,
        history.sealed,
        [(step.text, step.merge) for step in history.steps],
        states(document.graph, history),
    )


def check_file(document) -> None:
    """The file is whole, and the document knows whether it holds what the document does."""
    written = graph_file.read(document.path)
    if not document.dirty:
        assert written.nodes == document.graph.nodes
