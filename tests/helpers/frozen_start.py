"""A start of the studio, without an engine, that can be made to freeze; it tells of itself.

As a program: HOME HOW [FILE…]. It opens the window as `ponystudio FILE…` does, with what lives in
HOME, and prints a line of JSON ten times a second: which documents are open, what is held back,
whether that is offered, how many kinds of things are still on trial, how many jobs wait. HOW says
what freezes, if it comes to it:

    making     the canvas of a graph with a node titled FREEZE is made
    drawing    it is drawn
    waiting    two seconds after it was drawn
    layout     a window with a layout that was kept is laid out
    queue      jobs are taken up
    nothing
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TITLE = "Freeze"


class Start:
    """That program, as long as it runs."""

    def __init__(self, home: Path, how: str, files: Sequence[Path] = ()) -> None:
        helpers = Path(__file__).parents[1]
        environment = {
            **os.environ,
            "PYTHONPATH": str(helpers),
            "QT_QPA_PLATFORM": "offscreen",
            "PONYSTUDIO_HOME": str(home),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers.frozen_start", str(home), how, *map(str, files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.told: dict[str, Any] = {}

    def until(self, reached, patience: float = 60.0) -> dict[str, Any]:
        """What it tells once that is reached."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            line = self._process.stdout.readline()
            assert line, f"it ended; last it told {self.told}"
            self.told = json.loads(line)
            if reached(self.told):
                return self.told
        raise AssertionError(f"it told {self.told}")

    def until_frozen(self, silence: float = 2.0) -> None:
        """It has said that it freezes, and says nothing more."""
        self.until(lambda told: told.get("freezes"))
        ready, _, _ = select.select([self._process.stdout], [], [], silence)
        assert not ready

    def kill(self) -> None:
        self._process.kill()
        self._end()

    def ask(self, what: str) -> None:
        """ "close" the window, run the "job" of the document in front, "open 0": the first of what
        is held back."""
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """As its user does."""
        self.ask("close")
        assert self._process.wait(60) == 0
        self._end()

    def _end(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def freeze(*_: object) -> None:
    tell(freezes=True)
    while True:
        time.sleep(0.1)  # a loop that a test need not pay for; the window stands all the same


def arm(how: str) -> None:
    from PySide6.QtCore import QTimer

    from ponystudio.app.window import window_layout
    from ponystudio.canvas.scene import scene
    from ponystudio.canvas.view import view
    from ponystudio.studio.runs import job_store

    def is_bad(graph: Any) -> bool:
        return any(node.title == TITLE for node in graph.nodes.values())

    if how == "making":
        sync = scene.SceneSync

        def make(*given: Any) -> Any:
            if any(is_bad(part.graph) for part in given if hasattr(part, "graph")):
                freeze()
            return sync(*given)

        scene.SceneSync = make
    elif how in ("drawing", "waiting"):
        paint = view.GraphView.paintEvent

        def draw(self: Any, event: Any) -> None:
            if is_bad(self.graph_scene.document.graph):
                if how == "drawing":
                    freeze()
                QTimer.singleShot(2000, freeze)
            paint(self, event)

        view.GraphView.paintEvent = draw
    elif how == "layout":
        window_layout.WindowLayout.set_sizes = freeze
    elif how == "queue":
        job_store._read = freeze


def main(home: str, how: str, *files: str) -> int:
    import threading

    from PySide6.QtCore import QObject, QTimer, Signal
    from PySide6.QtWidgets import QApplication

    from ponystudio.app.studio_main import restored_window
    from ponystudio.qt.event_loop import event_loop
    from ponystudio.studio.settings import Settings

    arm(how)
    app = QApplication([])
    settings = Settings()
    settings.set("welcomed", True)
    with event_loop(app) as loop:
        window = restored_window(settings, [Path(file) for file in files])
        for name in ("start", "show_previews", "submit", "close"):  # no engine
            setattr(window.services.worker, name, lambda *_: None)
        window.show()
        QTimer.singleShot(0, window.services.start)

        notes = Path(home) / "data" / "restoring.jsonl"

        def beat() -> None:
            tell(
                open=[document.title for document in window.documents],
                held=[[item.kind, item.title, item.strikes] for item in window.offers.held],
                offered=window.offers.page is not None and window.offers.page.isVisible(),
                unsettled=notes.exists() and notes.stat().st_size > 0,
                jobs=len(window.runner.queue.jobs),
                panel=window.shell.panel,
            )

        class Ears(QObject):
            heard = Signal(str)

        ears = Ears()

        def obey(line: str) -> None:
            word, _, rest = line.strip().partition(" ")
            if word == "close":
                window.close()
            elif word == "job":
                window.runner.run(window.documents.current)
            elif word == "open":
                window.offers.page.cards[int(rest)].open.click()

        ears.heard.connect(obey)
        threading.Thread(
            target=lambda: [ears.heard.emit(line) for line in sys.stdin], daemon=True
        ).start()
        timer = QTimer(interval=100)
        timer.timeout.connect(beat)
        timer.start()
        loop.run_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
