"""Where things go when nobody says: the platform's own folders."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def output_folder() -> Path:
    return platformdirs.user_pictures_path() / "PonyStudio"


def cache_folder() -> Path:
    return platformdirs.user_cache_path("ponystudio", appauthor=False) / "results"
