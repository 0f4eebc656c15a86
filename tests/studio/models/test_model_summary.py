"""What a model file is called, and where it fits."""

from __future__ import annotations

from ponystudio.studio.models.model_summary import ModelSummary, mismatch, size_text, title_of


def test_other_families_do_not_fit():
    fact = ModelSummary("a", family="sdxl")
    assert mismatch("loras", fact, "sd1") == "For SDXL; the model is SD 1.5"
    assert mismatch("loras", fact, "sd1", short=True) == "For SDXL, not SD 1.5"
    assert mismatch("loras", fact, "") == ""
    assert mismatch("upscale_models", fact, "sd1") == ""


def test_how_files_are_called():
    assert title_of("styles/film.v2.safetensors") == "film.v2"
    assert title_of("cat.png") == "cat.png"
    assert [size_text(n) for n in (0, 512, 72_000, 3_227_336, 465_090_358, 1_900_000_000)] == [
        "", "512 B", "72 KB", "3.2 MB", "465 MB", "1.9 GB",
    ]  # fmt: skip
