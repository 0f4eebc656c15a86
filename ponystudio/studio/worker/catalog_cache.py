"""The catalog that the last worker had, so that the next window opens with it at once."""

from __future__ import annotations

import json
from pathlib import Path

from ponystudio import __version__
from ponystudio.errors import BadInput
from ponystudio.graph.catalog import Catalog, shipped_catalog
from ponystudio.studio.json_store import save_text


class CatalogCache:
    """In `file`, or nowhere (None). What another version wrote is passed over."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def read(self) -> Catalog:
        """The last worker's catalog; the built-in nodes' where there was none."""
        try:
            if self._file is not None:
                data = json.loads(self._file.read_text("utf-8"))
                if data.pop("ponystudio") == __version__:
                    return Catalog.from_json(data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, BadInput):
            pass  # none yet, or a damaged one
        return shipped_catalog()

    def write(self, catalog: Catalog) -> None:
        save_text(self._file, json.dumps({**catalog.to_json(), "ponystudio": __version__}))
