"""What the built-in nodes begin with."""

from __future__ import annotations

import json

import pytest

from ponystudio.graph.catalog import Catalog
from ponystudio.library.model_folders import ModelFolders
from ponystudio_resources import path as resource

CATALOG = Catalog.from_json(json.loads(resource("catalog.json").read_text("utf-8")))
FILES = [
    (spec.id, part.kind, part.default)
    for spec in CATALOG.values()
    for param in spec.params
    for part in (param, *param.fields)
    if part.type == "file"
]


@pytest.mark.parametrize(("node", "kind", "name"), FILES)
def test_a_file_ships_or_is_left_to_choose(node: str, kind: str, name: str) -> None:
    assert not name or ModelFolders([resource()]).resolve(kind, name).is_file(), node
