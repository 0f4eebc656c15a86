"""A workflow that we wrote carries the graph that it was written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import GraphError, GraphFileError
from ponystudio.graph.catalog import shipped_catalog
from ponystudio.graph.comfyui.exporting.exporter import OWN_FAMILIES, export_workflow
from ponystudio.graph.comfyui.importer import Imported, Remark, import_documents
from ponystudio.graph.comfyui.source_graph import OWN_GRAPH, inside
from ponystudio.graph.formats import graph_file
from ponystudio.graph.graph_shape import shape

_CHANGED = "it was changed since PonyStudio wrote it: what only PonyStudio says of it is left out"
_DAMAGED = "what PonyStudio wrote beside it cannot be read"


def restored(
    imported: Imported, workflow: Any, catalog: Mapping[str, NodeSpec] | None = None
) -> Imported:
    """The import of a workflow, as the very graph that it was written from where its nodes, values
    and wires are still those; else as it is, which is told."""
    extra = inside(workflow, "extra") if isinstance(workflow, Mapping) else {}
    said, families = extra.get(OWN_GRAPH), inside(extra, OWN_FAMILIES)
    if not isinstance(said, dict):
        return imported
    specs = catalog or shipped_catalog()
    try:
        own = graph_file.from_json(said)
        again = import_documents(workflow=export_workflow(own, specs, families).document)
        same = shape(again.graph, specs) == shape(imported.graph, specs)
    except (GraphFileError, GraphError):
        return replace(imported, remarks=(*imported.remarks, Remark("", _DAMAGED)))
    if not same:
        return replace(imported, remarks=(*imported.remarks, Remark("", _CHANGED)))
    return Imported(own, mapped=len(own.nodes))
