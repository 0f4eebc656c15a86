"""`nodes`: what it says of the nodes that there are."""

from __future__ import annotations

import json
import re

import pytest

from ponystudio.cli.arguments import main
from ponystudio.graph.catalog import Catalog


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


def test_a_node_of_comfyui(said, capsys):
    assert main(["nodes", "KSampler"]) == 2
    assert "What is KSampler in other tools is core.sample here." in capsys.readouterr().err
    assert "In other tools: KSampler." in said("nodes", "core.sample")


def test_the_nodes_of_a_group(said):
    listed = re.findall(r"^  (core\.\w+) ", said("nodes", "models"), re.MULTILINE)
    assert "core.load_checkpoint" in listed
    catalog = Catalog.from_json(json.loads(said("nodes", "Models", "--json")))
    assert sorted(catalog) == sorted(listed)
    assert {spec.group for spec in catalog.values()} == {"Models"}
