"""Where things go when nobody says: settings, work, models, caches, logs, results.

The places follow the platform's conventions. The environment variable PONYSTUDIO_HOME puts all of
them below one folder, for tests and for a studio on a stick.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APP = "ponystudio"
HOME = "PONYSTUDIO_HOME"


def config() -> Path:
    """Where the settings are."""
    return _home("config") or Path(platformdirs.user_config_dir(APP, False))


def data() -> Path:
    """Where journals, the queue and the index of results are: what must not be lost."""
    return _home("data") or Path(platformdirs.user_data_dir(APP, False))


def cache() -> Path:
    """Where results and thumbnails are kept: what can be made again."""
    return _home("cache") or Path(platformdirs.user_cache_dir(APP, False))


def results_cache() -> Path:
    """Where results of nodes are kept."""
    return cache() / "results"


def logs() -> Path:
    return _home("logs") or Path(platformdirs.user_log_dir(APP, False))


def pictures() -> Path:
    """Where results are saved unless the settings say otherwise."""
    return _home("pictures") or Path(platformdirs.user_pictures_dir()) / "PonyStudio"


def models() -> Path:
    """Where people put models, laid out as ours."""
    return data() / "models"


def nodes() -> Path:
    """Where people put nodes of their own."""
    return data() / "nodes"


def _home(part: str) -> Path | None:
    home = os.environ.get(HOME)
    return Path(home).absolute() / part if home else None
