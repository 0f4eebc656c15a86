"""LoRAs that are written as the difference of two models: what they make of the first."""

from __future__ import annotations

from contextlib import closing

import pytest
import torch
from safetensors import safe_open

from helpers import checkpoints, flows, mixtures
from helpers.core_graphs import checkpoint, core
from ponystudio.api import Clip, Model, Patch
from ponystudio.diffusion.checkpoints.lora_extraction import nearest
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.allocation_limit import AllocationLimit
from ponystudio.engine.memory.devices import choose
from ponystudio.engine.memory.weights_pool import WeightsPool
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.protocol.run_events import Note
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.errors import MismatchedValues
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders


@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (6, 3, 3, 3), (5, 5)])
def test_a_product_of_few_ranks_is_found_again(shape):
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(shape[0], 2, generator=generator)
    columns = torch.randn(2, torch.Size(shape[1:]).numel(), generator=generator)
    up, down = nearest((rows @ columns).reshape(shape), 4)
    assert up.shape[1] == down.shape[0] == 2  # the others are noise of rounding
    assert torch.allclose((up @ down).float(), rows @ columns, atol=1e-5)


def test_fewer_ranks_are_the_largest_ones():
    up, down = nearest(torch.diag(torch.tensor([1.0, 5.0, 3.0])), 2)
    assert torch.allclose(up @ down, torch.diag(torch.tensor([0.0, 5.0, 3.0])).double())
    assert torch.allclose(up.norm(dim=0), down.norm(dim=1))  # alike in both


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("extracting")
    for folder in ("loras", "checkpoints"):
        (root / "models" / folder).mkdir(parents=True)
    checkpoints.micro_lora(root / "models" / "loras" / "lora.safetensors")
    mixtures.pair("sd1", root / "models" / "checkpoints")
    mixtures.pair("flux", root / "models" / "checkpoints")
    return root


@pytest.fixture
def pool():
    pool = WeightsPool(
        choose("cpu", "fp32"),
        budget=10**10,
        emit=lambda _: None,
        allocation_limit=AllocationLimit(active=False),
    )
    yield pool
    pool.close_idle()


def weights(pool, recipe):
    with pool.open(recipe, check=lambda: None) as network:
        return {name: value.clone() for name, value in network.module.named_parameters()}


def saved(root, *nodes, prefix):
    """The file that a graph saves, and what was noted."""
    events = []
    packs, folders = load_packs(root / "none"), ModelFolders([root / "models"])
    with closing(Engine(packs, choose("cpu", "fp32"), emit=events.append)) as engine:
        engine.run(RunRequest(Graph.of(*nodes), folders, root, root / "previews"))
    (path,) = root.glob(f"{prefix}*.safetensors")
    return path, [event.text for event in events if isinstance(event, Note)]


def with_lora():
    return (
        *checkpoint("sd1 A.safetensors"),
        core(
            "lora",
            "apply_lora",
            model=("checkpoint", "model"),
            clip=("checkpoint", "clip"),
            file="lora.safetensors",
            strength=0.8,
            clip_strength=0.5,
        ),
    )


def test_a_lora_comes_out_as_it_went_in(root, pool):
    save = core(
        "save",
        "save_lora",
        model=("lora", "model"),
        base=("checkpoint", "model"),
        clip=("lora", "clip"),
        base_clip=("checkpoint", "clip"),
        precision="fp32",
        prefix="again",
    )
    path, notes = saved(root, *with_lora(), save, prefix="again")
    assert notes == []
    file = root / "models" / "checkpoints" / "sd1 A.safetensors"
    lora = root / "models" / "loras" / "lora.safetensors"
    for kind, strength in ((Model, 0.8), (Clip, 0.5)):
        plain = kind(str(file), "a", "sd1")
        before = weights(pool, plain.with_patch(Patch(str(lora), "lora", strength)))
        after = weights(pool, plain.with_patch(Patch(str(path), "again", 1.0)))
        assert any(not torch.equal(after[name], was) for name, was in weights(pool, plain).items())
        for name, value in before.items():
            assert torch.allclose(after[name], value, atol=1e-5), name
    with safe_open(path, "pt") as tensors:
        said = tensors.metadata()
        assert said["modelspec.architecture"] == "stable-diffusion-v1/lora"
        assert said["ss_sd_model_name"] == "sd1 A.safetensors"
        assert all(name.startswith(("lora_unet_", "lora_te_")) for name in tensors.keys())  # noqa: SIM118


@pytest.mark.parametrize("family", ["sd1", "flux"])
def test_a_whole_difference_makes_the_other_model(root, pool, family):
    loading = "load_checkpoint" if family == "sd1" else "load_model"
    folder = root / "models" / "checkpoints"
    path, _ = saved(
        root,
        core("a", loading, file=str(folder / f"{family} A.safetensors")),
        core("b", loading, file=str(folder / f"{family} B.safetensors")),
        core("off", "subtract_models", model=("b", "model"), other=("a", "model")),
        core(
            "save",
            "save_lora",
            model=("off", "model"),
            whole=True,
            precision="fp32",
            prefix=f"{family} whole",
        ),
        prefix=f"{family} whole",
    )
    a, b = (
        Model(str(folder / f"{family} {letter}.safetensors"), letter, flows.family_of(family))
        for letter in "AB"
    )
    wanted = weights(pool, b)
    for name, value in weights(pool, a.with_patch(Patch(str(path), "whole", 1.0))).items():
        assert torch.allclose(value, wanted[name], atol=2e-3), name


def test_too_few_ranks_are_told(root):
    _, notes = saved(
        root,
        *checkpoint("sd1 A.safetensors"),
        core("b", "load_checkpoint", file="sd1 B.safetensors"),
        core(
            "save",
            "save_lora",
            model=("b", "model"),
            base=("checkpoint", "model"),
            rank=1,
            biases=False,
            prefix="few",
        ),
        prefix="few",
    )
    assert any(note.startswith("At rank 1 the LoRA has ") for note in notes)


def test_no_difference_is_no_lora(root):
    save = core("save", "save_lora", model=("checkpoint", "model"), base=("checkpoint", "model"))
    with pytest.raises(MismatchedValues, match="there is no difference to save"):
        saved(root, *checkpoint("sd1 A.safetensors"), save, prefix="none")
    with pytest.raises(MismatchedValues, match="nothing to save"):
        saved(root, core("save", "save_lora"), prefix="none")
