"""Model files that a graph names and that lie elsewhere: told, and with `--rebind` taken."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from ponystudio.api.spec import NodeSpec
from ponystudio.cli.error_report import printable
from ponystudio.errors import MissingFile, NotWritable, PonyStudioError, shortened
from ponystudio.graph.editing.edits import Compound
from ponystudio.graph.editing.rebinding import rebinding
from ponystudio.graph.file_uses import FileUse
from ponystudio.graph.model import Graph
from ponystudio.library import user_folders
from ponystudio.library.model_folders import ModelFolders
from ponystudio.library.model_index import ModelIndex
from ponystudio.library.model_search import ModelSearch, NamedModel, names_found

_HASHES = {
    "sha256": "SHA-256",
    "blake3": "BLAKE3",
    "autov1": "AutoV1",
    "autov2": "AutoV2",
    "autov3": "AutoV3",
    "crc32": "CRC32",
}


def look_for_models(
    graph: Graph, catalog: Mapping[str, NodeSpec], folders: ModelFolders, *, everything: bool
) -> list[NamedModel]:
    """Those that a graph names and that are not there, or are others than it says, with what was
    found; `everything`: all files are read for it, however many."""
    try:
        index: ModelIndex | None = ModelIndex(user_folders.model_index())
    except NotWritable:
        index = None
    try:
        return ModelSearch(folders, index).look(graph, catalog, everything=everything)
    finally:
        if index is not None:
            index.close()


def rebound(graph: Graph, catalog: Mapping[str, NodeSpec], named: Iterable[NamedModel]) -> Graph:
    """The graph with the names of what was found, each of which is told on standard error."""
    named = [one for one in named if one.found]
    edits = rebinding(graph, catalog, names_found(named))
    for one in named:
        if one.found:
            how = "the same file" if one.found.same else "a file of the same name; no hash tells"
            places = ", ".join(dict.fromkeys(f"{use.node}.{use.param}" for use in one.uses))
            said = f"rebound: {places}: {shortened(one.name)} is {one.found.name} now ({how})"
            print(printable(said), file=sys.stderr)
    return Compound(edits).apply(graph)[0] if edits else graph


def tell_others(named: Iterable[NamedModel]) -> None:
    """On standard error: files that have the right name and are others than the graph says."""
    for one in named:
        if one.other and one.wanted:
            use, hash = one.uses[0], _HASHES[one.other[0]]
            said = (
                f"note: {use.node}: the file {shortened(one.name)} here is another one than the"
                f" graph means: its {hash} is {one.other[1]}, not {one.wanted[1]}"
            )
            if where := where_found(one, use):
                said += f". {where}"
            elif one.page:
                said += f". The one meant is at {one.page}"
            print(printable(said), file=sys.stderr)


def where_found(one: NamedModel, use: FileUse) -> str:
    """What could be taken, and how; "" where nothing was found."""
    if one.found is None:
        return ""
    what = "The same file" if one.found.same else "A file of the same name"
    found = one.found.name
    by_hand = f", or set {use.node}.{use.param}={found}" if use.row is None else ""
    return f"{what} lies here as {found}: take it with --rebind{by_hand}."


def with_remedies(
    errors: Iterable[PonyStudioError], named: Sequence[NamedModel]
) -> list[PonyStudioError]:
    """The errors, those of missing files with where these were found instead, or can be had."""
    return [_with_remedy(error, named) for error in errors]


def _with_remedy(error: PonyStudioError, named: Sequence[NamedModel]) -> PonyStudioError:
    if not isinstance(error, MissingFile):
        return error
    for one in named:
        for use in one.uses:
            told = (use.node, use.param) == (error.node, error.socket)
            if not told or f"no file {shortened(one.name)}" not in error.what:
                continue
            remedy = where_found(one, use)
            if not remedy and one.page:
                remedy = f"It can be had at {one.page}. {error.remedy}"
            if remedy:
                return MissingFile(error.what, remedy=remedy, node=error.node, socket=error.socket)
    return error
