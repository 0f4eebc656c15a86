"""Recipes: parts of files to be opened."""

from __future__ import annotations

from ponystudio.api import Clip, Model, Patch

PATCH = Patch("/lora", "lora's", 0.5)


def test_all_files_that_it_needs_are_told():
    clip = Clip("/clip", "clip's", "sd3", options=(("ema", True),))
    assert clip.files == (("/clip", "clip's"),)
    more = clip.with_file("with", "/t5", "t5's").with_file("tokenizer", "/t", "t's")
    assert more.with_patch(PATCH).files == (
        ("/clip", "clip's"),
        ("/t5", "t5's"),
        ("/t", "t's"),
        ("/lora", "lora's"),
    )


def test_a_recipe_is_a_value():
    model = Model("/m", "m's", "sd1")
    assert model.with_patch(PATCH).patches == (PATCH,)
    assert model.patches == ()
    assert model == Model("/m", "m's", "sd1")
    assert model != Clip("/m", "m's", "sd1")
    assert len({model.with_patch(PATCH), model.with_patch(PATCH)}) == 1
