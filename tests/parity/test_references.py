"""A shared seed gives the picture that ComfyUI gives: its saved latents, by its graphs as imported.

Needs the full-size seeded checkpoint (2 GB of disk, some minutes on two cores): run with `-m full`.
"""

from __future__ import annotations

import json

import pytest

from helpers.make_checkpoint import write_checkpoint
from helpers.paths import PARITY
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.headless import run_graph
from ponystudio.graph.comfyui.importer import import_document
from ponystudio.library.model_folders import ModelFolders

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

# Where ComfyUI's own result hangs on the nearest of two table entries, or on a Brownian path.
LOOSE = ("dpm_2__", "dpm_2_ancestral__", "dpmpp_2s_ancestral__", "dpmpp_sde__", "dpmpp_2m_sde__")
NAMES = sorted(path.stem for path in PARITY.glob("*.latent"))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("full")
    for kind, folder, name in (
        ("full", "checkpoints", "pony_sd15_full.safetensors"),
        ("lora", "loras", "pony_sd15_lora.safetensors"),
    ):
        (root / folder).mkdir()
        write_checkpoint(kind, root / folder / name)
    yield root
    for file in root.rglob("*.safetensors"):
        file.unlink()


@pytest.mark.parametrize("name", NAMES)
def test_latent_of(name, models, tmp_path):
    graph = import_document(json.loads((PARITY / f"{name}.json").read_text("utf-8"))).graph
    run_graph(
        graph,
        folders=ModelFolders([models]),
        output=tmp_path,
        device="cpu",
        dtype="fp32",
        cache_dir=None,
    )
    (saved,) = tmp_path.rglob("*.latent")
    ours, _ = read_latent(saved)
    theirs, _ = read_latent(PARITY / f"{name}.latent")
    distance = ((ours - theirs).norm() / theirs.norm()).item()
    assert distance <= (1e-3 if name.startswith(LOOSE) else 1e-4), f"relative L2 {distance:.2e}"
