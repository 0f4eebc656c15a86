"""AuraFlow of the released size with half of its blocks coming and going, beside the whole network,
and beside plain diffusers.

Run with `pytest -m benchmark tests/benchmarks/test_streaming.py -s`; a quarter of an hour on two
cores. It needs 14 GB of memory for the whole network, and of disk where PONYSTUDIO_FULL_MODELS
names no folder that has the file.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers import full_flows
from helpers.measured import measured

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]
PROCESS = Path(__file__).with_name("streaming_process.py")
FILE = "diffusion_models/pony-v7.safetensors"
SIDE, STEPS = 512, 2


def test_streaming(tmp_path):
    sides = {}
    with full_flows.models(tmp_path / "models", FILE) as root:
        for who in ("diffusers", "whole", "streamed"):
            done = measured([PROCESS, who, root / FILE, SIDE, STEPS])
            assert done.code == 0, done.error
            found = json.loads(done.out.splitlines()[-1])
            sides[who] = {
                **found,
                "step": min(found["steps"]),
                "peak anonymous GB": done.peak / 10**9,
            }
    print("\n" + json.dumps(sides, indent=2))
    for name in ("load", "step", "peak anonymous GB"):
        whole, streamed, theirs = (sides[w][name] for w in ("whole", "streamed", "diffusers"))
        print(f"{name}: whole / diffusers {whole / theirs:.3f}, streamed / whole", end=" ")
        print(f"{streamed / whole:.3f}")
    print(f"waiting: {sides['streamed']['waited']:.1%} of the steps")
