"""What holds for every test: no network, no user folders, and silence is a requirement.

A test fails when it leaves a thread or a child process behind, or when anything warns through
`logging`; one that provokes a warning on purpose is marked `log_warnings`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest

# Some things end a moment after the call that ends them returns; on a busy machine, a long one.
PATIENCE = 10.0

# A busy machine is no failure; what is too slow shows in the benchmarks.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# Set before a test module can import diffusers or transformers.
os.environ["HF_HUB_OFFLINE"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:  # its neighbours have the other cores; as for torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test asks the desktop to stay awake.
os.environ["WAKEPY_FAKE_SUCCESS"] = "1"

# Windows are real ones, on the display that pytest-xvfb opens, where there can be one.
if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or shutil.which("Xvfb")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


# Bytes that a process of tests and what it starts may take at most.
NEEDED = 7 * 2**29
# Marks of tests that want the machine for themselves.
_ALONE = re.compile(r"(?<!not )\b(full|gpu|benchmark|campaign)\b")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes `-n auto` makes: one a core that is ours, and none beside this one (0) for
    tests that want the machine for themselves."""
    if _ALONE.search(config.option.markexpr):
        return 0
    ours = psutil.Process()
    cores = len(ours.cpu_affinity()) if hasattr(ours, "cpu_affinity") else os.cpu_count() or 1
    processes = min(cores, psutil.virtual_memory().available // NEEDED)
    return processes if processes > 1 else 0


@pytest.fixture(scope="session", autouse=True)
def _user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings, caches and pictures of the person who runs the tests are neither read nor kept."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("PONYSTUDIO_HOME", str(home / "PonyStudio"))
        for variable, folder in (
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_CACHE_HOME", ".cache"),
            ("XDG_STATE_HOME", ".local/state"),
            ("XDG_PICTURES_DIR", "Pictures"),
        ):
            patch.setenv(variable, str(home / folder))
        runtime = home / "run"
        runtime.mkdir(0o700)
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        yield


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _no_log_warnings(request: pytest.FixtureRequest) -> Iterator[None]:
    handler = _Warnings()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    if handler.records and request.node.get_closest_marker("log_warnings") is None:
        lines = [f"{record.name}: {record.getMessage()}" for record in handler.records]
        pytest.fail("logged a warning: " + "; ".join(lines))


@pytest.fixture(scope="session")
def qapp(qapp: Any) -> Iterator[Any]:
    """The application with a loop for flows, as the studio has it."""
    from ponystudio.qt.event_loop import event_loop

    with event_loop(qapp, already_running=True):
        yield qapp


@pytest.fixture(autouse=True)
def _no_leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    threads, children = set(threading.enumerate()), set(_children())
    yield
    if "qapp" in request.fixturenames:
        from ponystudio.qt.event_loop import end_flows

        assert not end_flows(asyncio.get_event_loop())
    left = _outlasting(lambda: [t for t in threading.enumerate() if t not in threads])
    assert not left, f"left threads behind: {[thread.name for thread in left]}"
    orphans = _outlasting(lambda: [child for child in _children() if child not in children])
    assert not orphans, f"left child processes behind: {orphans}"


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """Cycles of Qt objects end where they were made: whatever ends badly is found there.

    So do the readers of pictures, which are there from the first picture on.
    """
    yield
    if "ponystudio.pictures.picture_reader" in sys.modules:
        from ponystudio.pictures import picture_reader

        picture_reader.close()
        assert not _outlasting(lambda: [*filter(_is_reader, psutil.Process().children())])
    if "PySide6.QtGui" in sys.modules:
        gc.collect()


def _children() -> list[psutil.Process]:
    """Live children. Zombies count too: somebody forgot to wait for them."""
    ours = psutil.Process()
    if not Path("/proc/self/task", str(ours.pid), "children").exists():
        readers = {*filter(_is_reader, ours.children())}
        return [child for child in ours.children(recursive=True) if child not in readers]
    found, parents = [], [ours]
    while parents:
        parent = parents.pop()
        for id in _child_ids(parent.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                child = psutil.Process(id)
                if parent is not ours or not _is_reader(child):
                    found.append(child)
                    parents.append(child)
    return found


def _child_ids(parent: int) -> Iterator[int]:
    """As Linux keeps them; psutil looks for them among all processes, for milliseconds."""
    for file in Path("/proc", str(parent), "task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended, or the process
            yield from map(int, file.read_text().split())


def _is_reader(child: psutil.Process) -> bool:
    """Whether it is a reader of pictures that nobody has forgotten to wait for."""
    try:
        return "reader" in child.cmdline()[-2:]
    except psutil.Error:
        return False


def _outlasting(leftovers: Callable[[], list[Any]]) -> list[Any]:
    """What is still there after some patience."""
    deadline = time.monotonic() + PATIENCE
    while (left := leftovers()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
