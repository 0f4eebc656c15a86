"""What fields need besides their value, handed in by the app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ponystudio.library.folders import Folders, default_roots


@dataclass(frozen=True)
class ParamServices:
    """`folders` gives the model folders as they are now; `last_seed` the seed that a node's param
    last ran with; `index_path` is where facts about model files are kept (None: not kept)."""

    folders: Callable[[], Folders] = field(default=lambda: Folders(default_roots()))
    last_seed: Callable[[str, str], int | None] = field(default=lambda node, param: None)
    index_path: Path | None = None

    @staticmethod
    def default() -> ParamServices:
        return _default()


@cache
def _default() -> ParamServices:
    return ParamServices()
