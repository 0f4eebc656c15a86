"""Tiers and their bounds."""

from __future__ import annotations

import pytest
import torch

from ponystudio.api import Clip, Image, Model, Patch
from ponystudio.engine.cache import result_cache as module
from ponystudio.engine.cache.disk_cache import DiskCache
from ponystudio.engine.cache.result_cache import ResultCache
from ponystudio.library.file_contents import FileContents
from ponystudio.library.formats import content_id


def never(path, content):
    return False


@pytest.fixture
def contents(monkeypatch):
    """As if all files were written long ago."""
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)
    return FileContents()


def token(contents, file):
    (content,) = contents.look([file])
    return content.token


def picture(side=16):
    return Image(torch.zeros(1, 3, side, side))


@pytest.fixture
def disk(tmp_path):
    disk = DiskCache(tmp_path / "cache")
    yield disk
    disk.close()


def test_memory_is_bounded_and_the_cheapest_per_byte_leaves_first():
    results = ResultCache(device_bytes=0, memory_bytes=20_000, disk=None, still_has=never)
    results.put("dear", picture(), 10.0)
    for i in range(20):
        results.put(f"cheap{i}", picture(), 0.01)
    assert results.tier("dear") == "memory"
    assert results.tier("cheap0") is None
    alive = [key for key in ["dear", *(f"cheap{i}" for i in range(20))] if results.tier(key)]
    assert 2 <= len(alive) <= 5


def test_old_results_leave_in_the_end_however_dear_they_were():
    results = ResultCache(device_bytes=0, memory_bytes=20_000, disk=None, still_has=never)
    results.put("dear", picture(), 1.0)
    for i in range(200):
        results.put(f"fair{i}", picture(), 0.2)
    assert results.tier("dear") is None


def test_pinned_results_stay_whatever_happens():
    results = ResultCache(device_bytes=0, memory_bytes=5_000, disk=None, still_has=never)
    results.put("a", picture(side=8), 0.01)
    assert results.pin(["a"])
    for i in range(10):
        results.put(f"b{i}", picture(), 1.0)
    assert results.tier("a") == "memory"
    results.drop_unpinned(device=False)
    assert results.tier("a") == "memory"
    results.unpin(["a"])
    assert results.drop_unpinned(device=False) > 0
    assert results.tier("a") is None


def test_slow_results_go_through_to_the_disk_and_come_back(disk):
    results = ResultCache(device_bytes=0, memory_bytes=10**6, disk=disk, still_has=never)
    results.put("aa.slow", picture(), module.WRITE_FROM)
    results.put("aa.fast", picture(), module.WRITE_FROM / 2)
    disk.flush()
    later = ResultCache(device_bytes=0, memory_bytes=10**6, disk=disk, still_has=never)
    assert later.tier("aa.slow") == "disk"
    assert later.tier("aa.fast") is None
    assert later.get("aa.slow").pixels.shape == (1, 3, 16, 16)
    assert later.tier("aa.slow") == "memory"


def test_pinning_reads_from_the_disk_or_pins_nothing(disk):
    results = ResultCache(device_bytes=0, memory_bytes=10**6, disk=disk, still_has=never)
    disk.write("aa.there", picture(), 1.0)
    disk.flush()
    assert not results.pin(["aa.there", "aa.gone"])
    assert results.drop_unpinned(device=False) > 0
    assert results.pin(["aa.there"])
    assert results.drop_unpinned(device=False) == 0


def test_even_a_cache_without_room_holds_what_is_pinned(disk):
    results = ResultCache(device_bytes=0, memory_bytes=0, disk=disk, still_has=never)
    disk.write("aa.x", picture(), 1.0)
    disk.flush()
    assert results.pin(["aa.x"])
    assert results.known_tier("aa.x") == "memory"
    results.unpin(["aa.x"])
    assert results.known_tier("aa.x") == "disk"


def test_a_recipe_lives_as_long_as_its_file(tmp_path, contents):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"x")
    results = ResultCache(
        device_bytes=0, memory_bytes=10**6, disk=None, still_has=contents.still_has
    )
    recipe = Model(str(file), token(contents, file), "sd1")
    results.put("m", recipe, 0.1)
    assert results.tier("m") == "memory"
    file.rename(tmp_path / "moved.safetensors")
    assert results.tier("m") is None
    file.write_bytes(b"another model under the name of the first")
    results.put("m", recipe, 0.1)
    assert results.tier("m") is None


@pytest.mark.parametrize("further", ["with", "patch"])
def test_and_as_long_as_every_other_of_its_files(tmp_path, further, contents):
    first, second = tmp_path / "m.safetensors", tmp_path / "n.safetensors"
    for file in (first, second):
        file.write_bytes(file.name.encode())
    recipe, name = (
        Clip(str(first), token(contents, first), "sdxl", options=(("ema", True),)),
        str(second),
    )
    if further == "with":
        recipe = recipe.with_file("with", name, token(contents, second))
        assert recipe.options[1:] == (("with", name), ("content", token(contents, second)))
    else:
        recipe = recipe.with_patch(Patch(name, token(contents, second), 0.5))
    results = ResultCache(
        device_bytes=0, memory_bytes=10**6, disk=None, still_has=contents.still_has
    )
    results.put("m", recipe, 0.1)
    assert results.tier("m") == "memory"
    second.rename(tmp_path / "moved.safetensors")
    assert results.tier("m") is None


def test_a_run_keeps_its_recipes_whatever_becomes_of_their_files(tmp_path, contents):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"x")
    results = ResultCache(
        device_bytes=0, memory_bytes=10**6, disk=None, still_has=contents.still_has
    )
    results.put("m", Model(str(file), token(contents, file), "sd1"), 0.1)
    assert results.pin(["m"])
    file.unlink()
    assert results.get("m").family == "sd1"


def test_recipes_are_not_written_for_files_may_lie_elsewhere_tomorrow(tmp_path, disk, contents):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"x")
    results = ResultCache(
        device_bytes=0, memory_bytes=10**6, disk=disk, still_has=contents.still_has
    )
    results.put("aa.m", Model(str(file), token(contents, file), "sd1"), 10.0)
    disk.flush()
    assert not disk.has("aa.m")


def test_what_was_made_before_all_was_read_is_found_and_kept_by_what_was_read(disk):
    results = ResultCache(device_bytes=0, memory_bytes=10**6, disk=disk, still_has=never)
    results.put("aa.before", picture(), 1.0, on_disk=False)
    results.put("aa.same", picture(), 1.0, on_disk=False)
    disk.flush()
    assert not disk.has("aa.before")
    assert not disk.has("aa.same")
    results.settle({"aa.before": "aa.after", "aa.same": "aa.same", "aa.none": "aa.nothing"})
    disk.flush()
    assert results.tier("aa.before") is None
    assert results.tier("aa.after") == results.tier("aa.same") == "memory"
    assert disk.has("aa.after")
    assert disk.has("aa.same")
