"""A graph opened for a command: read, brought up to date, with settings, and checked."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ponystudio.cli.error_report import printable
from ponystudio.cli.missing_models import (
    look_for_models,
    rebound,
    tell_others,
    with_remedies,
)
from ponystudio.cli.model_arguments import add_models_argument, add_rebind_argument
from ponystudio.cli.set_params import set_params
from ponystudio.engine.node_packs import NodePacks, load_packs
from ponystudio.engine.preflight import check_models
from ponystudio.errors import NothingToRun, PonyStudioError, UsageError
from ponystudio.graph.comfyui.importer import Imported, Remark
from ponystudio.graph.formats.migrations import upgrade_nodes
from ponystudio.graph.model import Graph
from ponystudio.graph.placeholder import pack_of, stands_for
from ponystudio.graph.topology import ancestors, effective, without_errors
from ponystudio.graph.validation import check, effective_targets
from ponystudio.library.model_folders import ModelFolders, default_roots
from ponystudio.library.model_search import NamedModel
from ponystudio.pictures.graph_opening import open_file
from ponystudio.system.file_names import absolute, as_stored, why_absent


@dataclass(frozen=True)
class OpenedGraph:
    graph: Graph
    packs: NodePacks
    folders: ModelFolders
    named: tuple[NamedModel, ...] = ()
    """Model files that are not there, or are others than the graph says."""

    def errors(self) -> list[PonyStudioError]:
        """Everything that is wrong anywhere in the graph, its files included."""
        catalog = self.packs.catalog
        errors: list[PonyStudioError] = [*check(self.graph, catalog)]
        ids = effective(self.graph, catalog).nodes
        errors += self._model_errors(ids)
        try:
            effective_targets(self.graph, catalog)
        except NothingToRun as error:
            errors.append(error)
        return errors

    def targets(self) -> list[str] | None:
        """The nodes that a run is made for without those that a placeholder feeds, which are told
        on standard error; None: all, where none is, or no other."""
        running = effective(self.graph, self.packs.catalog)
        unknown = [id for id, node in running.nodes.items() if stands_for(node)]
        try:
            targets = effective_targets(self.graph, self.packs.catalog) if unknown else []
        except NothingToRun:
            return None
        known = without_errors(running, targets, unknown)
        if not known or len(known) == len(targets):
            return None
        for id in targets:
            if id not in known:
                said = f"note: {id} does not run: it needs a node that is not known here"
                print(printable(said), file=sys.stderr)
        return known

    def errors_in_the_way(self, targets: Sequence[str] | None = None) -> list[PonyStudioError]:
        """What keeps these nodes (None: all that save or show something) from running: errors
        elsewhere in the graph do no harm."""
        catalog = self.packs.catalog
        try:
            targets = effective_targets(self.graph, catalog) if targets is None else targets
        except NothingToRun as error:
            return [*check(self.graph, catalog), error]
        ids = ancestors(effective(self.graph, catalog), targets)
        return [
            *check(self.graph, catalog, targets=targets),
            *self._model_errors(ids),
        ]

    def _model_errors(self, ids: Iterable[str]) -> list[PonyStudioError]:
        found = check_models(self.graph, self.packs, self.folders, ids)
        return with_remedies(found, self.named)


def add_graph_arguments(parser: ArgumentParser) -> None:
    """GRAPH, --set and --models: what `open_graph` reads."""
    parser.add_argument(
        "graph",
        metavar="GRAPH",
        type=Path,
        help="a graph, ours or ComfyUI's, or a picture with one",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="NODE.PARAM=VALUE",
        action="append",
        default=[],
        help="change a param for this run; may be given again",
    )
    add_models_argument(parser)
    add_rebind_argument(parser)


def open_graph(arguments: Namespace) -> OpenedGraph:
    """The graph that GRAPH, --set and --models describe, with what is needed to check it.

    Raises GraphFileError, UsageError and the errors of `set_params`.
    """
    arguments.graph = as_stored(arguments.graph)
    packs = load_packs()
    report_problems(packs)
    graph, notes = upgrade_nodes(_read(arguments.graph), packs.upgrades, packs.catalog)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    folders = given_folders(arguments.models, absolute(arguments.graph).parent)
    graph = set_params(graph, arguments.settings, packs.catalog, folders)
    graph, named = found_models(graph, packs, folders, rebind=arguments.rebind)
    return OpenedGraph(graph, packs, folders, named)


def found_models(
    graph: Graph, packs: NodePacks, folders: ModelFolders, *, rebind: bool
) -> tuple[Graph, tuple[NamedModel, ...]]:
    """The graph, where it is wished with the names of the models that were found under others; and
    those that are missing or others than it says, which are told on standard error."""
    catalog = packs.catalog
    named = look_for_models(graph, catalog, folders, everything=rebind)
    if rebind:
        graph = rebound(graph, catalog, named)
        named = [one for one in named if one.found is None]
    tell_others(named)
    return graph, tuple(named)


def report_problems(packs: NodePacks) -> None:
    for problem in packs.catalog.problems:
        print(f"note: node pack {problem.pack}: {problem.error}", file=sys.stderr)


def report_import(imported: Imported) -> None:
    """What is to be said of a graph of another tool's, on standard error."""
    for id, type in imported.placeholders.items():
        pack = pack_of(imported.graph.nodes[id])
        said = f"{type} is not known here{f' (node pack {pack})' if pack else ''}"
        print(printable(f"placeholder: {id}: {said}"), file=sys.stderr)
    tell_remarks(imported.remarks)


def tell_remarks(remarks: Iterable[Remark]) -> None:
    """A line each, on standard error."""
    for remark in remarks:
        print(printable(f"note: {remark}"), file=sys.stderr)


def _read(path: Path) -> Graph:
    """The graph in a JSON file or in a picture that carries one, of ours or another tool's."""
    opened = open_file(path)
    if opened.imported:
        report_import(opened.imported)
    return opened.graph


def given_folders(models: Sequence[Path], graph_dir: Path | None = None) -> ModelFolders:
    """The model folders given, then the user's own, then the shipped ones. Raises UsageError."""
    found = [as_stored(folder) for folder in models]
    for folder in found:
        if not os.path.isdir(folder):  # noqa: PTH112 (Path.is_dir raises)
            reason = why_absent(folder)
            raise UsageError(
                f"There is no such folder.{f' {reason}' if reason else ''}",
                where=f"--models {folder}",
                remedy="Name the folder that holds checkpoints, loras and the like.",
            )
    return ModelFolders([*found, *default_roots()], graph_dir)
