"""What most tests of the window begin with; a file that begins otherwise has its own."""

from __future__ import annotations

import pytest

from helpers.running import PlayedWorker, document_of, make, runner_for, tiny_catalog
from helpers.window import open_window


@pytest.fixture
def home(tmp_path, monkeypatch, qapp):
    """An empty data folder."""
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def window(home):
    with open_window() as window:
        yield window


@pytest.fixture
def worker(qapp):
    worker = PlayedWorker()
    worker.become_ready(tiny_catalog())
    return worker


@pytest.fixture
def runner(worker, tmp_path):
    runner = runner_for(worker, tmp_path)
    yield runner
    runner.close()


@pytest.fixture
def document(runner, worker):
    document = document_of(
        make("d", "dice", seed=5), make("end", "steps", a=("d", "float")), catalog=worker.catalog
    )
    runner.watch(document)
    return document
