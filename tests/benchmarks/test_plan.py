"""Planning and answering a wholly cached graph: linear, and below what anybody notices.

Run with `-m benchmark -s`. ComfyUI's figure for the same on this class of machine is seconds for
300 nodes.
"""

from __future__ import annotations

import json
import statistics
import time

import pytest

from helpers.engine_nodes import Studio, make
from ponystudio.graph.model import Graph, Node

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]


def large_graph(count: int) -> Graph:
    """Chains of ten with cross links, every node wired and with a param of its own."""
    nodes: list[Node] = []
    for i in range(count - 1):
        if i % 10 == 0:
            nodes.append(make(f"n{i}", "number", value=float(i)))
        else:
            other = f"n{i - 11}" if i > 11 and (i - 11) % 10 else f"n{i - 1}"
            nodes.append(
                make(f"n{i}", "add", a=(f"n{i - 1}", "float"), b=(other, "float"), bias=float(i))
            )
    last = (nodes[-1].id, "float")
    nodes.append(make("end", "add", a=last, b=last))
    return Graph.of(*nodes)


def seconds_when_cached(studio: Studio, count: int, repeats: int) -> float:
    """From the graph value to the answer that nothing has to run: check, plan, run."""
    graph = large_graph(count)
    targets = (*(id for id in graph.nodes if id.endswith("9")), "end")
    studio.run(graph, targets=targets)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        ran = studio.run(graph, targets=targets)
        seconds.append(time.perf_counter() - start)
        assert ran == []
        assert len(studio.cached()) == count
    return statistics.median(seconds)


def test_ten_thousand_cached_nodes(tmp_path, capsys):
    with Studio(tmp_path) as studio:
        small = seconds_when_cached(studio, 10_000, repeats=9)
        large = seconds_when_cached(studio, 100_000, repeats=3)
    with capsys.disabled():
        print(json.dumps({"nodes_10000_s": small, "nodes_100000_s": large, "ratio": large / small}))
    assert small <= 0.1
    assert large <= 12 * small
