"""What is known of earlier runs: of each document by itself, and after a restart."""

from __future__ import annotations

import json
import sqlite3

from helpers.engine_nodes import Studio, graph, make
from ponystudio.engine.cache import run_history
from ponystudio.graph.result_keys import NodeKey


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


def test_of_long_texts_the_latest_are_kept_in_memory(monkeypatch):
    """Prompts may be long, and a session may have many runs."""
    monkeypatch.setattr(run_history, "MOST_LETTERS", 10_000)
    history = run_history.RunHistoryFile(None)
    steady = NodeKey((json.dumps({"steady": "x" * 1000}),), ())
    keys = [NodeKey((json.dumps({"text": "x" * 1000, "n": n}),), ()) for n in range(50)]
    for key in keys:
        history.record("scope", "steady", steady)
        history.record("scope", "node", key)
    assert history.last("scope", "node") == keys[-1].preimage
    assert history.last("scope", "steady") == steady.preimage, "it is of the latest run, too"
    kept = [key for key in keys if history.preimage(key.digest) is not None]
    assert 2 <= len(kept) <= 9
