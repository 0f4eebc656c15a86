"""Full-size checkpoints beside plain diffusers, on the same file, in the same run.

Run with `pytest -m benchmark tests/benchmarks -s`; it prints the ratios that README quotes. The
two sides take turns in processes of their own, so that neither warms up for the other.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from helpers.diffusers_config import write_config
from helpers.make_checkpoint import write_checkpoint
from helpers.relatives import write_full_sdxl

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]
PROCESS = Path(__file__).with_name("checkpoint_process.py")
SIDE = 512
WRITERS: dict[str, Callable[[Path], Path]] = {
    "sd1": partial(write_checkpoint, "full"),
    "sdxl": write_full_sdxl,
}


@pytest.fixture(scope="module", params=WRITERS)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def checkpoint(family, tmp_path_factory):
    path = tmp_path_factory.mktemp("full") / "full.safetensors"
    WRITERS[family](path)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def config(family, tmp_path_factory):
    return write_config(family, tmp_path_factory.mktemp("config"))


def _measure(who: str, checkpoint: Path, dtype: str, steps: int, config: Path) -> dict:
    command = [PROCESS, who, checkpoint, dtype, SIDE, steps, config]
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _read_and_cast(checkpoint: Path, dtype: torch.dtype) -> float:
    """Seconds of one warm sequential read and one cast of the same bytes: what loading must do."""
    buffer = bytearray(checkpoint.stat().st_size // 2 * 2)
    for _ in range(2):  # the first read warms the file
        start = time.perf_counter()
        with checkpoint.open("rb") as file:
            file.readinto(buffer)
        torch.frombuffer(buffer, dtype=torch.float16).to(dtype)
    return time.perf_counter() - start


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_beside_plain_diffusers(dtype, family, checkpoint, config):
    if family == "sdxl" and dtype == "float32":
        pytest.skip("plain diffusers would need 14 GiB and more for the weights alone")
    # SDXL's step takes four times as long.
    rounds, steps = (2, 6) if family == "sd1" else (1, 3)
    how = checkpoint, dtype, steps, config
    runs = [(_measure("ours", *how), _measure("diffusers", *how)) for _ in range(rounds)]
    ours, theirs = ([pair[side] for pair in runs] for side in (0, 1))

    # The first step pays for warming up on both sides.
    def step(runs):
        return statistics.median(t for run in runs for t in run["steps"][1:])

    figures = {
        "family": family,
        "dtype": dtype,
        "step": (step(ours), step(theirs)),
        "load": (min(r["load"] for r in ours), min(r["load"] for r in theirs)),
        "read and cast": _read_and_cast(checkpoint, getattr(torch, dtype)),
        "decode": (min(r["decode"] for r in ours), min(r["decode"] for r in theirs)),
        "peak anonymous GiB": tuple(
            max(r["peak_anonymous"] for r in runs) / 2**30 for runs in (ours, theirs)
        ),
    }
    print("\n" + json.dumps(figures, indent=2))
    for name in ("step", "decode", "peak anonymous GiB"):
        mine, other = figures[name]
        print(f"{name}: {mine:.2f} / {other:.2f} = {mine / other:.3f}")
    ratio = figures["load"][0] / figures["read and cast"]
    print(f"load / (read + cast): {ratio:.2f}")
