"""All of looking at pictures, on a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ponystudio.qt.notification import Notification
from ponystudio.studio.results.result_library import ResultLibrary
from ponystudio.studio.results.result_table import Query


@pytest.fixture
def notices() -> list[Notification]:
    """What was said."""
    return []


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.fixture
def results(qapp, tmp_path, output, notices) -> Iterator[ResultLibrary]:
    results = ResultLibrary(tmp_path / "data", tmp_path / "cache", output)
    results.actions.notice.connect(notices.append)
    yield results
    results.close()
    results.deleteLater()


@pytest.fixture
def scanned(results, qtbot) -> Callable[[], None]:
    """Looks through the output folder and waits until that is done."""

    def scan() -> None:
        with qtbot.waitSignal(results.index.answered, timeout=5000):
            results.index.scan()
            results.index.ask(Query())  # what is asked later is answered later

    return scan
