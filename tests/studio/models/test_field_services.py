"""Which node loads a file of a kind."""

from __future__ import annotations

import json
import threading

from PySide6.QtCore import QCoreApplication

from ponystudio.graph.catalog import Catalog
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.models.field_services import FieldServices, loader, with_file
from ponystudio.studio.models.token_counts import PromptState
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


def test_the_end_of_the_services_ends_what_is_being_found_out(qapp, tmp_path):
    services = FieldServices(lambda: ModelFolders([tmp_path]))
    told = []
    services.counts.changed.connect(lambda: told.append("count"))
    services.facts.changed.connect(lambda: told.append("fact"))
    services.counts.get(PromptState("a unicorn", "a1111"))
    services.facts.get("loras", "gone.safetensors")
    services.close()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"token counter", "model files"}
    QCoreApplication.processEvents()
    assert told == []
