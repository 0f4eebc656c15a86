"""What is learned of how long nodes take."""

from __future__ import annotations

import pytest

from helpers.small_graph import CATALOG, GRAPH
from ponystudio.studio.runs.duration_estimates import Estimates, Work, works


def test_the_work_of_a_node_is_that_of_its_picture():
    found = works(GRAPH, CATALOG)
    assert found["e"].pixels == found["s"].pixels == 64 * 32 * 2
    assert found["s"].steps == 10
    assert found["g"].pixels == found["out"].pixels == 64 * 32 * 2 * 4


def test_only_what_lies_above_is_looked_at():
    assert works(GRAPH, CATALOG, ["e"]).keys() == {"e"}
    assert works(GRAPH, CATALOG, []) == {}
    known = Estimates()
    assert [estimate.runs for estimate in known.of_nodes("CPU", GRAPH, CATALOG, ["s", "e"])] == [
        0,
        0,
    ]
    known.learn("CPU", GRAPH.nodes["s"].type, works(GRAPH, CATALOG, ["s"])["s"], 5.0)
    assert [estimate.runs for estimate in known.of_nodes("CPU", GRAPH, CATALOG, ["e", "s"])] == [
        0,
        1,
    ]


def test_it_is_learned_by_step_and_scaled_to_sizes_not_seen():
    known = Estimates()
    assert known.of("CPU", "sample", Work(1024, 10)).runs == 0
    known.learn("CPU", "sample", Work(1024, 10), 5.0)
    same = known.of("CPU", "sample", Work(1024, 20))
    assert (same.seconds, same.per_step, same.runs) == (10.0, 0.5, 1)
    larger = known.of("CPU", "sample", Work(4096, 10))
    assert (larger.seconds, larger.runs) == (20.0, 0)
    assert known.of("CUDA 0", "sample", Work(1024, 10)).runs == 0


def test_the_latest_counts_for_more_and_all_is_kept(tmp_path):
    file = tmp_path / "estimates.json"
    known = Estimates(file)
    for seconds in (1.0, 2.0):
        known.learn("CPU", "grow", Work(1024), seconds)
    known.save()
    assert known.text() is None
    again = Estimates(file).of("CPU", "grow", Work(1024))
    assert again.seconds == pytest.approx(1.3)
    assert again.runs == 2


@pytest.mark.parametrize("text", ["", "[]", '{"CPU": {"grow": {"4": ["x"]}}}', '{"CPU": 3}'])
def test_a_damaged_file_is_no_trouble(tmp_path, text):
    (tmp_path / "e.json").write_text(text)
    assert Estimates(tmp_path / "e.json").of("CPU", "grow", Work(16)).runs == 0
