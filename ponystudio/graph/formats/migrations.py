"""Old graphs in new programs: file versions and node versions, step by step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ponystudio.api.node import Upgrade
from ponystudio.api.spec import NodeSpec
from ponystudio.errors import GraphFileError
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.plain_json import plain

Document = dict[str, Any]
Migration = Callable[[Document], Document]


class Migrations:
    """Steps from one file version to the next, each declared once.

    @MIGRATIONS.step(1)
    def name_of_the_change(document): ...   # takes version 1, returns version 2
    """

    def __init__(self) -> None:
        self._steps: dict[int, Migration] = {}

    def step(self, version: int) -> Callable[[Migration], Migration]:
        """Declare the step from `version` to `version` + 1."""

        def declare(migration: Migration) -> Migration:
            if version in self._steps:
                raise ValueError(f"there are two migrations from version {version}")
            self._steps[version] = migration
            return migration

        return declare

    def migrate(self, document: Document, version: int, target: int) -> Document:
        """The document as file version `target` has it; the one given is left as it is."""
        document = copy.deepcopy(document)
        for step in range(version, target):
            if step not in self._steps:
                raise GraphFileError(
                    f"Graphs of file version {step} can no longer be read.",
                    remedy="Open and save it with an older PonyStudio first.",
                )
            document = self._steps[step](document)
            document["version"] = step + 1
        return document


MIGRATIONS = Migrations()


def upgrade_nodes(
    graph: Graph,
    upgrades: Mapping[str, Mapping[int, Upgrade]],
    catalog: Mapping[str, NodeSpec],
) -> tuple[Graph, list[str]]:
    """The graph with old nodes brought to the installed versions, and a note on each.

    `upgrades[type][n]` turns the params of version n into those of n + 1. A node whose upgrade
    fails stays as it is, for `check` to report; so do nodes that are unknown here or newer.
    """
    changed: list[Node] = []
    notes: list[str] = []
    for id, node in sorted(graph.nodes.items()):
        spec = catalog.get(node.type)
        if spec is None or node.version >= spec.version:
            continue
        try:
            params = _upgraded(node, upgrades.get(node.type, {}), spec.version)
        except Exception as error:  # a pack's code may raise anything
            notes.append(f"{id}: {node.type} {node.version} could not be upgraded: {error!r}.")
        else:
            changed.append(replace(node, version=spec.version, params=params))
            notes.append(
                f"{id}: {node.type} upgraded from version {node.version} to {spec.version}."
            )
    return (graph.with_nodes(changed) if changed else graph), notes


def _upgraded(node: Node, steps: Mapping[int, Upgrade], target: int) -> dict[str, Any]:
    params = copy.deepcopy(dict(node.params))
    for version in range(node.version, target):
        if version not in steps:
            raise LookupError(f"there is no upgrade from version {version}")
        params = steps[version](params)
        if not isinstance(params, dict):
            raise TypeError(f"the upgrade from version {version} returned no params")
    upgraded: dict[str, Any] = plain(params)  # what no file can say would be lost with a save
    return upgraded
