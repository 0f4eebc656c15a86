"""A runner whose worker is played, and a document with a seed."""

from __future__ import annotations

import pytest

from helpers.running import PlayedWorker, document_of, make, runner_for, tiny_catalog


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
