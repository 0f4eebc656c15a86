"""Days, sizes and devices in words."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from helpers.studio import CATALOG
from ponystudio.studio.results.picture_record import PictureRecord, read_picture
from ponystudio.studio.results.result_texts import day, device, label, precision, when, with_prefix


def test_days_and_labels_in_words(tmp_path):
    today = date(2026, 11, 21)

    def at(days: int) -> float:
        return datetime(2026, 11, 21, 14, 31).timestamp() - timedelta(days=days).total_seconds()

    assert [day(at(n), today) for n in (0, 1, 3, 60)] == [
        "Today",
        "Yesterday",
        "18 November",
        "September 2026",
    ]
    assert [when(at(n), today) for n in (0, 3, 400)] == ["14:31", "18 Nov", "Oct 2025"]
    assert [device(name) for name in ("cpu", "cuda:0", "cuda", "")] == ["CPU", "CUDA 0", "CUDA", ""]
    assert precision("model=bf16 clip=fp32") == "bf16"
    assert precision("fp16") == "fp16"
    a = PictureRecord(tmp_path / "a.png", prompt="fox, flat", seed=77, steps=20)
    b = PictureRecord(tmp_path / "b.png", prompt="fox, 3d", seed=77, steps=30)
    assert label(a, b) == "Flat, seed 77, 20 steps"
    assert label(b, a) == "3d, seed 77, 30 steps"
    assert label(a, None) == "a.png"
    assert read_picture(tmp_path / "none.png") is None


def test_only_what_names_files_is_changed():
    named = with_prefix(CATALOG, "ponies/unicorn")
    assert named["core.save_image"].param_by_name["prefix"].default == "ponies/unicorn"
    assert named["core.save_image"].param_by_name["format"].default == "png"
    assert list(named) == list(CATALOG)
    for id, spec in CATALOG.items():
        if id != "core.save_image":
            assert named[id] is spec


@pytest.mark.parametrize("prefix", ["", " ", "../up", "/root", "a/", "con"])
def test_what_is_no_file_name_changes_nothing(prefix):
    assert with_prefix(CATALOG, prefix) is CATALOG
