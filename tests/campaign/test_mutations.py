"""A million mutations over every reader: none ends in a traceback, takes a second, or 500 MB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpers.readers import READERS, Reader

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(7200)]
MUTATIONS = int(os.environ.get("PONYSTUDIO_MUTATIONS", "1000000"))
STRETCH = 5000
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_reader_survives_mutations(reader: Reader, record_property):
    count = MUTATIONS * reader.share // sum(each.share for each in READERS)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = list(pool.map(lambda stretch: run(reader.name, *stretch), stretches(count)))
    faults = [fault for each in found for fault in each["faults"]]
    slowest = max(each["slowest"] for each in found)
    refused = sum(each["refused"] for each in found)
    told = f"{reader.name}: {count:,} read, {refused:,} refused, slowest {slowest[0]:.2f} s"
    record_property("told", told)
    print(told)
    assert not faults, "\n".join(str(fault) for fault in faults[:10])


def stretches(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, STRETCH):
        yield first, min(STRETCH, count - first)


def run(name: str, first: int, count: int) -> dict:
    command = [sys.executable, "-m", "helpers.mutation_run", name, str(first), str(count)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1800)
    if done.returncode:
        fault = f"ended with {done.returncode}: {done.stderr[-2000:]}"
        return {"faults": [{"number": first, "fault": fault}], "slowest": (0, -1), "refused": 0}
    return json.loads(done.stdout)
