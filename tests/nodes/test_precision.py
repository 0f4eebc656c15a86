"""Half precision where it overflows: what is done about it, and what is said."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import save_file

from helpers import pipelines
from helpers.core_graphs import checkpoint, picture
from helpers.seed_models import UNET, hints, state
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.diffusion.images.picture_file import read_picture
from ponystudio.diffusion.loading.load import load
from ponystudio.engine.headless import run_graph
from ponystudio.engine.memory import devices
from ponystudio.engine.protocol.run_events import Note
from ponystudio.errors import NotANumber
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders

HALF = torch.float16
CONTEXT = {"sd2": 64, "sdxl": 96}
DECODER = "first_stage_model.decoder.conv_in.weight"


@pytest.fixture
def paint(tmp_path, monkeypatch):
    """Paints with some weights and gives the latent, the picture and what was said."""
    monkeypatch.setattr(devices, "native_bf16", lambda: False)
    (tmp_path / "checkpoints").mkdir()

    def paint(weights, dtype="fp16"):
        path = tmp_path / "checkpoints" / "model.safetensors"
        save_file(weights, path, metadata=hints("sdxl"))
        events = []
        output = tmp_path / dtype
        run_graph(
            Graph.of(*picture(*checkpoint("model.safetensors"), cfg=2.0)),
            folders=ModelFolders([tmp_path]),
            output=output,
            device="cpu",
            dtype=dtype,
            on_event=events.append,
        )
        latent, _ = read_latent(next(output.glob("*.latent")))
        notes = [(event.node, event.text) for event in events if isinstance(event, Note)]
        return latent, read_picture(next(output.glob("*.png")))[0], notes

    return paint


def scaled(family, factor, *endings):
    """A family's weights, some of which are so many times as large."""
    weights = state(family)
    grown = {k: (v * factor) for k, v in weights.items() if k.endswith(endings)}
    assert grown
    assert all(value.isfinite().all() for value in grown.values())
    return weights | grown


def close(one, other):
    return (one - other).norm() / other.norm() < 0.02


class TestDenoiser:
    def test_that_overflows_begins_again_in_wider_numbers_and_says_so(self, paint):
        weights = scaled("sd1", 1e3, "time_embed.2.weight", "emb_layers.1.weight")
        latent, pixels, notes = paint(weights)
        assert [node for node, _ in notes] == ["sampler"]
        assert "no numbers at step 1 of 2" in notes[0][1]
        assert "begun again in numbers that do not overflow" in notes[0][1]
        exact, _, nothing = paint(weights, "fp32")
        assert nothing == []
        assert close(latent, exact)
        assert pixels.std() > 0.01

    def test_that_does_not_overflow_stays_in_half_precision(self, paint):
        latent, _, notes = paint(state("sd1"))
        exact, _, _ = paint(state("sd1"), "fp32")
        assert notes == []
        assert not torch.equal(latent, exact)
        assert close(latent, exact)

    def test_that_gives_no_numbers_at_all_is_an_error(self, paint):
        """Wider numbers are no help against a broken file."""
        weights = state("sd1")
        weights[f"{UNET}out.2.bias"] = torch.full((4,), torch.nan, dtype=HALF)
        with pytest.raises(NotANumber, match="step 1 of 2") as caught:
            paint(weights)
        assert caught.value.node == "sampler"
        assert f"{UNET}out.2.bias" in caught.value.what
        assert "choose another" in caught.value.remedy


@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_attention_does_not_overflow_where_its_products_do(family, tmp_path):
    """SD2.1's do in half precision: queries times keys are more than it has."""
    weights = scaled(family, 1e3, "attn1.to_q.weight", "attn1.to_k.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata=hints(family))
    denoiser = load(tmp_path / "model.safetensors", "model", device="cpu", dtype=HALF)
    inputs = pipelines.noise(0, 8), torch.tensor([500]), torch.zeros(1, 77, CONTEXT[family])
    vector = {"pooled": torch.zeros(1, 64), "sizes": torch.zeros(1, 6)} if family == "sdxl" else {}
    assert denoiser(*inputs, **vector).isfinite().all()
    denoiser.module.set_attn_processor(AttnProcessor())
    assert not denoiser(*inputs, **vector).isfinite().all()
    denoiser.close()


def test_an_autoencoder_that_would_overflow_never_computes_in_half_precision(paint):
    """As SDXL's does."""
    latent, pixels, notes = paint(scaled("sdxl", 1e5, DECODER))
    assert notes == []
    vae = deepcopy(pipelines.autoencoder("sdxl"))
    vae.decoder.conv_in.weight.data *= 1e5
    with torch.no_grad():
        exact = (vae.decode(latent).sample / 2 + 0.5).clamp(0, 1)
        overflown = vae.half().decode(latent.half()).sample
    assert (pixels - exact).abs().max() < 1 / 255 + 1e-3
    assert not overflown.isfinite().all()
