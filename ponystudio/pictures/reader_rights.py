"""What the reader of pictures may not do: given up by itself, and taken from it from outside.

It keeps what decoding takes: memory, arithmetic, the file that it was handed and the way back. What
a system lacks is left out; `given_up` says what holds.

Linux    seccomp: a list of the calls that may be made, none of which opens, connects, starts or
         signals anything; Landlock: no file and no port; limits. Sources: seccomp(2),
         landlock(7), the headers audit.h, filter.h, seccomp.h and landlock.h.
macOS    the sandbox "pure-computation" (sandbox.h); limits.
Windows  a job that ends with whoever owns it and bounds the memory (winnt.h).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

# Calls by machine, in the order: read write readv writev pread64 close lseek mmap mprotect munmap
# brk mremap madvise rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack sendto recvfrom sendmsg
# recvmsg exit exit_group futex getrusage gettimeofday times getpid gettid sched_yield
# clock_gettime clock_getres clock_nanosleep nanosleep setitimer getrandom restart_syscall
ALLOWED = {
    "x86_64": (0, 1, 19, 20, 17, 3, 8, 9, 10, 11, 12, 25, 28, 13, 14, 15, 131, 44, 45, 46, 47, 60,
               231, 202, 98, 96, 100, 39, 186, 24, 228, 229, 230, 35, 38, 318, 219),
    "aarch64": (63, 64, 65, 66, 67, 57, 62, 222, 226, 215, 214, 216, 233, 134, 135, 139, 132, 206,
                207, 211, 212, 93, 94, 98, 165, 169, 153, 172, 178, 124, 113, 114, 115, 101, 103,
                278, 128),
}  # fmt: skip
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
# mmap and mprotect: nothing may become code.
MAPPING = {"x86_64": (9, 10), "aarch64": (222, 226)}
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446

_NO_NEW_PRIVILEGES = 38  # of prctl
_EXECUTABLE = 4  # of mmap
# Besides those that it has: what it is handed, one at a time.
_MORE_FILES = 4


def give_up_rights() -> tuple[str, ...]:
    """Give up, for good, all that this process does not need. Says what it was, in words.

    All code that is to be used must have been loaded before.
    """
    given_up = list(_limits())
    if sys.platform == "linux":
        given_up += _linux()
    elif sys.platform == "darwin":
        given_up += _macos()
    return tuple(given_up)


def _limits() -> list[str]:
    try:
        import resource
    except ImportError:  # Windows
        return []
    highest = max((int(name) for name in os.listdir("/dev/fd")), default=16)  # noqa: PTH208
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, highest + _MORE_FILES),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))
    return ["no file can be written, no process started (limits)"]


def _linux() -> list[str]:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return []
    given_up = []
    if version := _landlock(libc):
        given_up.append(f"no file can be opened (Landlock {version})")
    if _seccomp(libc):
        given_up.append("no file, connection or process can be opened or signalled (seccomp)")
    return given_up


def _landlock(libc: Any) -> int:
    """The version of Landlock that holds, or 0."""
    version: int = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if version <= 0:
        return 0
    # Every right that this version can withhold: of files, ports, and (since 6) other processes.
    files = (1 << (13 + (version >= 2) + (version >= 3) + (version >= 5))) - 1
    rules = struct.pack("QQQ", files, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    rules = rules[: 8 if version < 4 else 16 if version < 6 else 24]
    handle = libc.syscall(_LANDLOCK_CREATE, rules, len(rules), 0)
    if handle < 0:
        return 0
    try:
        return 0 if libc.syscall(_LANDLOCK_RESTRICT, handle, 0) else version
    finally:
        os.close(handle)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _seccomp(libc: Any) -> bool:
    """Whether a filter holds that fails all calls but those allowed."""
    machine = platform.machine()
    if machine not in ALLOWED or sys.maxsize < 2**32:
        return False
    code = seccomp_filter(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    # Mode 1, a filter, and flag 1: for all threads.
    return bool(libc.syscall(_SECCOMP[machine], 1, 1, ctypes.byref(program)) == 0)


def seccomp_filter(machine: str) -> bytes:
    """A program of classic BPF over struct seccomp_data: call at 0, machine at 4, arguments from
    16 on."""
    load, equal, any_of, end = 0x20, 0x15, 0x45, 0x06
    allow, fail = 0x7FFF0000, 0x00050000 | 1  # as EPERM

    allowed = [call for call in ALLOWED[machine] if call not in MAPPING[machine]]
    mapping = MAPPING[machine]
    # The end is: fail, load the protection, test it, fail, allow.
    code = [(load, 0, 0, 4), (equal, 1, 0, MACHINES[machine]), (end, 0, 0, fail), (load, 0, 0, 0)]
    total = len(code) + len(mapping) + len(allowed)
    for call in mapping:
        code.append((equal, total - len(code), 0, call))  # to: load the protection
    for call in allowed:
        code.append((equal, total + 3 - len(code), 0, call))  # to: allow
    code += [
        (end, 0, 0, fail),
        (load, 0, 0, 16 + 2 * 8),
        (any_of, 0, 1, _EXECUTABLE),
        (end, 0, 0, fail),
        (end, 0, 0, allow),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in code)


def _macos() -> list[str]:
    try:
        confine = ctypes.CDLL(None).sandbox_init
    except (OSError, AttributeError):
        return []
    message = ctypes.c_char_p()
    if confine(b"pure-computation", ctypes.c_uint64(1), ctypes.byref(message)):
        return []
    return ["no file, connection or process can be opened (sandbox)"]


# --- From outside ---------------------------------------------------------------------------------


class MemoryLimit:
    """How much memory a process may take, told by the one that has started it.

    Where a system has no such limit, what a picture needs is still worked out before it is decoded.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._pid = process.pid
        self._job = _WindowsJob(process) if sys.platform == "win32" else None

    def allow(self, more: int) -> None:
        """So many bytes beyond what it has now."""
        if sys.platform == "linux":
            import resource

            with contextlib.suppress(OSError, ValueError):
                limit = self._pages()[0] + more
                resource.prlimit(self._pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        elif self._job is not None:
            self._job.limit(more)

    @property
    def resident(self) -> int:
        """Bytes in memory now; 0 where that is not known."""
        if sys.platform != "linux":
            return 0
        try:
            return self._pages()[1]
        except OSError:
            return 0

    def close(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.close()

    def _pages(self) -> tuple[int, int]:
        """Bytes of address space, and of it in memory."""
        size, resident, *_ = Path(f"/proc/{self._pid}/statm").read_text().split()
        page = os.sysconf("SC_PAGE_SIZE")
        return int(size) * page, int(resident) * page


class _WindowsJob:
    """A job object: its processes end with it, and may take so much memory each."""

    # JOB_OBJECT_LIMIT_: PROCESS_MEMORY, DIE_ON_UNHANDLED_EXCEPTION, KILL_ON_JOB_CLOSE.
    _FLAGS = 0x100 | 0x400 | 0x2000
    _EXTENDED_LIMITS = 9

    class _Limits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = (
            ("times", ctypes.c_int64 * 2),
            ("flags", ctypes.c_uint32),
            ("working_set", ctypes.c_size_t * 2),
            ("processes", ctypes.c_uint32),
            ("affinity", ctypes.c_size_t),
            ("priority", ctypes.c_uint32 * 2),
            ("io", ctypes.c_uint64 * 6),
            ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t),
            ("peaks", ctypes.c_size_t * 2),
        )

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._kernel: Any = getattr(ctypes, "WinDLL")("kernel32")  # noqa: B009
        self._kernel.CreateJobObjectW.restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(self._kernel.CreateJobObjectW(None, None))
        self.limit(2**40)
        owner = ctypes.c_void_p(int(process._handle))  # type: ignore[attr-defined]
        self._kernel.AssignProcessToJobObject(self._handle, owner)

    def limit(self, nbytes: int) -> None:
        # What the interpreter itself has is small beside it.
        limits = self._Limits(flags=self._FLAGS, process_memory=nbytes + 2**28)
        self._kernel.SetInformationJobObject(
            self._handle, self._EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
        )

    def close(self) -> None:
        self._kernel.CloseHandle(self._handle)
