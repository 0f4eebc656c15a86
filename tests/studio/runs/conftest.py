"""A runner whose worker is played, and a document with a seed."""

from __future__ import annotations

import pytest

from helpers.running import PlayedLink, document_of, make, runner_for, tiny_catalog


@pytest.fixture
def link(qapp):
    link = PlayedLink()
    link.become_ready(tiny_catalog())
    return link


@pytest.fixture
def runner(link, tmp_path):
    runner = runner_for(link, tmp_path)
    yield runner
    runner.close()


@pytest.fixture
def document(runner, link):
    document = document_of(
        make("d", "dice", seed=5), make("end", "steps", a=("d", "float")), catalog=link.catalog
    )
    runner.watch(document)
    return document
