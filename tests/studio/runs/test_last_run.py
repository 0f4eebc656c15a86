"""What the last run left."""

from __future__ import annotations

from ponystudio.studio.runs.last_run import LastSeeds


def test_last_seeds_are_kept(tmp_path):
    seeds = LastSeeds(tmp_path / "seeds.json")
    seeds.note("a", {("n", "seed"): 2**64 - 1})
    seeds.save()
    assert LastSeeds(tmp_path / "seeds.json").of("a") == {("n", "seed"): 2**64 - 1}
