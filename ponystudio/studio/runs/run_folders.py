"""Where a run finds models and leaves files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ponystudio.graph.model import Graph
from ponystudio.studio.worker.worker_process import Submission


@dataclass(frozen=True)
class RunFolders:
    """Where models are looked for, where files are saved, where what is only shown goes."""

    models: Callable[[], Sequence[Path]]
    output: Callable[[], Path]
    previews: Path

    def submission(
        self,
        graph: Graph,
        graph_dir: Path | None,
        targets: Sequence[str] | None,
        scope: str,
        *,
        denoiser_on_cpu: bool = False,
        output_override: Path | None = None,
    ) -> Submission:
        """A run of a graph, with these folders as they are now; with an `output_override` all is
        made again, and written there."""
        return Submission(
            graph=graph,
            models=list(self.models()),
            output=output_override or self.output(),
            previews=output_override or self.previews,
            graph_dir=graph_dir,
            targets=targets,
            scope=scope,
            denoiser_on_cpu=denoiser_on_cpu,
            anew=output_override is not None,
        )
