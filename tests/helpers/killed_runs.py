"""Editing runs that are killed at any moment, and what is found of them afterwards."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from helpers import editing_run
from ponystudio.graph.editing.undo_history import states
from ponystudio.graph.formats import graph_file
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.editable_graph import EditableGraph

LAST_SECOND = 1.0


@dataclass
class Toll:
    """What so many kills cost: `lost` is the longest time, in seconds before a kill, of which
    something was missing; `saves` are the kills before which the file was written."""

    kills: int = 0
    edits: int = 0
    saves: int = 0
    lost: float = 0.0


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


def kill_again_and_again(folder: Path, runs: int, rounds: int, seed: int) -> Toll:
    """So many editing runs, each killed and taken up again so many times. Nothing of what was
    acknowledged is missing but for the last second's, no file is half, no lock is left."""
    dice, nursery, toll = random.Random(seed), Nursery(), Toll()
    models: dict[Path, EditableGraph] = {}
    try:
        for number in range(runs):
            place = folder / f"run{number}"
            place.mkdir()
            graph_file.write(editing_run.start(), place / editing_run.FILE)
            models[place] = EditableGraph(graph_file.read(place / editing_run.FILE))
        for _ in range(rounds):
            seeds = {place: dice.randrange(2**32) for place in models}
            before = {place: (place / editing_run.FILE).read_bytes() for place in models}
            killed = kill_all(nursery, seeds, dice)
            for place, model in models.items():
                toll.saves += (place / editing_run.FILE).read_bytes() != before[place]
                compare(place, model, seeds[place], killed[place], toll)
    finally:
        nursery.close()
    return toll


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


def compare(folder: Path, model: EditableGraph, seed: int, killed: float, toll: Toll) -> None:
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
        assert not found.read_only
        found_told = told(found)
        matches = []
        actions = editing_run.actions(seed)
        for number in range(len(lines) + 2):  # one more may have been done but not told
            if number:
                editing_run.tried(next(actions), model)
            if number < safe or model.graph != found.graph:
                continue
            if told(model) == found_told:
                matches.append(number)
        assert matches, f"as after none of the actions {safe}..{len(lines) + 1}"
        if (most := matches[-1]) < len(times):
            toll.lost = max(toll.lost, killed - times[most])
        model.restore(found.graph, found.undo_record())
        check_file(found)
        toll.kills += 1
        toll.edits += len(lines)
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
