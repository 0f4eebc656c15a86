"""Everything that one run needs, as one plain value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders


@dataclass(frozen=True)
class RunRequest:
    """`targets` are the nodes to run; None: all that save or show something.

    `output` is where files are saved, `previews` where pictures go that are only shown. `scope`
    names the document, for telling what has changed since its last run. Without `always_write` a
    save is skipped when nothing it depends on changed and its files still stand.
    `denoiser_on_cpu`: when nothing else helps against a lack of memory, be slow. `titled`: errors
    call nodes as their cards do, not by their ids. `ignore_cache`: no result that is there is used.
    """

    graph: Graph
    folders: ModelFolders
    output: Path
    previews: Path
    targets: tuple[str, ...] | None = None
    scope: str = ""
    always_write: bool = True
    denoiser_on_cpu: bool = False
    titled: bool = False
    ignore_cache: bool = False
