"""The rungs that are climbed when memory runs short, on a device that is only pretended."""

from __future__ import annotations

import pytest
import torch

from ponystudio.engine.memory import oom_fallbacks as module
from ponystudio.engine.memory.devices import DeviceChoice
from ponystudio.engine.memory.oom_fallbacks import (
    FRUGAL,
    ON_CPU,
    PLAIN,
    FailedAttempt,
    OomFallbacks,
    is_out_of_memory,
)
from ponystudio.errors import OutOfMemory


class Freed:
    """Stands for the cache and the pool: there is so much to free, once, and the room of weights
    can be halved so often."""

    def __init__(self, amount, halves=0):
        self.amount, self.halves = amount, halves

    def halve_rooms(self, opened):
        self.halves -= ("a", "model") in opened
        return ("a", "model") in opened and self.halves >= 0

    def drop_unpinned(self, *, device):
        return self._free()

    def offload_idle(self):
        return self._free()

    def _free(self):
        amount, self.amount = self.amount, 0
        return amount


@pytest.fixture
def climb(monkeypatch):
    """Climbs until `enough(rung, number of the attempt)`; the rungs tried and what was told."""
    monkeypatch.setattr(module, "release_cached", lambda _: None)

    def run(
        enough, *, parts=("vae",), cached=0, idle=0, halves=0, start=PLAIN, device="cuda", **more
    ):
        tried, told = [], []

        def attempt(rung):
            tried.append(rung)
            if not enough(rung, len(tried)):
                raise torch.OutOfMemoryError("CUDA out of memory")
            return "made"

        choice = DeviceChoice(
            torch.device(device), device, {"model": torch.float16}, "A GPU, fp16 (why)"
        )
        pool = Freed(idle, halves)
        ladder = OomFallbacks(choice, Freed(cached), pool, lambda e: told.append(e.action), **more)
        outcome = ladder.climb(
            "n", attempt, lambda: FailedAttempt(True, frozenset(("a", p) for p in parts)), start
        )
        assert outcome == ("made", tried[-1])
        return tried, told

    return run


def test_enough_memory_needs_no_rung(climb):
    assert climb(lambda rung, n: True) == ([PLAIN], [])


def test_caches_go_first_then_idle_weights_and_both_change_nothing(climb):
    tried, told = climb(lambda rung, n: n == 3, cached=2**20, idle=2**21)
    assert tried == [PLAIN] * 3
    assert told == [
        "forgot cached results (1 MiB)",
        "took idle weights off the device (2 MiB)",
    ]


def test_rungs_that_free_nothing_are_not_tried(climb):
    tried, told = climb(lambda rung, n: rung.frugal)
    assert tried == [PLAIN, FRUGAL]
    assert told == ["works in smaller pieces"]


def test_the_autoencoder_goes_to_the_cpu_at_last(climb):
    tried, told = climb(lambda rung, n: rung.on_cpu)
    assert tried == [PLAIN, FRUGAL, ON_CPU]
    assert told[-1] == "runs on the CPU"


def test_the_denoiser_only_where_the_user_says_so(climb):
    with pytest.raises(OutOfMemory) as error:
        climb(lambda rung, n: rung.on_cpu, parts=("model",))
    assert error.value.node == "n"
    assert "A GPU" in error.value.what
    tried, _ = climb(lambda rung, n: rung.on_cpu, parts=("model",), denoiser_on_cpu=True)
    assert tried[-1] == ON_CPU


def test_weights_come_block_by_block_when_smaller_pieces_do_not_suffice(climb):
    tried, told = climb(lambda rung, n: n == 4, parts=("model",), halves=3)
    assert tried == [PLAIN, FRUGAL, FRUGAL, FRUGAL]
    assert told[1:] == ["keeps fewer blocks of the weights in memory"] * 2


def test_a_node_on_the_cpu_has_no_other_cpu_to_go_to(climb):
    with pytest.raises(OutOfMemory):
        climb(lambda rung, n: rung.on_cpu, device="cpu")


def test_what_was_needed_before_is_tried_at_once(climb):
    tried, _ = climb(lambda rung, n: rung.frugal, start=FRUGAL)
    assert tried == [FRUGAL]


def test_other_errors_go_through(climb):
    def broken(rung, n):
        raise ValueError("not about memory")

    with pytest.raises(ValueError, match="not about memory"):
        climb(broken)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 4 bytes"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error, expected):
    assert is_out_of_memory(error) is expected


def test_rungs_that_may_change_a_result_have_marks_of_their_own():
    assert PLAIN.mark == ""
    assert len({PLAIN.mark, FRUGAL.mark, ON_CPU.mark}) == 3
