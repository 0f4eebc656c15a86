"""A stretch of mutations of one reader, in a process of its own that may not take too much.

    python -m helpers.mutation_run READER FIRST COUNT

prints one JSON object: how many were read and refused, the slowest one (seconds of the CPU), by how
much the memory grew, and the faults, each with the number of its mutation, which makes it again.
"""

from __future__ import annotations

import gc
import json
import logging
import resource
import signal
import sys
import time
import traceback
import warnings
from typing import Any, NoReturn

from helpers.mutations import mutated
from helpers.readers import BY_NAME, REFUSALS

SECONDS, BYTES = 1.0, 500 * 2**20
MOST_FAULTS = 5


class Overrun(BaseException):
    """It takes too long."""


def _overrun(_signal: int, _frame: object) -> NoReturn:
    raise Overrun


def _memory() -> int:
    """The most that was ever resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(name: str, first: int, count: int) -> dict[str, Any]:
    reader, seeds = BY_NAME[name], list(BY_NAME[name].seeds())
    for seed in seeds:  # imports, and all that is made once
        _read(reader.read, seed)
    gc.collect()
    signal.signal(signal.SIGPROF, _overrun)
    before, slowest, refused, faults = _memory(), (0.0, -1), 0, []
    for number in range(first, first + count):
        data = mutated(seeds, name, number)
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            fault = _read(reader.read, data)
        except Overrun:
            fault = f"takes more than {SECONDS} s"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        slowest = max(slowest, (time.process_time() - start, number))
        if _memory() - before > BYTES:
            before, fault = _memory(), f"takes more than {BYTES >> 20} MB"
        refused += fault == ""
        if fault:
            faults.append({"number": number, "bytes": len(data), "fault": fault})
            if len(faults) >= MOST_FAULTS:
                break
    grown = _memory() - before
    return {"refused": refused, "slowest": slowest, "grown": grown, "faults": faults}


def _read(read: Any, data: bytes) -> str | None:
    """None if it could be read, "" if it was refused, else what is wrong."""
    try:
        read(data)
    except REFUSALS:
        return ""
    except Overrun:
        raise
    except Exception:
        return traceback.format_exc(limit=-4)
    return None


if __name__ == "__main__":
    logging.disable()
    warnings.simplefilter("ignore")
    most = BYTES + _memory() + 3 * 2**30  # what is merely reserved counts here, too
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
