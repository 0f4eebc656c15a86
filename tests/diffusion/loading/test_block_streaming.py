"""Blocks that come and go: the same bits, with no more of them in memory than there is room for."""

from __future__ import annotations

import re
import threading

import pytest
import torch
from safetensors.torch import save_file

from helpers import checkpoints, flows
from ponystudio.diffusion.loading import block_streaming, lora_patching
from ponystudio.diffusion.loading.cancel_hooks import cancel_hooks
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.lora import lora_file
from ponystudio.errors import Cancelled, DamagedFile

DTYPES = {"as stored": torch.float32, "cast": torch.bfloat16}


@pytest.fixture(scope="module", params=["auraflow", "flux-dev", "sd3"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def path(name, tmp_path_factory):
    return flows.write(name, tmp_path_factory.mktemp("stream") / "model.safetensors")


@pytest.fixture
def opened(path):
    """Opens the denoiser with room for so many bytes, and closes it after the test."""
    networks = []

    def opening(room=None, dtype=torch.float32, path=path):
        networks.append(load(path, "model", device="cpu", dtype=dtype, room=room))
        return networks[-1]

    yield opening
    for network in networks:
        network.close()


def size(network):
    return sum(value.numel() * value.element_size() for value in network.module.parameters())


def in_memory(network):
    return {name for name, value in network.module.named_parameters() if not value.is_meta}


class TestBits:
    @pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
    @pytest.mark.parametrize("share", [0, 0.3, 0.8])
    def test_are_those_of_the_whole_network(self, name, opened, dtype, share):
        whole = opened(dtype=dtype)
        streamed = opened(int(size(whole) * share), dtype)
        assert streamed.stream.blocks
        inputs = flows.told(name, batch=2)
        expected = whole(**inputs)
        for _ in range(2):
            streamed.stream.begin()
            assert torch.equal(streamed(**inputs), expected)
            assert torch.equal(streamed(**inputs), expected)
            streamed.stream.rest()

    def test_are_those_of_the_whole_network_with_a_lora(self, name, opened, tmp_path):
        whole, streamed = opened(), opened(0)
        inputs = flows.told(name)
        plain = whole(**inputs)
        file = lora_file.read(_lora(name, tmp_path / "lora.safetensors"))
        for network in (whole, streamed):
            lora_patching.apply(network, [(file, 0.7)])
        file.close()
        patched = whole(**inputs)
        assert not torch.allclose(patched, plain, atol=1e-3)
        assert torch.equal(streamed(**inputs), patched)
        lora_patching.restore(streamed)
        assert torch.equal(streamed(**inputs), plain)

    def test_are_the_same_whatever_order_the_blocks_run_in(self, name, opened, monkeypatch):
        # What is guessed before the first pass may be wrong.
        listed = block_streaming.blocks
        monkeypatch.setattr(block_streaming, "blocks", lambda *given: listed(*given)[::-1])
        whole, streamed = opened(), opened(0)
        assert len(streamed.stream.blocks) > 1
        inputs = flows.told(name)
        for _ in range(3):
            streamed.stream.begin()
            assert torch.equal(streamed(**inputs), whole(**inputs))
            streamed.stream.rest()

    def test_are_the_same_for_a_unet_whose_middle_is_defined_last(self, tmp_path):
        path = checkpoints.micro(tmp_path / "micro.safetensors")
        inputs = {
            "x": torch.randn(2, 4, 8, 8),
            "t": torch.tensor([3.0, 900.0]),
            "context": torch.randn(2, 77, 64),
        }
        whole, streamed = (
            load(path, "model", device="cpu", dtype=torch.float32, room=room) for room in (None, 0)
        )
        for _ in range(3):
            streamed.stream.begin()
            assert torch.equal(streamed(**inputs), whole(**inputs))
            streamed.stream.rest()
        whole.close()
        streamed.close()


class TestMemory:
    def test_only_the_present_block_is_there(self, name, opened):
        streamed = opened(0)
        rest, seen = in_memory(streamed), []
        assert rest.isdisjoint(streamed.stream.names)
        for block in streamed.stream.blocks:
            block.module.register_forward_hook(
                lambda *_: seen.append(in_memory(streamed) - rest), prepend=True
            )
        streamed(**flows.told(name))
        assert seen == [set(block.names) for block in streamed.stream.blocks]
        assert in_memory(streamed) == rest
        assert streamed.nbytes < size(streamed)

    def test_more_room_keeps_more_of_them_evenly_spread(self, name, opened):
        nothing = opened(0)
        sizes = sorted(block.nbytes for block in nothing.stream.blocks)
        least = nothing.nbytes
        counts = [len(nothing.stream.blocks)]
        for more in (sum(sizes[:2]), sum(sizes)):
            network = opened(least + more)
            counts.append(len(network.stream.blocks) if network.stream else 0)
        assert counts[0] > counts[1] > counts[2] == 0

    def test_even_spread(self):
        module = torch.nn.Module()
        module.layers = torch.nn.ModuleList(torch.nn.Linear(8, 8, bias=False) for _ in range(9))
        each = 8 * 8 * 4
        come = [block.path for block in block_streaming.coming(module, torch.float32, 5 * each)]
        assert come == [f"layers.{k}" for k in (0, 1, 3, 4, 6, 7)]  # three stay

    def test_too_large_blocks_come_in_parts(self, name, opened):
        module = opened().module
        found = block_streaming.blocks(module, torch.float32, most=1)
        assert all("." in block.path for block in found)
        inside = [name for block in found for name in block.names]
        assert len(inside) == len(set(inside))
        lists = [n for n, _ in module.named_parameters() if re.match(r"\w+\.\d", n)]
        assert set(inside) == set(lists)

    def test_what_is_waited_and_what_came_is_counted(self, name, opened):
        streamed = opened(0)
        streamed.stream.begin()
        streamed(**flows.told(name))
        ahead = streamed.stream.prefetch
        # In fp32, as it is stored: what is stored as one tensor came once.
        assert ahead.bytes_read == sum(block.nbytes for block in streamed.stream.blocks)
        assert ahead.wait_seconds > 0


class TestTrouble:
    def test_a_cancel_in_the_middle_leaves_it_usable(self, name, opened):
        whole, streamed = opened(), opened(0)
        inputs, calls = flows.told(name), []

        def check():
            calls.append(None)
            if len(calls) == 4:
                raise Cancelled("Cancelled.")

        streamed.stream.begin()
        with pytest.raises(Cancelled), cancel_hooks(streamed.module, check):
            streamed(**inputs)
        streamed.stream.rest()
        assert in_memory(streamed).isdisjoint(streamed.stream.names)
        assert torch.equal(streamed(**inputs), whole(**inputs))

    def test_stop_reaches_a_block_that_is_waited_for(self, name, opened, monkeypatch):
        streamed, ready = opened(0), threading.Event()
        stored = streamed.weights.stored
        monkeypatch.setattr(block_streaming, "POLL", 0.01)
        monkeypatch.setattr(
            streamed.weights, "stored", lambda *given: (ready.wait(30), stored(*given))[1]
        )

        def check():
            raise Cancelled("Cancelled.")

        streamed.stream.begin(check)
        with pytest.raises(Cancelled):
            streamed(**flows.told(name))
        ready.set()
        streamed.stream.rest()
        inputs = flows.told(name)
        assert torch.equal(streamed(**inputs), opened()(**inputs))

    @pytest.mark.parametrize("free", [0, 10**12])
    def test_pages_are_given_back_only_where_they_do_not_fit(self, name, opened, monkeypatch, free):
        monkeypatch.setattr(block_streaming.main_memory, "available", lambda: free)
        streamed, gone = opened(0), []
        monkeypatch.setattr(streamed.weights, "let_go", gone.append)
        streamed(**flows.told(name))
        assert bool(gone) == (free == 0)

    def test_an_error_while_a_block_comes_is_told(self, name, opened, monkeypatch):
        streamed = opened(0)

        def fail(*_):
            raise DamagedFile("The disk is gone.")

        monkeypatch.setattr(streamed.weights, "stored", fail)
        with pytest.raises(DamagedFile, match="disk"):
            streamed(**flows.told(name))

    def test_closing_ends_its_thread(self, name, path):
        streamed = load(path, "model", device="cpu", dtype=torch.float32, room=0)
        before = set(threading.enumerate())
        streamed(**flows.told(name))
        (thread,) = set(threading.enumerate()) - before
        streamed.close()
        assert not thread.is_alive()


def _lora(name, path):
    """Two layers of a block that comes, in PEFT's names."""
    generator = torch.Generator().manual_seed(5)
    tensors = {}
    block = {"auraflow": "joint_transformer_blocks.0"}.get(name, "transformer_blocks.0")
    for layer in ("attn.to_q", "attn.to_out.0"):
        key = f"transformer.{block}.{layer}"
        tensors[f"{key}.lora_A.weight"] = torch.randn(4, 2 * flows.HEAD, generator=generator)
        tensors[f"{key}.lora_B.weight"] = torch.randn(2 * flows.HEAD, 4, generator=generator)
    save_file(tensors, path)
    return path
