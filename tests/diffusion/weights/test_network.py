"""Where the weights of a network are, and what they take."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from helpers import checkpoints
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.weights import weights

FP32, FP16, BF16 = torch.float32, torch.float16, torch.bfloat16


@pytest.fixture(scope="module")
def micro(tmp_path_factory):
    return checkpoints.micro(tmp_path_factory.mktemp("micro") / "micro.safetensors")


@pytest.fixture
def opened():
    """Loads, and closes at the end."""
    networks = []

    def opened(path, part, *, device="cpu", dtype=FP32, **more):
        networks.append(load(path, part, device=device, dtype=dtype, **more))
        return networks[-1]

    yield opened
    for network in networks:
        network.close()


class TestMemory:
    def test_what_needs_no_cast_stays_mapped(self, micro, opened):
        maps = [line for line in _maps() if str(micro) in line]
        assert not maps
        network = opened(micro, "model", dtype=FP16)
        (span,) = {line.split()[0] for line in _maps() if str(micro) in line}
        start, end = (int(number, 16) for number in span.split("-"))
        places = {name: value.data_ptr() for name, value in network.module.named_parameters()}
        assert all(start <= place < end for place in places.values())
        network.close()
        assert not [line for line in _maps() if str(micro) in line]

    def test_a_cast_copies_and_the_file_is_untouched(self, micro, opened):
        before = micro.read_bytes()
        network = opened(micro, "vae", dtype=BF16)
        assert network.dtype == BF16
        with torch.no_grad():
            for value in network.module.parameters():
                value.zero_()
        again = opened(micro, "vae", dtype=FP16)
        with torch.no_grad():
            for value in again.module.parameters():
                value.zero_()  # even on mapped pages
        assert micro.read_bytes() == before

    def test_way_back_to_the_cpu_maps_again(self, micro, opened):
        network = opened(micro, "model", dtype=FP16)
        name, first = next(network.module.named_parameters())
        place = first.data_ptr()
        network.module.conv_in.weight = torch.nn.Parameter(first.detach().clone())
        assert network.module.get_parameter(name).data_ptr() != place
        network.to("cpu")
        assert network.module.get_parameter(name).data_ptr() == place

    def test_a_move_that_fails_is_taken_back(self, micro, opened, monkeypatch):
        network = opened(micro, "vae")
        before = {name: value.clone() for name, value in network.module.state_dict().items()}
        moves = iter(range(10_000))

        def assign(module, name, value):
            if next(moves) == 50:
                raise torch.OutOfMemoryError
            weights.assign(module, name, value)

        monkeypatch.setattr("ponystudio.diffusion.weights.network.assign", assign)
        with pytest.raises(torch.OutOfMemoryError):
            network.to("cpu")
        assert network.device.type == "cpu"
        after = network.module.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())

    def test_bytes_are_those_of_the_weights(self, micro, opened):
        network = opened(micro, "vae", dtype=BF16)
        stored = sum(
            value.numel() for name, value in load_file(micro).items() if "first_stage" in name
        )
        assert network.nbytes == 2 * stored


def _maps():
    return Path("/proc/self/maps").read_text().splitlines()
