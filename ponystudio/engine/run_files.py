"""The files that the nodes of a run name, as its model folders have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.diffusion.families import families
from ponystudio.diffusion.text.embedding_names import may_mean
from ponystudio.errors import PonyStudioError
from ponystudio.graph.model import Graph, Node
from ponystudio.library.file_checks import check_files, files_of
from ponystudio.library.formats.content_id import content_id
from ponystudio.library.model_folders import ModelFolders


class RunFiles:
    """Finds files by the names that nodes of a catalog give them."""

    def __init__(self, catalog: Mapping[str, NodeSpec], folders: ModelFolders) -> None:
        self._catalog, self._folders = catalog, folders

    def errors(self, graph: Graph, ids: Iterable[str]) -> list[PonyStudioError]:
        """What is wrong with the files of these nodes."""
        return [*check_files(graph, self._catalog, self._folders, ids, families=families())]

    def path(self, kind: str, name: str) -> Path:
        """Raises MissingFile, UnsafePath."""
        return self._folders.resolve(kind, name)

    def content(self, param: ParamSpec, name: str) -> str:
        """The content id of a file that a param names."""
        return content_id(self.path(param.kind, name))

    def embeddings(self) -> dict[str, Path]:
        """The textual inversions that prompts may name."""
        return {name: self.path("embeddings", name) for name in self._folders.names("embeddings")}

    def naming_lora(self, nodes: Iterable[Node], lora: Path) -> list[str]:
        """Those of these nodes that name this LoRA."""
        return [
            node.id
            for node in nodes
            for _, kind, name in files_of(node, self._catalog[node.type])
            if kind == "loras" and self.path(kind, name) == lora
        ]


def embedding_contents(node: Node, param: ParamSpec, embeddings: Mapping[str, Path]) -> list[str]:
    """Name and content of the embeddings that a prompt may read: all, if a wire brings it."""
    text = str(node.params.get(param.name, param.default))
    return [
        f"{name} {content_id(path)}"
        for name, path in sorted(embeddings.items())
        if param.name in node.inputs or may_mean(text, name)
    ]
