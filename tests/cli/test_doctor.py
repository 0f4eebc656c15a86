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
    assert titles == ["Versions", "Devices", "Folders", "Nodes", "Missing"]
    assert re.search(r"^  cpu: .*GiB", text, re.MULTILINE)
    assert re.search(r"^  core: \d\d nodes$", text, re.MULTILINE)
    assert text.endswith("Missing\n  nothing\n")
    assert str(ponystudio_resources.path()) in text


def test_doctor_counts_a_failed_pack_as_missing(said, monkeypatch):
    packs = NodePacks.of([], [PackProblem("sparkles", "no module named glitter")])
    monkeypatch.setattr(doctor, "load_packs", lambda: packs)
    monkeypatch.setattr("ponystudio.engine.memory.devices.doctor", list)
    assert said("doctor").endswith("Missing\n  node pack sparkles: no module named glitter\n")
