"""`nodes`, `inspect`, `convert` and `doctor`: what they say of what there is."""

from __future__ import annotations

import json
import re

import pytest
from safetensors import safe_open

import ponystudio_resources
from helpers.checkpoints import lightning, micro, weights
from ponystudio.cli import doctor
from ponystudio.cli.arguments import main
from ponystudio.engine.node_packs import NodePacks
from ponystudio.graph.catalog import COMFYUI, Catalog, PackProblem

UPSCALER = ponystudio_resources.path(
    "models", "upscale_models", "realesr-animevideov3-x4.safetensors"
)


@pytest.fixture
def said(capsys):
    """Stdout of `ponystudio WORDS`, which must do its work without a word on stderr."""

    def call(*words):
        assert main(list(map(str, words))) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return call


def test_nodes_lists_every_node_in_its_group(said):
    overview = said("nodes")
    catalog = Catalog.from_json(json.loads(said("nodes", "--json")))
    assert "core.sample" in catalog
    listed = re.findall(r"^  (core\.\w+) ", overview, re.MULTILINE)
    assert sorted(listed) == sorted(catalog)
    assert re.findall(r"^(\w[\w ]*)$", overview, re.MULTILINE) == sorted(
        {spec.group for spec in catalog.values()}
    )


@pytest.mark.parametrize("name", ["core.sample", "sample", "Sample"])
def test_a_node_by_id_or_title(name, said):
    assert said("nodes", name).startswith("core.sample — Sample (Sampling, version 1)\n")


def test_the_help_of_a_node_has_every_socket_and_param(said):
    spec = json.loads(said("nodes", "core.sample", "--json"))
    text = said("nodes", "core.sample")
    for entry in (*spec["inputs"], *spec["params"], *spec["outputs"]):
        assert f"  {entry['name']}: " in text
    assert "steps: int, 1 to 10000, default 25" in text
    assert "model: model" in text


def test_no_such_node(capsys):
    assert main(["nodes", "core.smaple"]) == 2
    assert "Did you mean core.sample" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMFYUI)
def test_a_node_of_comfyui(name, capsys):
    assert main(["nodes", name]) == 2
    assert f"ComfyUI's {name} is {COMFYUI[name]} here." in capsys.readouterr().err


def test_the_nodes_of_a_group(said):
    listed = re.findall(r"^  (core\.\w+) ", said("nodes", "models"), re.MULTILINE)
    assert "core.load_checkpoint" in listed
    catalog = Catalog.from_json(json.loads(said("nodes", "Models", "--json")))
    assert sorted(catalog) == sorted(listed)
    assert {spec.group for spec in catalog.values()} == {"Models"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return micro(
        tmp_path_factory.mktemp("inspect") / "micro.safetensors", extra={"note": "n" * 500}
    )


def test_inspect(checkpoint, said):
    text = said("inspect", checkpoint)
    for line in ("format      safetensors", "kind        checkpoint", "family      sd1"):
        assert line in text
    assert re.search(r"^prediction +eps$", text, re.MULTILINE)
    assert re.search(r"^  model +\d+ tensors, [\d.]+ M parameters, F16, under model\.", text, re.M)
    assert re.search(r"^  sha256 +[0-9a-f]{64}$", text, re.MULTILINE)
    assert re.search(r"^  note +n+ … \(500 characters\)$", text, re.MULTILINE)
    assert re.search(r"^why\n  - \w", text, re.MULTILINE)


def test_inspect_as_json(checkpoint, said):
    found = json.loads(said("inspect", checkpoint, "--json"))
    assert (found["kind"], found["family"], found["prediction"]) == ("checkpoint", "sd1", "eps")
    assert found["path"] == str(checkpoint)
    assert found["parts"]["vae"]["prefix"] == "first_stage_model."
    assert found["metadata"]["note"] == "n" * 500
    assert found["hashes"]["sha256"].startswith(found["hashes"]["autov2"])
    assert found["why"]


def test_inspect_an_upscaler(said):
    text = said("inspect", UPSCALER)
    assert "kind        upscaler" in text
    assert "family" not in text


def test_convert(tmp_path, said):
    source, target = tmp_path / "old.ckpt", tmp_path / "new.safetensors"
    lightning(source, optimizer=True)
    assert said("convert", source, target, "--half") == f"{target}\n"
    with safe_open(target, "pt") as file:
        names = set(file.keys())
        stored = file.get_tensor("first_stage_model.decoder.conv_out.weight")
    assert names == set(weights())
    assert (stored == weights()["first_stage_model.decoder.conv_out.weight"]).all()


def test_convert_gives_nothing_but_safetensors(tmp_path, capsys):
    source = micro(tmp_path / "a.safetensors")
    assert main(["convert", str(source), str(tmp_path / "b.ckpt")]) == 2
    assert "b.safetensors" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_convert_into_a_folder_that_is_not_there(tmp_path, capsys):
    source = micro(tmp_path / "a.safetensors")
    assert main(["convert", str(source), str(tmp_path / "no" / "b.safetensors")]) == 1
    assert f"Make the folder {tmp_path / 'no'}" in capsys.readouterr().err


def test_doctor(said):
    text = said("doctor")
    titles = re.findall(r"^(\w+)$", text, re.MULTILINE)
    assert titles == ["Versions", "Devices", "Folders", "Nodes", "Missing"]
    assert re.search(r"^  cpu: .*GiB", text, re.MULTILINE)
    assert re.search(r"^  core: \d\d nodes$", text, re.MULTILINE)
    assert text.endswith("Missing\n  nothing\n")
    assert str(ponystudio_resources.path()) in text


def test_doctor_counts_a_failed_pack_as_missing(said, monkeypatch):
    packs = NodePacks.of([], [PackProblem("sparkles", "no module named glitter")])
    monkeypatch.setattr(doctor, "load_packs", lambda: packs)
    monkeypatch.setattr(doctor, "_devices", lambda missing: [])
    assert said("doctor").endswith("Missing\n  node pack sparkles: no module named glitter\n")
