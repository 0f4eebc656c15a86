"""Whose models a graph names."""

from __future__ import annotations

from collections.abc import Mapping

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import PonyStudioError
from ponystudio.graph.model import Graph
from ponystudio.library.file_checks import DENOISERS, files_of
from ponystudio.library.model_folders import ModelFolders
from ponystudio.library.recognition.recognise import recognise


def graph_families(
    graph: Graph, catalog: Mapping[str, NodeSpec], folders: ModelFolders
) -> dict[str, str]:
    """The families of the models that its nodes name, by the names of their files; without those
    that are not there, or not known. Reads headers alone."""
    found: dict[str, str] = {}
    folders = folders.snapshot()
    for node in graph.nodes.values():
        spec = catalog.get(node.type)
        for _, kind, name in files_of(node, spec) if spec else ():
            if kind not in DENOISERS or not name or name in found:
                continue
            try:
                found[name] = recognise(folders.resolve(kind, name)).family
            except (PonyStudioError, OSError):
                found[name] = ""
    return {name: family for name, family in found.items() if family}
