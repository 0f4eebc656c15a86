"""Where a run finds models and leaves files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.graph.formats.metadata_policy import USUAL, MetadataPolicy
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders


@dataclass(frozen=True)
class RunFolders:
    """Where models are looked for, where files are saved, where what is only shown goes; and what
    saved files say of how they were made."""

    models: Callable[[], Sequence[Path]]
    output: Callable[[], Path]
    previews: Path
    metadata: Callable[[], MetadataPolicy] = MetadataPolicy

    def request(
        self,
        graph: Graph,
        graph_dir: Path | None,
        targets: Sequence[str] | None,
        scope: str,
        *,
        denoiser_on_cpu: bool = False,
        output_override: Path | None = None,
    ) -> RunRequest:
        """A run of a graph, with these folders as they are now; with an `output_override` all is
        made again, and written there with all that is known of it, to be compared."""
        return RunRequest(
            graph=graph,
            folders=ModelFolders(list(self.models()), graph_dir),
            output=output_override or self.output(),
            previews=output_override or self.previews,
            targets=None if targets is None else tuple(targets),
            scope=scope,
            denoiser_on_cpu=denoiser_on_cpu,
            always_write=False,
            titled=True,
            ignore_cache=output_override is not None,
            metadata=USUAL if output_override else self.metadata(),
        )
