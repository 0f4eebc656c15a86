"""What a run will do: which nodes run, why, and where the results of the others lie."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from ponystudio.api import NodeSpec
from ponystudio.engine.events import Tier
from ponystudio.graph.keys import (
    Content,
    Environment,
    NodeKey,
    Preimage,
    result_keys,
    why,
)
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.topology import ancestors, effective, order

# A node's mark, made by `mark`, or "".
Marks = Callable[[Node, NodeSpec, NodeKey], str]

EFFECT = "it saves or shows something"
VOLATILE = "it reads a file that a wire names"
GONE = "its result was not kept"


class Found(Protocol):
    """Where results are looked up."""

    def tier(self, key: str) -> Tier | None:
        """Where the result is, looked for everywhere."""

    def known_tier(self, key: str) -> Tier | None:
        """The same by what is remembered, without touching a disk."""


class Past(Protocol):
    """What was run before, so that a plan can say what has changed since."""

    def last(self, node: str) -> Preimage | None:
        """What the node of this id was last run with."""

    def preimage(self, digest: str) -> Preimage | None: ...


@dataclass(frozen=True)
class Step:
    """A node that will run. `outputs` has the keys of its results; `kept`: they are cached."""

    node: Node
    spec: NodeSpec
    key: NodeKey
    outputs: Mapping[str, str]
    kept: bool


@dataclass(frozen=True)
class Keys:
    """The keys of the results of every node of a plan.

    A node's mark stands for what decides its result and is in none of its preimages.
    """

    nodes: Mapping[str, NodeKey]
    marks: Mapping[str, str]

    def of(self, node: str, output: str) -> str:
        """The key of an output."""
        key = self.nodes[node].output(output)
        return f"{key}~{self.marks[node]}" if node in self.marks else key

    def identity(self, node: str) -> str:
        """What stands for all that decides what the node does."""
        return f"{self.nodes[node].digest}~{self.marks.get(node, '')}"

    @cached_property
    def by_digest(self) -> Mapping[str, NodeKey]:
        return {digest: key for key in self.nodes.values() for digest in key.preimages}


@dataclass(frozen=True)
class Plan:
    """`graph` is the one that runs, without muted and bypassed nodes.

    `order` has every node that the targets depend on, `cached` those whose results are there;
    those in neither `steps` nor `cached` are needed by nothing that runs. `needed` are the keys of
    cached results that steps read or targets give, `unchanged` the nodes with effects that are
    skipped because what they did still stands.
    """

    graph: Graph
    order: tuple[str, ...]
    steps: tuple[Step, ...]
    cached: Mapping[str, Tier]
    needed: tuple[str, ...]
    unchanged: tuple[str, ...]
    keys: Keys

    def why(self, step: Step, past: Past) -> str:
        """Why a node runs again, in a few words."""
        if step.spec.effects:
            return EFFECT
        if not step.kept:
            return VOLATILE

        def lookup(digest: str) -> Preimage | None:
            key = self.keys.by_digest.get(digest)
            return key.preimages[digest] if key else past.preimage(digest)

        return why(past.last(step.node.id), step.key.preimage, lookup) or GONE


def make_plan(
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    targets: Iterable[str],
    environment: Environment,
    content: Content,
    found: Found,
    *,
    marks: Marks | None = None,
    unchanged: Callable[[str, str], bool] = lambda _node, _identity: False,
) -> Plan:
    """Plan a run of `targets` in a graph that `check` has found good. O(nodes + links).

    Nodes with effects always run, unless `unchanged(id, identity)` says that what they did with
    these inputs still stands. `marks` gives a node's mark ("" mostly); it counts for all nodes
    that depend on it too. `content` is as for `result_keys`.
    """
    running = effective(graph, catalog)
    nodes = running.nodes
    wanted = [id for id in targets if id in nodes]
    ordered = order(running, ancestors(running, wanted))
    node_keys = result_keys(running, catalog, ordered, environment, content)
    keys = marked(nodes, catalog, ordered, node_keys, marks)
    volatile = _volatile(nodes, catalog, ordered)

    steps: list[Step] = []
    cached: dict[str, Tier] = {}
    needed: list[str] = []
    skipped: list[str] = []
    demand = {id: set(catalog[nodes[id].type].output_by_name) for id in wanted}
    for id in reversed(ordered):
        node = nodes[id]
        spec = catalog[node.type]
        asked = demand.get(id)
        if asked is None:
            if tier := _slowest(found.known_tier, keys, id, spec.output_by_name):
                cached[id] = tier
            continue
        if id not in volatile:
            if spec.effects and unchanged(id, keys.identity(id)):
                skipped.append(id)
                continue
            if not spec.effects and (tier := _slowest(found.tier, keys, id, asked)):
                cached[id] = tier
                needed += [keys.of(id, name) for name in sorted(asked)]
                continue
        outputs = {name: keys.of(id, name) for name in spec.output_by_name}
        kept = not spec.effects and id not in volatile
        steps.append(Step(node, spec, node_keys[id], outputs, kept))
        for link in node.inputs.values():
            demand.setdefault(link.source, set()).add(link.output)
    steps.reverse()
    skipped.reverse()
    return Plan(running, tuple(ordered), tuple(steps), cached, tuple(needed), tuple(skipped), keys)


def marked(
    nodes: Mapping[str, Node],
    catalog: Mapping[str, NodeSpec],
    ordered: Iterable[str],
    node_keys: Mapping[str, NodeKey],
    mark_of: Marks | None,
) -> Keys:
    """The keys with each node's mark, joined with those of all that it depends on."""
    found: dict[str, str] = {}
    if mark_of is None:
        return Keys(node_keys, found)
    for id in ordered:
        node = nodes[id]
        joined = {found[link.source] for link in node.inputs.values() if link.source in found}
        if own := mark_of(node, catalog[node.type], node_keys[id]):
            joined.add(own)
        if len(joined) == 1:
            found[id] = joined.pop()
        elif joined:
            found[id] = mark("\n".join(sorted(joined)))
    return Keys(node_keys, found)


def mark(text: str) -> str:
    """A mark that stands for this text, fit for a file name."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _volatile(
    nodes: Mapping[str, Node], catalog: Mapping[str, NodeSpec], ordered: Iterable[str]
) -> set[str]:
    """Nodes that read a file named by a wire, and all that depends on them.

    That file is not known before the run, so there is no key to find the result by again.
    """
    reading = {
        type: names
        for type, spec in catalog.items()
        if (names := {param.name for param in spec.params if param.type == "file"})
    }
    found: set[str] = set()
    for id in ordered if reading else ():
        node = nodes[id]
        read = reading.get(node.type)
        if (read and not read.isdisjoint(node.inputs)) or (
            found and not found.isdisjoint(node.sources)
        ):
            found.add(id)
    return found


_SPEED: Mapping[Tier, int] = {"device": 0, "memory": 1, "disk": 2}


def _slowest(
    look: Callable[[str], Tier | None], keys: Keys, id: str, outputs: Iterable[str]
) -> Tier | None:
    """The slowest tier among these outputs of a node; None if one is missing or there are none."""
    slowest: Tier | None = None
    for name in outputs:
        tier = look(keys.of(id, name))
        if tier is None:
            return None
        if slowest is None or _SPEED[tier] > _SPEED[slowest]:
            slowest = tier
    return slowest
