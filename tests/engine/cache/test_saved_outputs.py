"""What was saved is not saved again while it is up to date."""

from __future__ import annotations

from helpers.engine_nodes import Studio, graph, make


def test_an_unchanged_save_is_skipped_only_where_asked(tmp_path):
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    with Studio(tmp_path) as studio:
        studio.run(g, always_write=False)
        assert studio.run(g, always_write=False) == []
        assert [e["unchanged"] for e in studio.events if e["event"] == "output"] == [True]
        assert studio.run(g) == ["save"]
        (tmp_path / "output" / "picture_00002.png").unlink()
        assert studio.run(g, always_write=False) == ["save"]


def test_what_was_saved_before_a_restart_stands(tmp_path):
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    for again in (False, True):
        with Studio(tmp_path, cache=True) as studio:
            ran = studio.run(g, scope="one", always_write=False)
            assert ran == ([] if again else ["grey", "save"])
            paths = studio.told("output", "path")
            assert paths == [str(tmp_path / "output" / "picture_00001.png")]
    with Studio(tmp_path, cache=True) as studio:
        # Another document has saved nothing yet, and what was deleted is made again.
        assert "save" in studio.run(g, scope="other", always_write=False)
        (tmp_path / "output" / "picture_00001.png").unlink()
        assert "save" in studio.run(g, scope="one", always_write=False)
        changed = g.with_nodes([make("grey", "grey", level=0.7)])
        assert "save" in studio.run(changed, scope="one", always_write=False)
