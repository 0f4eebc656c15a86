"""The numbers of a run outside its network are the same on every CPU, to the last bit.

What torch's vectorised float32 functions give differs from one CPU to the next, so each run is
made a second time by a process without them.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import torch

from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.sampling.names import SAMPLERS, find_sampler
from ponystudio.diffusion.sampling.parameterisation import VP, Flow
from ponystudio.diffusion.sampling.samplers import Process, samplers
from ponystudio.diffusion.sampling.schedules import SCHEDULES, sigmas

ALIGNED = find_family("sd1").aligned
SPACES = {"eps": VP(aligned=ALIGNED), "v": VP("v", zsnr=True, aligned=ALIGNED), "flow": Flow(1.73)}


def digests() -> list[str]:
    """A line for each table, schedule and sampler in each parameterisation."""
    lines = []
    for name, space in SPACES.items():
        lines.append(f"{name} table {_digest(space.table)}")
        for schedule in SCHEDULES:
            if schedule == "align_your_steps" and not space.aligned:
                continue
            lines += [
                f"{name} {schedule} {n} {_digest(sigmas(space, schedule, n))}" for n in (7, 20, 333)
            ]
        lines += [
            f"{name} {sampler} {_digest(_states(space, sampler))}"
            for sampler in SAMPLERS
            if find_sampler(sampler).flow or space.prediction != "flow"
        ]
    return lines


def _states(space, sampler):
    """x after each step, of a network and noise that take additions and products alone."""
    x = torch.arange(-4.0, 4.0).view(1, 1, 2, 4) / 8

    def D(x, σ):
        return space.denoised(x, 0.5 * x / space.input_scale(σ) + space.t(σ) / 4096, σ)

    levels = sigmas(space, "normal", 7, sampler=sampler)

    def both(x, σ):
        return D(x, σ), D(x, σ) / 2

    levels = sigmas(space, "normal", 7, sampler=sampler)
    process = Process(D, space, lambda σ, σ_next: x.flip(3), both)
    run = samplers()[sampler](process, space.start(torch.zeros_like(x), x, levels[0]), levels)
    return torch.stack([x for x, _ in run])


def _digest(values):
    return hashlib.sha256(values.numpy().tobytes()).hexdigest()[:16]


def test_tables_and_coefficients_do_not_depend_on_the_cpu():
    plain = subprocess.run(
        [sys.executable, __file__],
        env={
            **os.environ,
            "ATEN_CPU_CAPABILITY": "default",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert plain.stdout.splitlines() == digests()


if __name__ == "__main__":
    print(*digests(), sep="\n")
