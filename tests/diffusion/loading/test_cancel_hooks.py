"""Every block of a network is watched while it runs, and a stop leaves it whole."""

from __future__ import annotations

import threading

import pytest
import torch
from diffusers import UNet2DConditionModel

from helpers import checkpoints
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading import load as load_module
from ponystudio.diffusion.loading.cancel_hooks import aside, blocks, cancel_hooks
from ponystudio.diffusion.loading.denoiser import Denoiser
from ponystudio.errors import Cancelled, DamagedFile

SD1 = find_family("sd1")


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16,
    )


@pytest.fixture(scope="module")
def denoiser(module):
    return Denoiser(module, SD1)


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(2, 4, 8, 8), torch.tensor([7.0, 981.0]), torch.randn(2, 77, 16)


class TestWatching:
    def test_every_block_is_watched_and_nothing_afterwards(self, denoiser, module, inputs):
        seen = []
        with cancel_hooks(module, lambda: seen.append(None)):
            denoiser(*inputs)
        names = {id(inside): name for name, inside in module.named_modules()}
        watched = {names[id(block)] for block in blocks(module)}
        assert {"", "down_blocks.0.resnets.1", "mid_block.attentions.0"} <= watched
        assert "down_blocks.0.attentions.0.transformer_blocks.0" in watched
        assert "up_blocks.0.upsamplers.0" in watched
        assert len(seen) > 30
        count = len(seen)
        denoiser(*inputs)
        assert len(seen) == count

    def test_cancel_leaves_inside_the_step_and_the_network_whole(self, denoiser, module, inputs):
        before = denoiser(*inputs)
        countdown = iter(range(10))

        def check():
            if next(countdown) == 9:
                raise Cancelled

        with pytest.raises(Cancelled), cancel_hooks(module, check):
            denoiser(*inputs)
        assert torch.equal(denoiser(*inputs), before)


class Made:
    closed = False

    def close(self):
        self.closed = True


class Stopping:
    """A check that raises from the second call on."""

    calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls > 1:
            raise Cancelled


def loading_threads():
    return [thread for thread in threading.enumerate() if thread.name == "loading"]


@pytest.fixture
def held():
    """What a load waits for; it goes on at the end of the test, and comes to its end."""
    event = threading.Event()
    yield event
    event.set()
    for thread in loading_threads():
        thread.join(60)
    assert not loading_threads()


class TestAside:
    def test_what_is_made_is_given(self):
        made = Made()
        assert aside(lambda check: made, lambda: None) is made
        assert not made.closed

    def test_what_is_raised_goes_through(self):
        def work(check):
            raise DamagedFile("Torn.")

        with pytest.raises(DamagedFile, match="Torn"):
            aside(work, lambda: None)

    def test_work_that_waits_is_not_waited_for(self, held):
        """An import, or a disk that is slow: it goes on, and what it makes is closed."""
        made = Made()

        def work(check):
            assert held.wait(60)
            return made

        with pytest.raises(Cancelled):
            aside(work, Stopping())
        assert not held.is_set()
        held.set()
        for thread in loading_threads():
            thread.join(60)
        assert made.closed

    def test_work_that_asks_ends_there(self, held):
        ends = []

        def work(check):
            assert held.wait(60)
            try:
                check()
            except Cancelled:
                ends.append(True)
                raise

        with pytest.raises(Cancelled):
            aside(work, Stopping())
        held.set()
        for thread in loading_threads():
            thread.join(60)
        assert ends == [True]


@pytest.mark.parametrize("part", ["model", "clip", "vae"])
def test_stop_waits_for_no_import_of_a_load(part, held, tmp_path, monkeypatch):
    """The first load of a process imports libraries for seconds."""
    path = checkpoints.micro(tmp_path / "micro.safetensors")
    monkeypatch.setattr(load_module, "quiet_libraries", lambda: held.wait(60))
    with pytest.raises(Cancelled):
        load_module.load(path, part, device="cpu", dtype=torch.float32, check=Stopping())
    assert not held.is_set()
