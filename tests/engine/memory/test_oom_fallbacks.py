"""The fallbacks that are climbed when memory runs short, on a device that is only pretended."""

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
def attempt(monkeypatch):
    """Attempts until `enough(fallback, number of the attempt)`; the fallbacks tried, and the
    messages."""
    monkeypatch.setattr(module, "release_cached", lambda _: None)

    def attempt(
        enough, *, parts=("vae",), cached=0, idle=0, halves=0, known=None, device="cuda", **more
    ):
        tried, told = [], []

        def run(fallback):
            tried.append(fallback)
            if not enough(fallback, len(tried)):
                raise torch.OutOfMemoryError("CUDA out of memory")
            return "made"

        choice = DeviceChoice(
            torch.device(device), device, {"model": torch.float16}, "A GPU, fp16 (why)"
        )
        pool = Freed(idle, halves)
        fallbacks = OomFallbacks(choice, Freed(cached), pool, lambda e: told.append(e.action))
        if known:
            fallbacks.known["digest"] = known
        failed = FailedAttempt(True, frozenset(("a", p) for p in parts))
        assert fallbacks.attempt("n", "digest", run, lambda: failed, **more) == "made"
        assert fallbacks.known.get("digest", PLAIN) == tried[-1]
        return tried, told

    return attempt


def test_enough_memory_needs_no_fallback(attempt):
    assert attempt(lambda fallback, n: True) == ([PLAIN], [])


def test_caches_go_first_then_idle_weights_and_both_change_nothing(attempt):
    tried, told = attempt(lambda fallback, n: n == 3, cached=2**20, idle=2**21)
    assert tried == [PLAIN] * 3
    assert told == [
        "forgot cached results (1 MiB)",
        "took idle weights off the device (2 MiB)",
    ]


def test_fallbacks_that_free_nothing_are_not_tried(attempt):
    tried, told = attempt(lambda fallback, n: fallback.frugal)
    assert tried == [PLAIN, FRUGAL]
    assert told == ["works in smaller pieces"]


def test_the_autoencoder_goes_to_the_cpu_at_last(attempt):
    tried, told = attempt(lambda fallback, n: fallback.on_cpu)
    assert tried == [PLAIN, FRUGAL, ON_CPU]
    assert told[-1] == "runs on the CPU"


def test_the_denoiser_only_where_the_user_says_so(attempt):
    with pytest.raises(OutOfMemory) as error:
        attempt(lambda fallback, n: fallback.on_cpu, parts=("model",))
    assert error.value.node == "n"
    assert "A GPU" in error.value.what
    tried, _ = attempt(lambda fallback, n: fallback.on_cpu, parts=("model",), denoiser_on_cpu=True)
    assert tried[-1] == ON_CPU


def test_weights_come_block_by_block_when_smaller_pieces_do_not_suffice(attempt):
    tried, told = attempt(lambda fallback, n: n == 4, parts=("model",), halves=3)
    assert tried == [PLAIN, FRUGAL, FRUGAL, FRUGAL]
    assert told[1:] == ["keeps fewer blocks of the weights in memory"] * 2


def test_a_node_on_the_cpu_has_no_other_cpu_to_go_to(attempt):
    with pytest.raises(OutOfMemory):
        attempt(lambda fallback, n: fallback.on_cpu, device="cpu")


def test_what_was_needed_before_is_tried_at_once(attempt):
    tried, _ = attempt(lambda fallback, n: fallback.frugal, known=FRUGAL)
    assert tried == [FRUGAL]


def test_other_errors_go_through(attempt):
    def broken(fallback, n):
        raise ValueError("not about memory")

    with pytest.raises(ValueError, match="not about memory"):
        attempt(broken)


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


def test_fallbacks_that_may_change_a_result_have_suffixes_of_their_own():
    assert PLAIN.suffix == ""
    assert len({PLAIN.suffix, FRUGAL.suffix, ON_CPU.suffix}) == 3
