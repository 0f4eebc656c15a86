"""How much memory there is: of the machine, and of the groups that a process is in."""

from __future__ import annotations

import platform

import psutil
import pytest

from ponystudio.system import main_memory

MEGABYTE = 2**20


def group(folder, limit, used, files=0, layout=2):
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_{}active_file"),
        2: ("memory.max", "memory.current", "{}active_file"),
    }[layout]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(str(limit))
    (folder / names[1]).write_text(str(used))
    lines = [f"{names[2].format(way)} {files // 2}" for way in ("in", "")]
    (folder / "memory.stat").write_text("\n".join(["anon 5", *lines, ""]))


@pytest.mark.parametrize(
    ("layout", "tree", "line"),
    [(1, "memory", "4:cpu,memory:/outer/inner"), (2, "", "0::/outer/inner")],
)
def test_the_groups_of_a_process_and_those_around(tmp_path, layout, tree, line):
    own = tmp_path / "own"
    own.write_text(f"9:pids:/elsewhere\n{line}\n")
    group(tmp_path / tree, 900, 500, layout=layout)
    group(tmp_path / tree / "outer", 700, 400, 100, layout)
    group(tmp_path / tree / "outer/inner", 2**63, 300, layout=layout)  # no limit
    group(tmp_path / tree / "other", 100, 50, layout=layout)
    assert main_memory.groups(tmp_path, own) == [(900, 500), (700, 300)]


def test_no_limit_in_words(tmp_path):
    group(tmp_path, "max", 500)
    assert main_memory.groups(tmp_path, tmp_path / "absent") == []


def test_a_limit_bounds_what_there_is(monkeypatch):
    monkeypatch.setattr(main_memory, "groups", lambda: [(2 * MEGABYTE, MEGABYTE)])
    assert main_memory.total() == 2 * MEGABYTE
    assert main_memory.available() == MEGABYTE
    monkeypatch.setattr(main_memory, "groups", list)
    assert main_memory.total() == psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("tree", "line", "name"),
    [
        ("memory", "4:memory:/outer", "memory.oom_control"),
        ("", "0::/outer", "memory.events"),
    ],
)
def test_what_the_system_ended_for_lack_of_memory_is_counted(tmp_path, tree, line, name):
    own = tmp_path / "own"
    own.write_text(f"{line}\n")
    assert main_memory.oom_kills(tmp_path, own) == 0
    folder = tmp_path / tree / "outer"
    folder.mkdir(parents=True)
    (folder / name).write_text("low 0\nmax 9\noom 4\noom_kill 3\n")
    assert main_memory.oom_kills(tmp_path, own) == 3


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is freed between what is not"
)
def test_what_was_freed_goes_back_to_the_system():
    process, blocks = psutil.Process(), [bytes(1000) for _ in range(100_000)]
    kept = blocks[::100]
    del blocks
    before = process.memory_info().rss
    main_memory.give_back()
    assert process.memory_info().rss < before - 50 * MEGABYTE
    assert len(kept) == 1000
