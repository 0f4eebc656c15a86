"""Networks on a GPU: loaded, patched, moved away and back. Run with -m gpu."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers import checkpoints, flows
from ponystudio.diffusion.loading import lora_patching
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.lora import lora_file

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA or ROCm device"),
]
FP32, FP16, BF16 = torch.float32, torch.float16, torch.bfloat16
TOLERANCE = {FP32: 1e-4, FP16: 1e-2, BF16: 5e-2}
QUERY = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight"


@pytest.fixture(scope="module")
def micro(tmp_path_factory):
    return checkpoints.micro(tmp_path_factory.mktemp("micro") / "micro.safetensors")


@pytest.fixture
def opened(micro):
    networks = []

    def opened(part, dtype, device="cuda"):
        networks.append(load(micro, part, device=device, dtype=dtype))
        return networks[-1]

    yield opened
    for network in networks:
        network.close()


def close(ours, exact, dtype):
    assert ours.device.type == "cuda"
    assert ours.dtype == torch.float32
    assert (ours.cpu() - exact).norm() / exact.norm() <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", [FP32, FP16, BF16])
class TestNumbers:
    def test_denoiser(self, opened, dtype):
        torch.manual_seed(0)
        x, t, context = torch.randn(2, 4, 16, 24), torch.tensor([1, 700]), torch.randn(2, 77, 64)
        network = opened("model", dtype)
        assert (network.device.type, network.dtype) == ("cuda", dtype)
        exact = opened("model", FP32, "cpu")(x, t, context)
        close(network(x.cuda(), t, context), exact, dtype)

    def test_autoencoder(self, opened, dtype):
        torch.manual_seed(0)
        pixels, values = torch.rand(2, 3, 64, 96), torch.randn(1, 4, 24, 32)
        network, exact = opened("vae", dtype), opened("vae", FP32, "cpu")
        close(network.encode(pixels), exact.encode(pixels), dtype)
        close(network.decode(values), exact.decode(values), dtype)
        close(network.decode(values, tile=128), exact.decode(values, tile=128), dtype)

    def test_text_encoder(self, opened, dtype):
        exact = opened("clip", FP32, "cpu").encode("a (photo:1.3) of a cat")
        close(opened("clip", dtype).encode("a (photo:1.3) of a cat").context, exact.context, dtype)


class TestPlaces:
    def test_away_and_back_is_bit_for_bit_and_mapped_again(self, opened):
        network = opened("model", FP16, "cpu")
        before = {name: value.clone() for name, value in network.module.state_dict().items()}
        place = network.module.get_parameter(QUERY).data_ptr()
        network.to("cuda")
        assert all(value.device.type == "cuda" for value in network.module.parameters())
        network.to("cpu")
        assert network.module.get_parameter(QUERY).data_ptr() == place
        after = network.module.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())

    def test_closing_gives_the_memory_back(self, micro):
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        network = load(micro, "model", device="cuda", dtype=FP32)
        assert torch.cuda.memory_allocated() - before >= network.nbytes
        network.close()
        assert torch.cuda.memory_allocated() == before


class TestPatching:
    @pytest.fixture
    def file(self, tmp_path: Path):
        file = lora_file.read(checkpoints.micro_lora(tmp_path / "lora.safetensors"))
        yield file
        file.close()

    @pytest.mark.parametrize("part", ["model", "clip"])
    def test_as_on_the_cpu(self, opened, file, part):
        here, there = opened(part, FP32), opened(part, FP32, "cpu")
        for network in (here, there):
            lora_patching.apply(network, [(file, 0.8)])
        theirs = there.module.state_dict()
        for name, value in here.module.state_dict().items():
            assert torch.allclose(value.cpu(), theirs[name], rtol=1e-3, atol=1e-5), name

    def test_out_again_restores_the_stored_bits(self, opened, file):
        network = opened("model", FP16)
        before = {name: value.clone() for name, value in network.module.state_dict().items()}
        lora_patching.apply(network, [(file, 0.8)])
        assert not torch.equal(network.module.get_parameter(QUERY), before[QUERY])
        lora_patching.restore(network)
        after = network.module.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())

    def test_patches_survive_the_way_to_the_cpu(self, opened, file):
        network = opened("model", FP16)
        lora_patching.apply(network, [(file, 0.8)])
        patched = network.module.get_parameter(QUERY).cpu()
        network.to("cpu")
        assert torch.equal(network.module.get_parameter(QUERY), patched)


class TestStreaming:
    """Blocks that come by way of pinned memory, on a stream of their own."""

    @pytest.mark.parametrize("dtype", [FP32, BF16])
    @pytest.mark.parametrize("name", ["auraflow", "flux-dev", "sd3"])
    def test_the_bits_are_those_of_the_whole_network(self, name, dtype, tmp_path):
        path = flows.write(name, tmp_path / "model.safetensors")
        inputs = {key: value.cuda() for key, value in flows.told(name, batch=2).items()}
        whole = load(path, "model", device="cuda", dtype=dtype)
        expected = whole(**inputs)
        for room in (0, whole.nbytes * 2 // 3):
            streamed = load(path, "model", device="cuda", dtype=dtype, room=room)
            for _ in range(3):
                streamed.stream.begin()
                assert torch.equal(streamed(**inputs), expected)
                streamed.stream.rest()
            streamed.close()
        whole.close()

    def test_no_more_is_taken_than_there_is_room_for(self, tmp_path):
        path = flows.write("flux", tmp_path / "model.safetensors")
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        streamed = load(path, "model", device="cuda", dtype=FP32, room=0)
        assert torch.cuda.memory_allocated() - before <= streamed.nbytes
        streamed.close()
        assert torch.cuda.memory_allocated() <= before
