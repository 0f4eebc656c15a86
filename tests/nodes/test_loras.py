"""LoRAs in a studio that stays open: what a changed strength costs, and what is left of one."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from helpers import checkpoints
from helpers.core_graphs import checkpoint, core, picture
from helpers.seed_models import hints, state
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.devices import choose
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.protocol.run_events import NodeStarted, WeightsEvent
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders

FAMILIES = ("sd1", "sd2", "sdxl")
PROMPTS = {"positive", "negative"}
# Of SD2 and SDXL: a LoRA's layers, and the two sides of each.
LAYERS = {
    "sd2": {
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q": (64, 64),
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_2": (256, 64),
        "lora_te_text_model_encoder_layers_1_self_attn_q_proj": (64, 64),
        "lora_te_text_model_encoder_layers_0_mlp_fc2": (96, 64),
    },
    "sdxl": {
        "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q": (64, 64),
        "lora_unet_middle_block_1_transformer_blocks_0_ff_net_2": (256, 64),
        "lora_te1_text_model_encoder_layers_0_mlp_fc1": (32, 96),
        "lora_te2_text_model_encoder_layers_1_self_attn_v_proj": (64, 64),
    },
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A checkpoint of each family, and two LoRAs for it."""
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "loras"):
        (root / folder).mkdir()
    for family in FAMILIES:
        path = root / "checkpoints" / f"{family}.safetensors"
        save_file(state(family), path, metadata=hints(family))
        for seed in (1, 2):
            path = root / "loras" / f"{family} {seed}.safetensors"
            if family == "sd1":
                checkpoints.micro_lora(path, seed)
            else:
                _write_lora(path, LAYERS[family], seed)
    return root


def _write_lora(path, layers, seed, rank=4):
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, (i, o) in layers.items():
        tensors[f"{name}.lora_down.weight"] = torch.randn(rank, i, generator=generator) / i**0.5
        tensors[f"{name}.lora_up.weight"] = torch.randn(o, rank, generator=generator)
        tensors[f"{name}.alpha"] = torch.tensor(2.0)
    save_file(tensors, path)


@dataclass
class Session:
    """An engine that keeps weights and results from run to run."""

    engine: Engine
    root: Path
    output: Path
    family: str
    events: list = field(default_factory=list)

    def paint(self, *rows, **sampling):
        """The latent under a stack of LoRAs: rows of (number, strength, clip strength)."""
        self.events.clear()
        wires = {"model": ("checkpoint", "model"), "clip": ("checkpoint", "clip")}
        loras = [
            {"file": f"{self.family} {n}.safetensors", "strength": s, "clip_strength": c}
            for n, s, c in rows
        ]
        stack = core("stack", "apply_loras", **wires, loras=loras)
        source = checkpoint(f"{self.family}.safetensors")
        graph = Graph.of(*picture(*source, stack, model="stack", clip="stack", **sampling))
        folders = ModelFolders([self.root])
        self.engine.run(RunRequest(graph, folders, self.output, self.output / "previews"))
        latent, _ = read_latent(max(self.output.glob("*.latent")))
        return latent

    @property
    def started(self):
        return {event.node for event in self.events if isinstance(event, NodeStarted)}

    @property
    def weights(self):
        """What happened to weights: how often each."""
        actions = [event.action for event in self.events if isinstance(event, WeightsEvent)]
        return {action: actions.count(action) for action in actions}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def session(family, root, tmp_path):
    events = []
    packs = load_packs(root / "none")
    with closing(Engine(packs, choose("cpu", "fp32"), emit=events.append)) as engine:
        yield Session(engine, root, tmp_path, family, events)


@pytest.fixture
def fresh(family, root, tmp_path):
    """What a session paints that has never seen a LoRA."""
    packs = load_packs(root / "none")
    with closing(Engine(packs, choose("cpu", "fp32"), emit=lambda _: None)) as engine:
        return Session(engine, root, tmp_path / "fresh", family).paint()


class TestAChangedStrength:
    def test_reads_no_weights_and_no_prompt_again(self, session):
        first = session.paint((1, 0.8, 0.7))
        assert session.weights == {"load": 3, "patch": 2}
        second = session.paint((1, 0.3, 0.7))
        assert session.weights == {"patch": 1}
        assert not session.started & PROMPTS
        assert {"sampler", "decode"} <= session.started
        assert not torch.allclose(first, second)

    def test_of_the_prompt_encodes_it_again(self, session):
        first = session.paint((1, 0.8, 0.7))
        second = session.paint((1, 0.8, -1.0))
        assert session.weights == {"patch": 1}
        assert session.started >= PROMPTS
        assert not torch.allclose(first, second)

    def test_paints_what_a_new_session_would(self, session, tmp_path, root):
        session.paint((1, 0.8, 0.7), (2, 1.5, 1.5))
        later = session.paint((2, -0.4, 0.2))
        with closing(Engine(session.engine.packs, choose("cpu", "fp32"), emit=print)) as engine:
            other = Session(engine, root, tmp_path / "other", session.family)
            assert torch.equal(other.paint((2, -0.4, 0.2)), later)


class TestWithoutLoras:
    """Nothing is left of one, to the last bit."""

    def test_that_were_there(self, session, fresh):
        painted = session.paint((1, 0.8, 0.7), (2, -1.5, 1.0))
        assert not torch.allclose(painted, fresh)
        assert torch.equal(session.paint(), fresh)
        assert session.weights == {"unpatch": 2}

    @pytest.mark.parametrize(
        "rows",
        [
            [(1, 0.0, 0.0)],
            [(1, 0.7, 0.3), (1, -0.7, -0.3)],
            [(1, 0.7, 0.3), (2, 0.0, 0.0), (1, -0.7, -0.3)],
        ],
    )
    def test_that_add_up_to_nothing(self, rows, session, fresh):
        assert torch.equal(session.paint(*rows), fresh)
        assert session.weights == {"load": 3}

    def test_whose_opposites_came_later(self, session, fresh):
        session.paint((1, 0.7, 0.3))
        assert torch.equal(session.paint((1, 0.7, 0.3), (1, -0.7, -0.3)), fresh)
        assert session.weights == {"unpatch": 2}
