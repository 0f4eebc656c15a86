from __future__ import annotations

import json

import pytest

from helpers.running import tiny_catalog
from ponystudio.graph.catalog import shipped_catalog
from ponystudio.studio.worker.catalog_cache import CatalogCache


def test_the_next_start_has_the_last_workers_catalog(tmp_path):
    cache, catalog = CatalogCache(tmp_path / "catalog.json"), tiny_catalog()
    assert cache.read().to_json() == shipped_catalog().to_json()
    cache.write(catalog)
    assert cache.read().to_json() == catalog.to_json()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ponystudio": "0.0.1", "nodes": []}'])
def test_what_is_damaged_or_of_another_version_is_passed_over(tmp_path, text):
    file = tmp_path / "catalog.json"
    file.write_text(text)
    assert CatalogCache(file).read().to_json() == shipped_catalog().to_json()


def test_its_version_is_kept_with_it(tmp_path):
    CatalogCache(tmp_path / "catalog.json").write(tiny_catalog())
    assert json.loads((tmp_path / "catalog.json").read_text())["ponystudio"]


def test_without_a_file_nothing_is_kept():
    cache = CatalogCache(None)
    cache.write(tiny_catalog())
    assert cache.read().to_json() == shipped_catalog().to_json()
