"""Writes resources/catalog.json: the built-in nodes as data, so that a window opens at once.

python packaging/write_catalog.py
"""

from __future__ import annotations

import json
import sys

import ponystudio_resources
from ponystudio.engine.node_packs import load_packs
from ponystudio.graph.catalog import Catalog

CATALOG = ponystudio_resources.path("catalog.json")


def built_in() -> str:
    """The text of the file, made from the nodes that this installation has."""
    packs = load_packs()
    problems = [problem for problem in packs.catalog.problems if problem.pack == "core"]
    if problems:
        raise SystemExit(f"Built-in nodes could not be loaded: {problems}")
    catalog = Catalog(spec for spec in packs.catalog.values() if spec.pack == "core")
    return json.dumps(catalog.to_json(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    CATALOG.write_text(built_in(), encoding="utf-8")
    print(f"Wrote {CATALOG}.", file=sys.stderr)
