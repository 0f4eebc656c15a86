"""What is learned of nodes, how far a run is, and how both are said."""

from __future__ import annotations

import pytest

from helpers.running import make, tiny_catalog
from ponystudio.api.spec import InputSpec, NodeSpec, OutputSpec, ParamSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.runs.duration_estimates import Estimates, Work, works
from ponystudio.studio.runs.progress_estimate import ProgressEstimate
from ponystudio.studio.runs.run_texts import (
    duration,
    memory,
    plan_texts,
    reason_text,
    rough_duration,
    size,
)


def spec(id, inputs=(), params=(), **more):
    return NodeSpec(
        id,
        1,
        id.title(),
        "Test",
        inputs=tuple(InputSpec(name, "latent") for name in inputs),
        outputs=(OutputSpec("latent", "latent"),),
        params=tuple(ParamSpec(name, "float", value) for name, value in params),
        **more,
    )


CATALOG = Catalog(
    [
        spec("empty", params=(("width", 512), ("height", 512), ("batch", 1))),
        spec("sample", ["latent"], (("steps", 20), ("seed", 0))),
        spec("grow", ["latent"], (("factor", 2.0),)),
        spec("save", ["latent"], effects=True),
    ]
)
GRAPH = Graph.of(
    Node("e", "empty", params={"width": 64, "height": 32, "batch": 2}),
    Node("s", "sample", params={"steps": 10}, inputs={"latent": Link("e", "latent")}),
    Node("g", "grow", inputs={"latent": Link("s", "latent")}),
    Node("out", "save", inputs={"latent": Link("g", "latent")}),
)


class TestEstimates:
    def test_the_work_of_a_node_is_that_of_its_picture(self):
        found = works(GRAPH, CATALOG)
        assert found["e"].pixels == found["s"].pixels == 64 * 32 * 2
        assert found["s"].steps == 10
        assert found["g"].pixels == found["out"].pixels == 64 * 32 * 2 * 4

    def test_it_is_learned_by_step_and_scaled_to_sizes_not_seen(self):
        known = Estimates()
        assert known.of("CPU", "sample", Work(1024, 10)).runs == 0
        known.learn("CPU", "sample", Work(1024, 10), 5.0)
        same = known.of("CPU", "sample", Work(1024, 20))
        assert (same.seconds, same.per_step, same.runs) == (10.0, 0.5, 1)
        larger = known.of("CPU", "sample", Work(4096, 10))
        assert (larger.seconds, larger.runs) == (20.0, 0)
        assert known.of("CUDA 0", "sample", Work(1024, 10)).runs == 0

    def test_the_latest_counts_for_more_and_all_is_kept(self, tmp_path):
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
    def test_a_damaged_file_is_no_trouble(self, tmp_path, text):
        (tmp_path / "e.json").write_text(text)
        assert Estimates(tmp_path / "e.json").of("CPU", "grow", Work(16)).runs == 0


class TestForecast:
    def test_a_run_in_parts(self):
        now = [0.0]
        run = ProgressEstimate(["a", "b"], {"a": 10.0, "b": 10.0}, lambda: now[0])
        assert (run.fraction, run.left) == (0.0, 20.0)
        run.start("a")
        now[0] = 5.0
        assert run.fraction == pytest.approx(0.25)
        assert run.left == pytest.approx(15.0)
        now[0] = 60.0  # later than thought: it waits near the end
        assert run.fraction < 0.5
        run.finish("a")
        assert run.fraction == pytest.approx(0.5)
        run.start("b")
        for step in range(1, 11):
            now[0] += 0.5
            run.progress("b", step, 10)
        assert run.left == pytest.approx(0.0)
        assert run.fraction == pytest.approx(1.0)

    def test_steps_correct_what_was_thought(self):
        now = [0.0]
        run = ProgressEstimate(["a"], {"a": 100.0}, lambda: now[0])
        run.start("a")
        for step in range(1, 6):
            now[0] += 1.0
            run.progress("a", step, 10)
        assert run.left == pytest.approx(5.0, abs=2.0)

    def test_nothing_to_do_is_no_trouble(self):
        assert ProgressEstimate([], {}).fraction == 0.0


class TestWords:
    def said(self, **told):
        return plan_texts(told, GRAPH, CATALOG)

    def test_where_results_lie_and_why_nodes_run(self):
        assert self.said(
            e="cached: device",
            s="runs: seed changed",
            g="runs: upstream: latent: seed changed",
            out="runs: it saves or shows something",
        ) == {
            "e": ("device", ""),
            "s": ("", "Seed changed"),
            "g": ("", "Will run: after Sample"),
            "out": ("", "Result was not kept"),
        }

    def test_what_never_ran_says_so(self):
        words = self.said(e="runs: not run before", s="runs: not run before")
        assert words == {"e": ("", "Not run yet"), "s": ("", "Not run yet")}

    @pytest.mark.parametrize(
        ("told", "said"),
        [
            ("seed changed", "Seed changed"),
            ("cfg changed, seed changed", "Cfg and seed changed"),
            ("cfg changed, seed changed, steps changed", "3 settings changed"),
            ("file: other content", "File has changed"),
            ("code changed", "Node was updated"),
            ("latent linked", "Latent linked"),
            ("seed changed, upstream: latent: text changed, cfg changed", "Seed changed"),
            ("its result was not kept", "Result was not kept"),
        ],
    )
    def test_reasons(self, told, said):
        assert reason_text(told, CATALOG["sample"]) == said

    def test_long_names_of_nodes_give_way_to_their_kind(self):
        named = Node("e", "empty", title="A latent with a very long name")
        words = plan_texts(
            {"e": "runs: width changed", "s": "runs: upstream: latent: width changed"},
            GRAPH.with_nodes([named]),
            CATALOG,
        )
        assert words["s"] == ("", "Will run: after Empty")

    def test_times_and_sizes(self):
        assert [duration(s) for s in (0.41, 6.44, 38.2, 125, 3720)] == [
            "0.41 s",
            "6.4 s",
            "38 s",
            "2 min 05 s",
            "1 h 02 min",
        ]
        assert [rough_duration(s) for s in (0.2, 4.6, 61)] == ["1 s", "5 s", "1 min 01 s"]
        assert [size(n) for n in (512, 65536, 3 * 2**30)] == ["512 B", "64 KB", "3.0 GB"]
        assert [memory(n) for n in (0.9 * 2**30, 2**20)] == ["0.9 GB", "1 MB"]


def test_seeds_are_found_where_they_are_used():
    from ponystudio.studio.runs.seeds import seeds_in

    graph = Graph.of(
        make("d", "dice", seed=5),
        make("other", "dice", seed=7),
        make("end", "steps", a=("d", "float")),
    )
    assert seeds_in(graph, tiny_catalog(), None) == {("d", "seed"): 5}
    assert seeds_in(graph, tiny_catalog(), ["other"]) == {("other", "seed"): 7}
