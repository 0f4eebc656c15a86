"""How much of published files is understood: no number of what is not may rise."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from ponystudio.graph.comfyui.importer import import_document

DATA = os.environ.get("PONYSTUDIO_TEST_DATA")
FILES = sorted(Path(DATA, "workflows").glob("*.json")) if DATA else []
# Nodes of families that are not run here, by the pack that they are of, "" where files do not say.
STAND_INS = {
    ("", "CLIPLoader"): 12,
    ("", "EmptyFlux2LatentImage"): 2,
    ("", "Flux2Scheduler"): 2,
    ("", "QuadrupleCLIPLoader"): 4,
    ("", "StableCascade_EmptyLatentImage"): 6,
    ("", "StableCascade_StageB_Conditioning"): 6,
    ("", "T5TokenizerOptions"): 4,
    ("", "TextEncodeQwenImageEditPlus"): 4,
}


@pytest.mark.skipif(not FILES, reason="PONYSTUDIO_TEST_DATA names no published files")
def test_no_more_nodes_are_stand_ins_than_before():
    nodes, found = 0, Counter()
    for path in FILES:
        imported = import_document(json.loads(path.read_text("utf-8")))
        nodes += imported.total
        for id, type in imported.placeholders.items():
            said = imported.graph.nodes[id].extra.get("comfyui", {})
            pack = said.get("cnr_id") or said.get("aux_id") or ""
            found["" if pack == "comfy-core" else pack, type] += 1
    print(f"{len(FILES)} files, {nodes} nodes, {found.total()} placeholders")
    for (pack, type), count in found.most_common():
        print(f"{count:4} {type}" + (f" ({pack})" if pack else ""))
    more = {name: count for name, count in found.items() if count > STAND_INS.get(name, 0)}
    assert more == {}
