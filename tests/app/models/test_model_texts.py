"""What is known of a model file, in lines."""

from __future__ import annotations

import re
from pathlib import Path

from ponystudio.app.models.model_texts import about_file, own_notes, what_it_is
from ponystudio.library.recognition.model_file import ModelFile
from ponystudio.library.recognition.model_notes import ModelNotes
from ponystudio.studio.models.model_summary import ModelSummary


def plain(lines):
    return {name: re.sub(r"<(?!br)[^>]*>", "", value) for name, value in lines}


def model(**more):
    return ModelFile(Path("m.safetensors"), "safetensors", "checkpoint", **more)


def test_what_it_is_and_what_told_so(qapp):
    told = plain(
        what_it_is(
            model(family="sdxl", prediction="v", zsnr=True, input_channels=9, why=("a & b", "c"))
        )
    )
    assert told["family"] == "SDXL"
    assert told["predicts"] == "velocity (v), down to pure noise"
    assert told["because"] == "a &amp; b;<br>c"
    assert "inside" not in told  # what is not known has no line


def test_size_and_place(qapp):
    fact = ModelSummary("m", Path("/models/checkpoints/m.safetensors"), size=1_234_567)
    told = plain(about_file(fact, None))
    assert told["size"].endswith("bytes")
    assert told["folder"] == "checkpoints"
    assert not {"numbers", "format", "changed"} & told.keys()


def test_what_its_maker_says(qapp):
    told = plain(own_notes(ModelNotes(title="<Pony>", resolution="(1024, 768)")))
    assert told == {"title": "&lt;Pony&gt;", "trained at": "1024 × 768"}
