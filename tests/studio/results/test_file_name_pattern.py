"""New nodes that save begin names as the settings say."""

from __future__ import annotations

import pytest

from helpers.studio import CATALOG
from ponystudio.studio.results.result_texts import with_prefix


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
