"""`doctor`: what it says of what there is."""

from __future__ import annotations

import re

import ponystudio_resources
from ponystudio.cli import doctor
from ponystudio.engine.node_packs import NodePacks
from ponystudio.graph.catalog import PackProblem


def test_doctor(said):
    text = said("doctor")
    titles = re.findall(r"^(\w+)$", text, re.MULTILINE)
    assert titles == ["Versions", "Devices", "Folders", "Pictures", "Nodes", "Missing"]
    assert re.search(r"^  cpu: .*GiB", text, re.MULTILINE)
    assert re.search(r"^  core: \d+ nodes$", text, re.MULTILINE)
    assert "  read are PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF, by a process of its own\n" in text
    assert text.endswith("Missing\n  nothing\n")
    assert str(ponystudio_resources.path()) in text


def test_doctor_tells_what_other_tools_settings_say_in_vain(said, monkeypatch, tmp_path):
    monkeypatch.setattr("ponystudio.engine.memory.devices.doctor", list)
    (tmp_path / "models").mkdir()
    file = tmp_path / "extra_model_paths.yaml"
    file.write_text("a:\n  loras: D:\\models\n")
    text = said("doctor", "--models", str(tmp_path / "models"))
    assert f"  models: {tmp_path / 'models'} (" in text
    assert f"  more models: read from {file}\n" in text
    assert f"  {file} line 2 names D:\\models, which is not there.\n" in text
    file.write_text("[")
    assert f"{file} line 1: This is no list" in said("doctor", "--models", str(tmp_path))


def test_doctor_knows_the_folders_of_the_studio(said, monkeypatch, tmp_path):
    monkeypatch.setattr("ponystudio.engine.memory.devices.doctor", list)
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    gone = tmp_path / "gone"
    text = f'{{"model_folders": ["{tmp_path}", "{gone}"]}}'
    (tmp_path / "config" / "settings.json").write_text(text)
    text = said("doctor")
    assert f"  models: {tmp_path} (" in text
    assert f"  The model folder {gone} is not there.\n" in text
    (tmp_path / "config" / "settings.json").write_text('{"model_folders": [7]}')
    assert "Folders" in said("doctor")


def test_doctor_counts_a_failed_pack_as_missing(said, monkeypatch):
    packs = NodePacks.of([], [PackProblem("sparkles", "no module named glitter")])
    monkeypatch.setattr(doctor, "load_packs", lambda: packs)
    monkeypatch.setattr("ponystudio.engine.memory.devices.doctor", list)
    assert said("doctor").endswith("Missing\n  node pack sparkles: no module named glitter\n")
