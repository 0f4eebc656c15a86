"""A program in the worker's place: the `scope` of a run says what it does in its stead.

    fake_worker.py STARTS [AT_START...]

STARTS is a file that gets a line at each start; the n-th start does what the n-th AT_START says,
before or instead of saying that it is ready. Runs that it did not answer otherwise are finished.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

from ponystudio.engine.protocol.frames import (
    MAX_JSON,
    encode,
    read_command,
    write_frame,
)
from ponystudio.engine.protocol.run_events import Note, RunFinished
from ponystudio.engine.protocol.worker_messages import (
    Heartbeat,
    Message,
    PlanAnswer,
    PlanRun,
    RunMessage,
    SubmitRun,
    WorkerReady,
)
from ponystudio.graph.catalog import Catalog

READY = WorkerReady("CPU, fp32", "CPU", "", [], Catalog([]).to_json())
FLOOD = 50_000
OUT = sys.stdout.buffer

# What no worker sends: raw bytes by name.
GARBAGE: dict[str, bytes] = {}


def _raw(body: bytes, blob: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack(">II", len(body) if length is None else length, len(blob)) + body + blob


def _of(value: Any) -> bytes:
    return _raw(json.dumps(value).encode())


def _run(event: Any) -> bytes:
    return _of({"message": "RunMessage", "number": 1, "event": event})


GARBAGE |= {
    "huge length": struct.pack(">II", 2**31 - 1, 0),
    "huge blob": struct.pack(">II", 2, 2**32 - 1) + b"{}",
    "pieces without end": struct.pack(">II", 2**31, 0),
    "more pieces than fit": _raw(b" " * 2**20, length=2**31 | 2**20) * (MAX_JSON // 2**20 + 1),
    "text": b"Traceback (most recent call last):\n  File ...\n",
    "invalid UTF-8": _raw(b'{"message": "Heartbeat\xff"}'),
    "no JSON": _raw(b"{"),
    "a list": _of([]),
    "a number": _of(7),
    "nested": _raw(b"[" * 500_000),
    "digits": _raw(b'{"message": ' + b"9" * 100_000 + b"}"),
    "no number": _of({"message": "RunMessage", "event": {"event": "run_finished", "seconds": 1}}),
    "number as text": _of({"message": "PlanAnswer", "number": "1"}),
    "an event that is none": _run(7),
    "an event without its fields": _run({"event": "progress"}),
    "a field of another type": _run({"event": "progress", "node": "a", "step": "x", "steps": 1}),
    "NaN": _run({"event": "run_finished", "seconds": float("nan")}),
    "infinite": _run({"event": "run_finished", "seconds": float("inf")}),
    "half a memory": _of({"message": "MemoryUse", "device": "CPU"}),
    "bytes that belong to nothing": _raw(b'{"message": "Heartbeat"}', b"12345"),
    "a graph that is none": _of({"message": "WorkerReady", "catalog": 3}),
}
# What is passed over: the run goes on.
HARMLESS: dict[str, bytes] = {
    "no name": _of({}),
    "an unknown message": _of({"message": "Greeting"}),
    "an unknown event": _run({"event": "danced"}),
    "a list as the name": _of({"message": []}),
    "a map as the event's name": _run({"event": {}}),
    "an answer to nobody": _of({"message": "PlanAnswer", "number": -1, "nodes": {}, "keys": {},
                                "errors": []}),
}  # fmt: skip


def say(message: Message) -> None:
    write_frame(OUT, encode(message))


def _finish(number: int) -> None:
    say(RunMessage(number, RunFinished(0.0)))


def act(what: str, number: int, stream: BinaryIO) -> None:
    if what in GARBAGE or what in HARMLESS:
        OUT.write(GARBAGE.get(what) or HARMLESS[what])
        OUT.flush()
        if what in GARBAGE:
            time.sleep(60)
    match what:
        case "half a frame, end":
            OUT.write(_run({"event": "run_finished", "seconds": 1})[:-3])
            OUT.flush()
            os._exit(0)
        case "half a frame, silence":
            OUT.write(_run({"event": "run_finished", "seconds": 1})[:-3])
            OUT.flush()
            time.sleep(60)
        case "silence":
            time.sleep(60)
        case "exit":
            os._exit(7)
        case "SIGSEGV" | "SIGKILL" | "SIGABRT":
            os.kill(os.getpid(), getattr(signal, what))
            time.sleep(60)
        case "closes its output":
            os.close(OUT.fileno())
            time.sleep(60)
        case "ends, its child has the pipes":
            if os.fork() == 0:
                time.sleep(8)
                os._exit(0)
            os._exit(7)
        case "flood":
            for at in range(FLOOD):
                say(RunMessage(number, Note("n", str(at))))
        case "waits":
            while not Path(sys.argv[1]).with_suffix(".go").exists():
                say(Heartbeat())
                time.sleep(0.05)


def main() -> None:
    starts = Path(sys.argv[1])
    with starts.open("a") as file:
        print("start", file=file)
    at = len(starts.read_text().splitlines()) - 1
    act(next(iter(sys.argv[2:][at:]), ""), 0, sys.stdin.buffer)
    say(READY)
    with contextlib.suppress(BrokenPipeError):
        while (command := read_command(sys.stdin.buffer)) is not None:
            match command:
                case SubmitRun(number, request):
                    with starts.with_suffix(".runs").open("a") as file:
                        print(request.scope, len(str(request.graph)), file=file)
                    act(request.scope, number, sys.stdin.buffer)
                    _finish(number)
                case PlanRun(number, request):
                    act(request.scope, number, sys.stdin.buffer)
                    say(PlanAnswer(number, {}, {}, []))


if __name__ == "__main__":
    main()
