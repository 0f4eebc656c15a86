"""Patching: a state, reached as a transaction, always counted from the file."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers import checkpoints
from ponystudio.diffusion.loading import lora_patching
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.lora import lora_file
from ponystudio.errors import Cancelled, MismatchedValues

QUERY = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight"
KOHYA = "lora_unet_" + QUERY.removesuffix(".weight").replace(".", "_")
LDM = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.weight"
TEXT = "encoder.layers.0.mlp.fc1.weight"
KOHYA_TEXT = "lora_te_text_model_encoder_layers_0_mlp_fc1"
LDM_TEXT = "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return checkpoints.micro(tmp_path_factory.mktemp("checkpoint") / "micro.safetensors")


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Two LoRAs of the same layers."""
    folder = tmp_path_factory.mktemp("loras")
    return [checkpoints.micro_lora(folder / f"{n}.safetensors", seed=n) for n in (1, 2)]


@pytest.fixture
def loras(paths):
    files = [lora_file.read(path) for path in paths]
    yield files
    for file in files:
        file.close()


@pytest.fixture
def denoiser(checkpoint):
    network = load(checkpoint, "model", device="cpu", dtype=torch.float32)
    yield network
    network.close()


@pytest.fixture
def encoder(checkpoint):
    network = load(checkpoint, "clip", device="cpu", dtype=torch.float32)
    yield network
    network.close()


def state(network):
    return {name: value.clone() for name, value in network.module.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], value) for name, value in other.items())


def change(path, name, strength=1.0):
    """strength · alpha/rank · up @ down, by hand from the file."""
    tensors = {key: value.float() for key, value in load_file(path).items()}
    up, down = tensors[f"{name}.lora_up.weight"], tensors[f"{name}.lora_down.weight"]
    return strength * float(tensors[f"{name}.alpha"]) / len(down) * (up @ down)


class TestResult:
    def test_one_lora(self, denoiser, loras, paths):
        stored = checkpoints.weights()[LDM].float()
        done = lora_patching.apply(denoiser, [(loras[0], 0.8)])
        weight = denoiser.module.get_parameter(QUERY)
        assert torch.allclose(weight, stored + change(paths[0], KOHYA, 0.8), atol=1e-6)
        assert not torch.allclose(weight, stored, atol=1e-3)
        assert len(denoiser.patched) == 16 * 12
        assert done.unmatched == {}
        assert done.nbytes == sum(
            denoiser.module.get_parameter(name).nbytes for name in denoiser.patched
        )

    def test_two_add_up_in_any_order(self, denoiser, loras, paths):
        stored = checkpoints.weights()[LDM].float()
        lora_patching.apply(denoiser, [(loras[0], 0.8), (loras[1], -0.5)])
        expected = stored + change(paths[0], KOHYA, 0.8) + change(paths[1], KOHYA, -0.5)
        assert torch.allclose(denoiser.module.get_parameter(QUERY), expected, atol=1e-6)

    def test_the_text_encoder_is_rounded_as_stored(self, encoder, loras, paths):
        stored = checkpoints.weights()[LDM_TEXT].float()
        lora_patching.apply(encoder, [(loras[0], 0.7)])
        expected = (stored + change(paths[0], KOHYA_TEXT, 0.7)).half().float()
        weight = encoder.module.get_parameter(TEXT)
        assert weight.dtype == torch.float32
        assert torch.equal(weight, weight.half().float())
        assert torch.allclose(weight, expected, rtol=1e-3, atol=1e-7)

    def test_the_denoiser_is_not(self, denoiser, loras):
        lora_patching.apply(denoiser, [(loras[0], 0.7)])
        weight = denoiser.module.get_parameter(QUERY)
        assert not torch.equal(weight, weight.half().float())

    def test_in_the_dtype_of_the_network(self, checkpoint, loras, denoiser):
        half = load(checkpoint, "model", device="cpu", dtype=torch.float16)
        lora_patching.apply(half, [(loras[0], 0.8)])
        lora_patching.apply(denoiser, [(loras[0], 0.8)])
        assert half.module.get_parameter(QUERY).dtype == torch.float16
        assert torch.equal(
            half.module.get_parameter(QUERY), denoiser.module.get_parameter(QUERY).half()
        )
        half.close()

    def test_changes_what_the_network_says(self, denoiser, loras):
        torch.manual_seed(0)
        inputs = torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.randn(1, 77, 64)
        before = denoiser(*inputs)
        lora_patching.apply(denoiser, [(loras[0], 1.0)])
        assert not torch.allclose(denoiser(*inputs), before, atol=1e-3)
        lora_patching.apply(denoiser, [])
        assert torch.equal(denoiser(*inputs), before)


class TestState:
    def test_from_any_state_to_any_other(self, denoiser, loras, checkpoint):
        """What was there before never shows: each state equals the one reached from the file."""
        states = [
            [(loras[0], 0.3)],
            [(loras[0], 0.9), (loras[1], 0.1)],
            [(loras[1], 2.0)],
            [],
            [(loras[0], 0.3)],
        ]
        for patches in states:
            lora_patching.apply(denoiser, patches)
            fresh = load(checkpoint, "model", device="cpu", dtype=torch.float32)
            lora_patching.apply(fresh, patches)
            assert same(state(denoiser), state(fresh))
            fresh.close()

    def test_nothing_restores_the_stored_bits(self, denoiser, loras):
        before = state(denoiser)
        for patches in (
            [],
            [(loras[0], 0.0)],
            [(loras[0], 0.7), (loras[0], -0.7)],
            [(loras[0], 0.7), (loras[1], 0), (loras[0], -0.7)],
        ):
            lora_patching.apply(denoiser, [(loras[1], 1.5)])
            lora_patching.apply(denoiser, patches)
            assert same(state(denoiser), before)
            assert not denoiser.patched

    def test_equal_files_are_one_patch(self, denoiser, paths, tmp_path, loras):
        copy = tmp_path / "copy.safetensors"
        copy.write_bytes(paths[0].read_bytes())
        twin = lora_file.read(copy)
        before = state(denoiser)
        lora_patching.apply(denoiser, [(loras[0], 0.7), (twin, -0.7)])
        assert same(state(denoiser), before)
        lora_patching.apply(denoiser, [(loras[0], 0.25), (twin, 0.5)])
        patched = state(denoiser)
        lora_patching.apply(denoiser, [(loras[0], 0.75)])
        assert same(state(denoiser), patched)
        twin.close()

    def test_restored_tensors_are_the_mapped_ones_again(self, checkpoint, loras):
        half = load(checkpoint, "model", device="cpu", dtype=torch.float16)
        place = half.module.get_parameter(QUERY).data_ptr()
        lora_patching.apply(half, [(loras[0], 1.0)])
        assert half.module.get_parameter(QUERY).data_ptr() != place
        lora_patching.restore(half)
        assert half.module.get_parameter(QUERY).data_ptr() == place
        half.close()

    def test_patches_survive_a_move(self, denoiser, loras):
        lora_patching.apply(denoiser, [(loras[0], 0.8)])
        before = state(denoiser)
        denoiser.to("cpu")
        assert same(state(denoiser), before)


class TestTransaction:
    @pytest.mark.parametrize("error", [Cancelled, MemoryError])
    @pytest.mark.parametrize("at", [0, 1, 57, 191])
    def test_any_stop_restores_all(self, denoiser, loras, error, at):
        before = state(denoiser)
        lora_patching.apply(denoiser, [(loras[1], 1.0)])
        calls = iter(range(1000))

        def check():
            if next(calls) == at:
                raise error

        with pytest.raises(error):
            lora_patching.apply(denoiser, [(loras[0], 0.8)], check=check)
        assert same(state(denoiser), before)
        assert not denoiser.patched

    def test_a_stop_while_taking_patches_out(self, denoiser, loras):
        before = state(denoiser)
        lora_patching.apply(denoiser, [(loras[0], 1.0)])
        calls = iter(range(1000))

        def check():
            if next(calls) == 20:
                raise Cancelled

        with pytest.raises(Cancelled):
            lora_patching.apply(denoiser, [], check=check)
        assert same(state(denoiser), before)

    def test_so_does_a_lora_of_another_base(self, denoiser, loras, tmp_path):
        path = tmp_path / "wide.safetensors"
        name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
        wide = {
            f"{name}.lora_down.weight": torch.ones(2, 2048),
            f"{name}.lora_up.weight": torch.ones(128, 2),
        }
        save_file(wide, path)
        before = state(denoiser)
        lora_patching.apply(denoiser, [(loras[0], 1.0)])
        other = lora_file.read(path)
        with pytest.raises(MismatchedValues, match="SDXL"):
            lora_patching.apply(denoiser, [(loras[1], 1.0), (other, 1.0)])
        assert same(state(denoiser), before)
        assert not denoiser.patched
        other.close()
