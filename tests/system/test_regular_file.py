"""What strangers name is opened by one function: ordinary files alone, and nobody waits."""

from __future__ import annotations

import ast
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ponystudio.errors import PonyStudioError
from ponystudio.graph.formats import graph_file
from ponystudio.library.formats import content_id, yaml_file
from ponystudio.library.formats.diffusers_folder import open_folder
from ponystudio.library.formats.weights_file import open_weights
from ponystudio.library.recognition.model_notes import said_of
from ponystudio.studio.documents.opening import digest_of
from ponystudio.system.regular_file import NotRegular, is_device_name, open_regular, read_regular

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files in folders")

# Modules that open files by their own names: what PonyStudio itself has written or ships with, and
# what the system has.
OWN_FILES = {
    "ponystudio/app/panels/log_panel.py",
    "ponystudio/engine/cache/code_fingerprint.py",
    "ponystudio/engine/cache/disk_cache.py",
    "ponystudio/engine/memory/allocation_limit.py",
    "ponystudio/engine/memory/devices.py",
    "ponystudio/engine/node_packs.py",
    "ponystudio/engine/pack_trial.py",
    "ponystudio/engine/worker/worker_main.py",
    "ponystudio/graph/atomic_write.py",
    "ponystudio/graph/catalog.py",
    "ponystudio/graph/comfyui/core_nodes.py",
    "ponystudio/graph/comfyui/workflow_layout.py",
    "ponystudio/pictures/content_credentials.py",
    "ponystudio/pictures/reader_main.py",
    "ponystudio/pictures/reader_rights.py",
    "ponystudio/studio/documents/file_lock.py",
    "ponystudio/studio/documents/journal.py",
    "ponystudio/studio/documents/journal_format.py",
    "ponystudio/studio/json_store.py",
    "ponystudio/studio/models/prompt_presets.py",
    "ponystudio/studio/restore_guard.py",
    "ponystudio/studio/runs/duration_estimates.py",
    "ponystudio/studio/runs/job_store.py",
    "ponystudio/studio/settings.py",
    "ponystudio/studio/worker/catalog_cache.py",
    "ponystudio/studio/worker/worker_session.py",
    "ponystudio/system/main_memory.py",
    "ponystudio/system/regular_file.py",
    "ponystudio/system/standard_streams.py",
    "ponystudio/widgets/theme.py",
}


def _fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _link_to_zero(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


SPECIAL: dict[str, Callable[[Path], Path]] = {
    "pipe": _fifo,
    "socket": _socket,
    "folder": _folder,
    "device": lambda _: Path("/dev/zero"),
    "link to a device": _link_to_zero,
    "terminal": lambda _: Path("/dev/ptmx"),
}


@pytest.fixture(params=SPECIAL)
def special(request, tmp_path_factory) -> Path:
    # A path as short as a socket's must be.
    path = SPECIAL[request.param](tmp_path_factory.mktemp("s") / "x")
    if not path.exists():
        pytest.skip(f"this system has no {path}")
    return path


def within(seconds: float, work: Callable[[], object]) -> list[BaseException]:
    """What it raised; fails if it is still at it after so long."""
    raised: list[BaseException] = []

    def do() -> None:
        try:
            work()
        except (PonyStudioError, OSError, ValueError) as error:
            raised.append(error)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it waits"
    return raised


@posix
def test_special_files_are_refused_at_once(special):
    raised = within(5, lambda: open_regular(special))
    assert isinstance(raised[0], NotRegular)
    assert raised[0].what in ("a pipe", "a socket", "a folder", "a device")
    assert within(5, lambda: read_regular(special, 100))


READERS: dict[str, Callable[[Path], object]] = {
    "graph": graph_file.read,
    "picture?": graph_file.is_picture,
    "digest": digest_of,
    "weights": open_weights,
    "hashes": content_id.hashes,
    "content id": content_id.content_id,
    "yaml": yaml_file.read_yaml,
    "sidecar": lambda path: said_of(path.with_suffix(".safetensors"), {}),
    "folder of a model": lambda path: open_folder(path.parent),
}


@posix
@pytest.mark.parametrize("name", ["x.json", "config.json", "x.yaml", "x.civitai.info"])
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_at_a_pipe(reader, name, tmp_path):
    path = _fifo(tmp_path / name)
    within(5, lambda: READERS[reader](path))


@posix
def test_no_reader_of_tensors_waits_at_a_pipe(tmp_path):
    from ponystudio.diffusion.images.latent_file import read_latent
    from ponystudio.diffusion.text.sentencepiece_tokens import read
    from ponystudio.diffusion.text.textual_inversion import read_embedding

    path = _fifo(tmp_path / "x.png")
    for reader in (read_latent, read, partial(read_embedding, width=768)):
        assert within(20, partial(reader, path)), reader


@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="this system has no /proc/kmsg")
def test_a_file_of_the_kernel_that_waits_has_nothing_to_read():
    within(5, lambda: read_regular("/proc/kmsg", 100))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="this system has no /proc")
def test_what_says_that_it_is_empty_is_empty():
    with open_regular("/proc/self/mem") as file:
        assert file.read() == b""


def test_files_are_read_to_the_end_and_no_further(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"pony" * 1_000_000)
    assert read_regular(path, 4_000_000) == b"pony" * 1_000_000
    with pytest.raises(OSError, match="too long"):
        read_regular(path, 3_999_999)
    with open_regular(path) as file:
        assert not os.get_inheritable(file.fileno())
        assert file.read(4) == b"pony"


def test_a_long_file_is_refused_unread(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(200 * 2**30)
    start = time.perf_counter()
    with pytest.raises(OSError, match="too long"):
        read_regular(path, 2**20)
    assert time.perf_counter() - start < 1


@posix
def test_a_link_leads_to_its_file_and_a_dead_one_nowhere(tmp_path):
    (tmp_path / "x").write_text("pony")
    (tmp_path / "link").symlink_to("x")
    (tmp_path / "dead").symlink_to("nowhere")
    assert read_regular(tmp_path / "link", 10) == b"pony"
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "dead")
    with pytest.raises(ValueError, match="null"):
        open_regular("a\0b")


def test_names_that_are_devices_on_windows():
    devices = ("CON", "nul.txt", r"C:\models\aux.safetensors", "COM1", "lpt9 .png", "conin$",
               r"\\.\pipe\x", "//./PhysicalDrive0", r"\\?\GLOBALROOT\Device\Null",
               r"D:\com¹.png", "nul:")  # fmt: skip
    files = ("console.png", "com10.txt", r"C:\nullify\x", "auxiliary", r"\\?\C:\long\x.png",
             r"\\server\share\x", r"\\?\UNC\server\x", "my.con", "common.png")  # fmt: skip
    assert [name for name in devices if not is_device_name(name)] == []
    assert [name for name in files if is_device_name(name)] == []


def _opens(tree: ast.Module) -> bool:
    """Whether a module opens files by itself."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        mode = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        match call.func:
            case ast.Name("open" | "safe_open" | "load_file" | "memmap"):
                return True
            case ast.Attribute(attr="read_bytes" | "read_text" | "safe_open" | "load_file"):
                return True
            case ast.Attribute(ast.Name("os" | "io" | "codecs" | "gzip" | "zipfile"), "open"):
                return True
            case ast.Attribute(attr="open") if isinstance(mode, str) and set(mode) <= set("rwxab+"):
                return True
            case ast.Attribute(attr="open") if not call.args and call.keywords:
                return True
    return False


def test_nobody_else_opens_files_that_strangers_name():
    found = set()
    for folder in ("ponystudio", "nodes"):
        for path in (ROOT / folder).rglob("*.py"):
            if _opens(ast.parse(path.read_text("utf-8"))):
                found.add(path.relative_to(ROOT).as_posix())
    assert found - OWN_FILES == set(), "open them with open_regular"
    assert OWN_FILES - found == set(), "these open nothing any more"
