"""What the reader may not do once it has given up its rights, tried by a process that did so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ponystudio.pictures.picture_reader import protections

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's ways to confine a process")

# Each is tried after the rights are gone, with all that it takes already loaded.
ATTEMPTS = """
import ctypes, errno, json, os, signal, socket, subprocess, sys, threading, mmap
from ponystudio.pictures import reader_rights

libc = ctypes.CDLL(None, use_errno=True)
kept = os.open(sys.argv[1], os.O_RDONLY)
parent = os.getppid()

def call(name, *arguments):
    ctypes.set_errno(0)
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

attempts = {
    "read a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "read by openat2": lambda: call("syscall", 437, -100, b"/etc/passwd", bytes(24), 24),
    "write a file": lambda: os.open(sys.argv[1], os.O_WRONLY),
    "make a file": lambda: os.open(sys.argv[1] + ".new", os.O_WRONLY | os.O_CREAT),
    "list a folder": lambda: os.listdir("/"),
    "look at a file": lambda: os.stat("/etc/passwd"),
    "delete a file": lambda: os.unlink(sys.argv[1]),
    "make a folder": lambda: os.mkdir(sys.argv[1] + ".d"),
    "a socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "a local socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "fork": lambda: os.fork() or os._exit(0),
    "another program": lambda: os.execv("/bin/true", ["true"]),
    "a thread": lambda: threading.Thread(target=int).start(),
    "signal the parent": lambda: os.kill(parent, signal.SIGTERM),
    "trace the parent": lambda: call("ptrace", 16, parent, 0, 0),
    "a pipe": lambda: os.pipe(),
    "its limits": lambda: call("prlimit64", 0, 9, bytes(16), None),
    "memory that is code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "another name": lambda: call("prctl", 15, b"innocent", 0, 0, 0),
    "32-bit calls": lambda: call("syscall", 0x40000000 + 2, b"/etc/passwd", 0),
}
given_up = reader_rights.give_up_rights()
result = {}
for name, attempt in attempts.items():
    try:
        attempt()
        result[name] = "done"
    except (OSError, RuntimeError) as error:
        result[name] = errno.errorcode.get(getattr(error, "errno", None), "refused")
result["read what it has"] = os.pread(kept, 4, 0).decode()
result["memory"] = len(bytearray(2**24))
os.write(1, json.dumps([given_up, result]).encode())
os._exit(0)
"""


@linux
def test_nothing_is_left_but_what_decoding_takes(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("pony")
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, kept], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    given_up, result = json.loads(done.stdout)
    if not any("seccomp" in what for what in given_up):
        pytest.skip("this system has no seccomp")
    assert result.pop("read what it has") == "pony"
    assert result.pop("memory") == 2**24
    assert {name for name, how in result.items() if how == "done"} == set()
    assert result["read a file"] == "EPERM"
    assert kept.read_text() == "pony"
    assert list(tmp_path.iterdir()) == [kept]


@linux
def test_landlock_alone_keeps_it_from_files(tmp_path: Path) -> None:
    """Where there is no filter for the machine, what there is holds."""
    (tmp_path / "x").write_text("pony")
    code = (
        "import os, sys; from ponystudio.pictures import reader_rights as r;"
        "r.ALLOWED.clear(); print(r.give_up_rights());"
        "\ntry: os.open(sys.argv[1], os.O_RDONLY); print('opened')"
        "\nexcept OSError as error: print(error.errno)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True, timeout=60
    )
    given_up, answer = done.stdout.splitlines()
    assert "seccomp" not in given_up
    if "Landlock" not in given_up:
        pytest.skip("this system has no Landlock")
    assert answer == "13", done.stderr  # EACCES


@linux
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_filter_ends_all_its_jumps_where_they_should(machine: str) -> None:
    """Run by hand over what the kernel would show it."""
    import struct

    from ponystudio.pictures import reader_rights

    code = [
        struct.unpack_from("HBBI", reader_rights.seccomp_filter(machine), place)
        for place in range(0, len(reader_rights.seccomp_filter(machine)), 8)
    ]

    def verdict(call: int, protection: int = 0, architecture: int | None = None) -> bool:
        architecture = reader_rights.MACHINES[machine] if architecture is None else architecture
        data, place, held = {0: call, 4: architecture, 32: protection}, 0, 0
        while True:
            kind, yes, no, value = code[place]
            place += 1
            if kind == 0x20:
                held = data[value]
            elif kind == 0x15:
                place += yes if held == value else no
            elif kind == 0x45:
                place += yes if held & value else no
            else:
                return value == 0x7FFF0000

    allowed = set(reader_rights.ALLOWED[machine])
    assert {call for call in range(1000) if verdict(call)} == allowed
    assert {call for call in range(1000) if verdict(call, 4)} == allowed - set(
        reader_rights.MAPPING[machine]
    )
    assert not any(verdict(call, architecture=0x40000003) for call in allowed)


def test_what_protects_is_told() -> None:
    told = protections()
    assert all(isinstance(what, str) for what in told)
    if sys.platform == "linux":
        assert any("limits" in what for what in told)
