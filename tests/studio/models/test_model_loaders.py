"""Which node loads a file of a kind."""

from __future__ import annotations

import json

from ponystudio.graph.catalog import Catalog
from ponystudio.studio.models.field_services import loader, with_file
from ponystudio_resources import path as resource

CATALOG = Catalog.from_json(json.loads(resource("catalog.json").read_text()))


def test_a_loader_takes_a_list_where_no_other_takes_one_file():
    spec, param = loader(CATALOG, "text_encoders")
    assert (spec.id, param.type) == ("core.load_clip", "rows")
    first = with_file(param, "clip_l.safetensors", param.default)
    assert first == [{"file": "clip_l.safetensors"}]
    assert with_file(param, "t5.safetensors", first)[1:] == [{"file": "t5.safetensors"}]
    assert loader(CATALOG, "loras")[0].id == "core.apply_lora"
    assert loader(CATALOG, "embeddings") is None
