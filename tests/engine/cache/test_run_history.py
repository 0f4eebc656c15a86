"""What is known of earlier runs: of each document by itself, and after a restart."""

from __future__ import annotations

import sqlite3

from helpers.engine_nodes import Studio, graph, make


def test_another_document_has_a_history_of_its_own(tmp_path):
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    with Studio(tmp_path, cache=True) as studio:
        studio.run(g, scope="one")
        changed = g.with_nodes([make("grey", "grey", level=0.1)])
        assert studio.explain(changed, scope="one")["grey"] == "runs: level changed"
        assert studio.explain(changed, scope="two")["grey"] == "runs: not run before"


def test_history_and_results_outlive_the_process(tmp_path):
    g = graph(
        make("number", "number"),
        make("slow", "slow", a=("number", "float"), seconds=0.6),
        make("save", "save", image=("slow", "image")),
    )
    with Studio(tmp_path, cache=True) as first:
        first.run(g)
    with Studio(tmp_path, cache=True) as second:
        assert second.explain(g)["slow"] == "cached: disk"
        changed = g.with_nodes([make("slow", "slow", a=("number", "float"), seconds=0.0)])
        assert second.explain(changed)["slow"] == "runs: seconds changed"
        assert second.run(g) == ["save"]
        assert second.cached() == {"slow": "disk"}


def test_a_history_that_was_damaged_is_none(tmp_path):
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    with Studio(tmp_path, cache=True) as first:
        first.run(g)
    index = sqlite3.connect(tmp_path / "cache" / "index.sqlite")
    index.execute("UPDATE preimages SET text = substr(text, 1, length(text) - 1)")
    index.commit()
    index.close()
    with Studio(tmp_path, cache=True) as second:
        assert second.explain(g, always_write=False)["grey"] == "runs: not run before"
        assert second.run(g, always_write=False) == ["grey", "save"]
