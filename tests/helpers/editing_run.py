"""Random editing that can be killed at any moment and told again from its seed.

As a program it reads "FOLDER SEED" or "wait PID" a line and forks an editor for each FOLDER, which
notes every action that is done in FOLDER/acks; it answers with the editor's process id. Forking
saves the second that a fresh Python with Qt takes.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from helpers.graphs import picture
from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import (
    AddNode,
    Connect,
    Edit,
    RemoveNode,
    RenameNode,
    SetMode,
    SetParam,
    SetTitle,
    SetView,
)
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.qt.event_loop import event_loop
from ponystudio.studio.documents import journal
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.editable_graph import EditableGraph

FILE = "graph.json"
Action = Callable[[EditableGraph], object]


def actions(seed: int) -> Iterator[Action]:
    """What is done, one after another; a function of the seed and of the document alone."""
    dice = random.Random(seed)
    while True:
        kind = dice.random()
        if kind < 0.45:
            yield from _gesture(dice)
        elif kind < 0.75:
            edit = _edit(dice)
            yield lambda document, edit=edit: document.do(edit(document.graph), "Edit")
        elif kind < 0.93:
            step = dice.choice((-1, -1, 1, -7, 3))
            yield lambda document, step=step: _walk(document, step)
        else:
            yield _save


def tried(action: Action, document: EditableGraph) -> None:
    try:
        action(document)
    except GraphError:
        pass  # what cannot be done changes nothing; that is tested here, too


def _gesture(dice: random.Random) -> Iterator[Action]:
    """A drag or a spell of typing: one step, if nothing comes between."""
    merge, length = f"gesture {dice.randrange(4)}", dice.randrange(1, 12)
    typing = dice.random() < 0.5
    for number in range(length):
        value = dice.randrange(100)
        edit = (
            SetParam("text", "text", "pony " * number)
            if typing
            else SetView(("nodes", "sample", "pos"), [value, number])
        )
        yield lambda document, edit=edit: document.do(edit, "Gesture", merge)


def _edit(dice: random.Random) -> Callable[[Graph], Edit]:
    kind, number = dice.randrange(8), dice.randrange(2**31)

    def made(graph: Graph) -> Edit:
        ids = sorted(graph.nodes)
        one, other = ids[number % len(ids)], ids[number // 7 % len(ids)]
        new = f"node_{number % 50}"
        match kind:
            case 0 | 1:
                node = Node(new, "t.x", params={"seed": number}, inputs={"in": Link(one, "out")})
                return AddNode(node, {"pos": [number % 999, 8]})
            case 2:
                return RemoveNode(one if len(ids) > 4 and one not in ("text", "sample") else "?")
            case 3:
                return SetParam(one, "seed", 2**64 - 1 - number)
            case 4:
                return Connect(one, "out", other, f"in{number % 3}")
            case 5:
                return SetMode(one, ("normal", "muted", "bypassed")[number % 3])
            case 6:
                return RenameNode(one if one not in ("text", "sample") else "?", new)
        return SetTitle(one, f"Title {number}")

    return made


def _walk(document: EditableGraph, step: int) -> None:
    document.go_to(min(max(document.undo_index + step, 0), document.undo_count))


def _save(document: EditableGraph) -> None:
    """For a plain document only what saving does to its undo stack."""
    documents = document.parent()
    if isinstance(documents, Documents):
        documents.save(document)
    else:
        document.seal()


def start() -> Graph:
    view = {"nodes": {"sample": {"pos": [0, 0]}}, "frames": []}
    return Graph(picture().nodes, {}, view, {})


def edit(folder: Path, seed: int) -> None:
    """Go on in this folder until killed."""
    with event_loop(app := QCoreApplication([]), already_running=True):
        _go_on(app, folder, seed)


def _go_on(app: QCoreApplication, folder: Path, seed: int) -> None:
    journal.MANY_LINES = 40  # so that journals are shortened under fire, too
    journal.FAR_TOO_MANY = 3
    documents = Documents(folder)
    documents.restore()
    documents.wait()
    document = documents.current or documents.open_now(folder / FILE)
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    pace = random.Random(seed + 1)
    for number, action in enumerate(actions(seed), 1):
        tried(action, document)
        os.write(acks, b"%d %.6f\n" % (number, time.monotonic()))
        if pace.random() < 0.2:
            time.sleep(pace.random() * 0.02)
            app.processEvents()


def main() -> None:
    for line in sys.stdin:
        words = line.split()
        if words[0] == "wait":
            os.waitpid(int(words[1]), 0)
            print("gone", flush=True)
            continue
        if (pid := os.fork()) == 0:
            try:
                edit(Path(words[0]), int(words[1]))
            finally:
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
