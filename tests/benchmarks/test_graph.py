"""What a graph of ten thousand nodes costs before anything runs, and that ten times the nodes cost
about ten times as much. Run with `-m benchmark -s`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import networkx
import pytest

from helpers.graphs import CATALOG, node
from ponystudio.graph.formats.graph_file import dumps, loads, share_nodes
from ponystudio.graph.model import Graph
from ponystudio.graph.result_keys import Environment, result_keys
from ponystudio.graph.topology import ancestors, order
from ponystudio.graph.validation import check

pytestmark = pytest.mark.benchmark

ENVIRONMENT = Environment("cpu", "fp32", "2.13.0", "sdpa", {"pack": "abc", "other": "def"})


def pictures(count: int) -> Graph:
    """`count` nodes: prompts, samplers in chains of fifty, and saves, on one checkpoint."""
    nodes = [node("load", "t.load"), node("empty", "t.encode", clip="load.clip")]
    while len(nodes) < count:
        i = len(nodes)
        before = {"latent": f"sample{i - 3}.latent"} if i > 2 and i % 150 != 2 else {}
        nodes += [
            node(f"text{i}", "t.encode", clip="load.clip", text=f"pony number {i}"),
            node(
                f"sample{i}",
                "t.sample",
                model="load.model",
                positive=f"text{i}.conditioning",
                seed=i,
                steps=20,
                **before,
            ),
            node(f"save{i}", "t.save", latent=f"sample{i}.latent"),
        ]
    return Graph.of(*nodes)


def median(work: Callable[[], object], rounds: int = 7) -> float:
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def fresh(graph: Graph) -> Graph:
    """The graph after an edit that changes no node: the value is new, its nodes are not."""
    return graph.with_nodes(())


def with_networkx(graph: Graph) -> list[str]:
    digraph = networkx.DiGraph()
    digraph.add_nodes_from(graph.nodes)
    digraph.add_edges_from(
        (source, item.id) for item in graph.nodes.values() for source in item.sources
    )
    return list(networkx.topological_sort(digraph))


def test_planning_is_linear_and_our_walk_beats_networkx():
    small, large = pictures(10_000), pictures(100_000)

    def keys(graph: Graph) -> object:
        return result_keys(graph, CATALOG, order(graph), ENVIRONMENT, lambda *_: "content")

    rows = {
        "check": lambda graph: check(fresh(graph), CATALOG),
        "order": lambda graph: order(fresh(graph)),
        "networkx": with_networkx,
        "ancestors": lambda graph: ancestors(graph, graph.nodes),
        "keys": lambda graph: keys(fresh(graph)),
    }
    found = {
        name: (median(lambda f=work: f(small)), median(lambda f=work: f(large), 3))
        for name, work in rows.items()
    }
    for name, (one, ten) in found.items():
        print(f"{name:10} {one * 1e3:7.1f} ms for 10,000, {ten / one:5.1f} times that for 100,000")
    text = dumps(small)
    again = loads(text)
    print(f"{'loads':10} {median(lambda: loads(text), 3) * 1e3:7.1f} ms")
    print(f"{'shared':10} {median(lambda: share_nodes(again, small), 3) * 1e3:7.1f} ms")
    assert found["order"][0] < found["networkx"][0]
    # Ten times the nodes leave the processor's caches: a known linear walk says what that costs.
    for name, (one, ten) in found.items():
        assert ten / one <= 1.5 * max(10.0, found["networkx"][1] / found["networkx"][0]), name
