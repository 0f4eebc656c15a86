"""The disk tier: what is kept, what leaves, what a torn file or a damaged index does."""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
import torch

from helpers.frail_disk import FrailDisk, FrailSqlite, every_failure
from ponystudio.api import Image
from ponystudio.engine.cache import disk_cache as module
from ponystudio.engine.cache.disk_cache import DiskCache
from ponystudio.graph.atomic_write import write_error


@pytest.fixture
def cache(tmp_path):
    cache = DiskCache(tmp_path / "cache", limit=100_000, entry_limit=50_000)
    yield cache
    cache.close()


def picture(level=0.0, side=16):
    return Image(torch.full((1, 3, side, side), level))


def put(cache, key, seconds=1.0, **picture_arguments):
    cache.write(key, picture(**picture_arguments), seconds)
    cache.flush()


def test_what_is_written_is_read_by_the_next_process(tmp_path, cache):
    put(cache, "aa11.image", level=0.25)
    again = DiskCache(tmp_path / "cache")
    try:
        assert again.known("aa11.image")
        assert again.read("aa11.image").pixels.unique().tolist() == [0.25]
    finally:
        again.close()


def test_an_entry_of_another_process_is_found(tmp_path, cache):
    other = DiskCache(tmp_path / "cache")
    try:
        put(other, "aa11.image")
        assert not cache.known("aa11.image")
        assert cache.has("aa11.image")
        assert cache.read("aa11.image").pixels.shape == (1, 3, 16, 16)
    finally:
        other.close()


def test_torn_and_foreign_entries_are_misses_and_go(tmp_path, cache):
    for key in ("aa1.x", "aa2.x", "aa3.x"):
        put(cache, key)
    folder = tmp_path / "cache" / "aa"
    torn, other = folder / "aa1.x.safetensors", folder / "aa2.x.safetensors"
    torn.write_bytes(torn.read_bytes()[:-1])
    other.write_bytes((folder / "aa3.x.safetensors").read_bytes())
    for key in ("aa1.x", "aa2.x"):
        with pytest.raises(KeyError):
            cache.read(key)
        assert not cache.has(key)
    assert cache.read("aa3.x")


def test_the_folder_stays_within_its_limit_and_the_cheapest_per_byte_leaves_first(tmp_path, cache):
    put(cache, "aa0.dear", seconds=100)
    for i in range(60):
        put(cache, f"ab{i:02}.cheap", seconds=0.6)
    total = sum(path.stat().st_size for path in (tmp_path / "cache").glob("??/*"))
    assert 50_000 < total <= 100_000
    assert cache.has("aa0.dear")
    assert not cache.has("ab00.cheap")
    assert cache.has("ab59.cheap")


def test_too_large_an_entry_is_not_kept(cache):
    put(cache, "aa0.large", side=128)
    assert not cache.has("aa0.large")


def test_a_damaged_index_is_made_anew_from_the_files(tmp_path):
    folder = tmp_path / "cache"
    first = DiskCache(folder)
    put(first, "aa0.x")
    first.close()
    for name in ("index.sqlite", "index.sqlite-wal"):
        (folder / name).write_bytes(b"this is no database at all" * 100)
    again = DiskCache(folder, limit=100)
    try:
        assert again.read("aa0.x")
        put(again, "ab0.y")
        assert not again.has("aa0.x")  # it was accounted for, so it could be evicted
    finally:
        again.close()


def test_what_cannot_be_encoded_is_left_out_and_nothing_hangs(cache):
    cache.write("aa0.x", [torch.zeros(2, dtype=torch.complex128)], 1.0)
    put(cache, "aa1.x")
    assert not cache.has("aa0.x")
    assert cache.has("aa1.x")


def test_an_entry_that_can_neither_be_read_nor_removed_is_a_miss(tmp_path, cache):
    entry = tmp_path / "cache" / "aa" / "aa0.x.safetensors"
    entry.mkdir(parents=True)
    assert cache.has("aa0.x")
    with pytest.raises(KeyError):
        cache.read("aa0.x")
    assert not cache.has("aa0.x")
    entry.rmdir()
    put(cache, "aa0.x")
    assert cache.has("aa0.x")


def test_an_entry_is_forgotten_even_while_it_waits(cache):
    cache.write("aa0.x", picture(), 1.0)
    cache.forget("aa0.x")
    assert not cache.has("aa0.x")
    cache.flush()
    assert not cache.has("aa0.x")
    put(cache, "aa0.x")
    assert cache.has("aa0.x")


def test_what_cannot_be_removed_does_not_stop_the_others(tmp_path, cache):
    """As an entry that another process reads on Windows, or that belongs to another user."""
    put(cache, "aa0.x", seconds=0.5)
    entry = tmp_path / "cache" / "aa" / "aa0.x.safetensors"
    entry.unlink()
    entry.mkdir()
    for i in range(60):
        put(cache, f"ab{i:02}.x", seconds=0.6)
    assert entry.exists()
    files = [path for path in (tmp_path / "cache").glob("??/*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 100_000
    assert cache.has("ab59.x")


def test_an_index_that_another_process_locks_is_left_to_it(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    DiskCache(folder).close()
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.05)
    other = sqlite3.connect(folder / "index.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    inode = (folder / "index.sqlite").stat().st_ino
    cache = DiskCache(folder)
    try:
        put(cache, "aa0.x")
    finally:
        cache.close()
        other.execute("ROLLBACK")
        other.close()
    assert (folder / "index.sqlite").stat().st_ino == inode


def test_accounts_of_entries_that_are_gone_are_closed(tmp_path, cache):
    for i in range(20):
        put(cache, f"aa{i:02}.x")
    for path in (tmp_path / "cache").glob("aa/*"):
        path.unlink()
    again = DiskCache(tmp_path / "cache", limit=30_000)
    try:
        for i in range(4):
            put(again, f"ab{i}.x")
        assert [again.has(f"ab{i}.x") for i in range(4)] == [True] * 4
    finally:
        again.close()


def test_what_keys_were_made_from_is_remembered(tmp_path, cache):
    cache.remember("doc", "sampler", "d1", {"d1": '{"a": 1}'})
    cache.flush()
    again = DiskCache(tmp_path / "cache")
    try:
        assert again.last("doc", "sampler") == "d1"
        assert again.preimage("d1") == '{"a": 1}'
        assert again.last("other", "sampler") is None
    finally:
        again.close()


def test_clear_removes_everything(tmp_path, cache):
    put(cache, "aa0.x")
    cache.remember("doc", "n", "d", {"d": "{}"})
    cache.clear()
    assert not cache.has("aa0.x")
    assert list((tmp_path / "cache").glob("??/*")) == []
    assert cache.last("doc", "n") is None


def test_a_place_that_cannot_be_used_is_told_once_and_harms_nothing(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    told = []
    cache = DiskCache(tmp_path / "cache", on_failure=told.append)
    try:
        put(cache, "aa0.x")
        put(cache, "aa1.x")
        assert not cache.has("aa0.x")
        assert len(told) == 1
    finally:
        cache.close()


class Disk:
    """A disk that refuses the next so many files."""

    def __init__(self, monkeypatch, error=errno.EIO):
        self.refused, self.error, self.write = 0, error, module.write_bytes
        monkeypatch.setattr(module, "write_bytes", self)
        monkeypatch.setattr(module, "PAUSES", (0.0, 0.0))

    def __call__(self, path, data):
        if self.refused:
            self.refused -= 1
            raise write_error(OSError(self.error, os.strerror(self.error)), path)
        self.write(path, data)


@pytest.fixture
def told():
    return []


@pytest.fixture
def told_cache(tmp_path, told):
    cache = DiskCache(tmp_path / "cache", on_failure=told.append)
    yield cache
    cache.close()


def test_one_failure_costs_nothing(told_cache, told, monkeypatch):
    Disk(monkeypatch).refused = 1
    put(told_cache, "aa0.x")
    put(told_cache, "aa1.x")
    assert told_cache.has("aa0.x")
    assert told_cache.has("aa1.x")
    assert told == []


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
def test_after_an_outage_results_are_kept_again(told_cache, told, monkeypatch, error):
    """And nothing is tried within it, though it is told of once each time."""
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    disk = Disk(monkeypatch, error)
    for outage in (1, 2):
        disk.refused = 10**6
        put(told_cache, f"aa{outage}.x")
        clock[0] += module.FIRST_RETRY - 0.1
        disk.refused += 3
        put(told_cache, f"ab{outage}.x")
        assert disk.refused == 10**6
        assert len(told) == outage
        disk.refused = 0
        assert not told_cache.has(f"ab{outage}.x")
        clock[0] += 0.2
        put(told_cache, f"ac{outage}.x")
        assert told_cache.has(f"ac{outage}.x")
    assert "for now" in told[0]


def test_a_long_outage_is_asked_about_less_and_less(told_cache, told, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    disk = Disk(monkeypatch)
    disk.refused = 10**6
    asked = []
    for _ in range(1000):
        before = disk.refused
        put(told_cache, "aa0.x")
        if disk.refused != before:
            asked.append(clock[0])
        clock[0] += 1.0
    pauses = [later - sooner for sooner, later in itertools.pairwise(asked)]
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]
    assert len(told) == 1


def test_a_folder_that_is_taken_away_is_made_again(tmp_path, told_cache, told):
    put(told_cache, "aa0.x")
    shutil.rmtree(tmp_path / "cache")
    put(told_cache, "aa1.x")
    assert told == []
    again = DiskCache(tmp_path / "cache", limit=100)
    try:
        assert again.read("aa1.x")
        put(again, "ab0.y")
        assert not again.has("aa1.x")  # it is accounted for
    finally:
        again.close()


def test_what_a_locked_index_could_not_note_is_noted_later(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    DiskCache(folder).close()
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.05)
    monkeypatch.setattr(module, "FIRST_RETRY", 0.05)
    other = sqlite3.connect(folder / "index.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    late = DiskCache(folder, limit=100_000)  # it cannot even look into the index
    try:
        put(late, "aa0.x")
        assert late.has("aa0.x")
        other.execute("ROLLBACK")
        time.sleep(0.1)
        put(late, "aa1.x")
        other.execute("BEGIN EXCLUSIVE")  # now it has the index, and may not write
        put(late, "aa2.x")
        assert late.has("aa2.x")
        other.execute("ROLLBACK")
        put(late, "aa3.x")
        keys = sorted(key for (key,) in other.execute("SELECT key FROM entries"))
        assert keys == ["aa0.x", "aa1.x", "aa2.x", "aa3.x"]
    finally:
        late.close()
        other.close()


def test_an_entry_that_a_neighbour_evicts_and_makes_again_is_found(tmp_path, cache):
    other = DiskCache(tmp_path / "cache")
    try:
        put(other, "aa0.x")
        assert cache.has("aa0.x")
        (tmp_path / "cache" / "aa" / "aa0.x.safetensors").unlink()
        with pytest.raises(KeyError):
            cache.read("aa0.x")
        put(other, "aa0.x")
        assert cache.has("aa0.x")
        assert cache.read("aa0.x")
    finally:
        other.close()


def test_an_entry_that_a_disk_refuses_once_is_none_for_a_while_only(cache, monkeypatch):
    put(cache, "aa0.x")
    clock = [time.monotonic()]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    def refuse(_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(module.Path, "read_bytes", refuse)
        with pytest.raises(KeyError):
            cache.read("aa0.x")
    assert not cache.has("aa0.x")
    clock[0] += module.UNREADABLE_SECONDS
    assert cache.has("aa0.x")
    assert cache.read("aa0.x")


def test_no_fault_ends_the_thread(told_cache, told, monkeypatch):
    def fault(*_):
        raise RuntimeError("nobody thought of this")

    with monkeypatch.context() as patch:
        patch.setattr(told_cache, "_write_file", fault)
        put(told_cache, "aa0.x")
    monkeypatch.setattr(module, "FIRST_RETRY", 0.0)
    assert len(told) == 1
    told_cache.clear()


def test_writing_does_not_keep_the_run_waiting(cache, monkeypatch):
    disk, write = threading.Event(), module.write_bytes

    def slow(*arguments):
        assert disk.wait(60), "the run waits for it"
        write(*arguments)

    monkeypatch.setattr(module, "write_bytes", slow)
    for i in range(50):
        cache.write(f"aa{i}.x", picture(), 1.0)
    disk.set()
    cache.flush()
    assert cache.has("aa49.x")


TWO = """
import sys, torch
from ponystudio.api import Image
from ponystudio.engine.cache.disk_cache import DiskCache
cache = DiskCache(__import__("pathlib").Path(sys.argv[1]), limit=60_000)
for i in range(60):
    key = f"aa{i % 20}.x"
    cache.write(key, Image(torch.full((1, 3, 16, 16), float(i % 20))), 1.0)
    try:
        assert cache.read(f"aa{(i * 7) % 20}.x").pixels.unique().tolist() == [float((i * 7) % 20)]
    except KeyError:
        pass
cache.close()
"""


def test_two_processes_share_a_folder(tmp_path):
    processes = [
        subprocess.Popen([sys.executable, "-c", TWO, str(tmp_path)], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
        assert not errors


LEVELS = {"aa1.x": 0.25, "ab2.x": 0.5, "ac3.x": 0.75}


def used(folder) -> None:
    """A session; whatever goes wrong, a result is right or not there, and nothing is raised."""
    cache = DiskCache(folder, limit=100_000, entry_limit=50_000)
    try:
        for key, level in LEVELS.items():
            put(cache, key, level=level)
            cache.remember("scope", key, f"digest of {key}", {f"digest of {key}": "why"})
        check(cache)
        cache.forget("ab2.x")
        cache.flush()
        put(cache, "ab2.x", level=LEVELS["ab2.x"])
        check(cache)
        assert cache.last("scope", "aa1.x") in (None, "digest of aa1.x")
        assert cache.preimage("digest of aa1.x") in (None, "why")
    finally:
        cache.close()


def check(cache) -> int:
    right = 0
    for key, level in LEVELS.items():
        try:
            assert cache.read(key).pixels.unique().tolist() == [level]
            right += 1
        except KeyError:
            pass
    cache.flush()
    return right


def found(folder) -> int:
    """How many results the next session finds, all right ones."""
    cache = DiskCache(folder)
    try:
        return check(cache)
    finally:
        cache.close()


def test_whatever_fails_a_result_is_right_or_not_there(tmp_path):
    def scenario(number: int) -> FrailDisk:
        root = tmp_path / f"{number}" / "disk"
        root.mkdir(parents=True)
        with FrailDisk(root, number) as disk:
            used(root / "cache")
            cuts = [disk.cut_power(random.Random(n), root.parent / f"{n}") for n in range(2)]
        for after in (root, *cuts):
            count = found(after / "cache")
        assert disk.failed or count == len(LEVELS)
        return disk

    every_failure(scenario)


def test_whatever_fails_in_the_index_a_result_is_right_or_not_there(tmp_path):
    def scenario(number: int) -> FrailSqlite:
        with FrailSqlite(number) as index:
            used(tmp_path / f"{number}")
        count = found(tmp_path / f"{number}")
        assert index.failed or count == len(LEVELS)
        return index

    every_failure(scenario)
