"""What a run will do: which nodes run, why, and where the results of the others lie."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.engine.protocol.run_events import (
    CACHED,
    FILES_STAND,
    NOT_KEPT,
    NOT_NEEDED,
    READS_LINKED_FILE,
    RUNS,
    SAVES,
    UP_TO_DATE,
    NodePlan,
    Tier,
)
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.result_keys import Content, Environment, NodeKey, Preimage, result_keys, why
from ponystudio.graph.topology import ancestors, effective, order

# A node's suffix, made by `key_suffix`, or "".
KeySuffixes = Callable[[Node, NodeSpec, NodeKey], str]


class ResultLookup(Protocol):
    """Where results are looked up."""

    def tier(self, key: str) -> Tier | None:
        """Where the result is, looked for everywhere."""

    def known_tier(self, key: str) -> Tier | None:
        """The same by what is remembered, without touching a disk."""


class EmptyCache:
    """Where no result is found."""

    def tier(self, key: str) -> Tier | None:  # noqa: ARG002 - the signature is ResultLookup's
        return None

    known_tier = tier


class RunHistory(Protocol):
    """What was run before, so that a plan can say what has changed since."""

    def last(self, node: str) -> Preimage | None:
        """What the node of this id was last run with."""

    def preimage(self, digest: str) -> Preimage | None: ...


@dataclass(frozen=True)
class Step:
    """A node that will run. `outputs` has the keys of its results, kept if it is `cacheable`."""

    node: Node
    spec: NodeSpec
    key: NodeKey
    outputs: Mapping[str, str]
    cacheable: bool


@dataclass(frozen=True)
class PlanInputs:
    """What of a plan follows from the graph and its targets alone.

    `graph` is the one that runs, without muted and bypassed nodes. `order` has every node that the
    targets depend on, `reading` those among them that read files, `prompting` those with a prompt.
    `volatile` ones read a file that is named by a wire, or depend on such a one: that file is not
    known before the run, so there is no key to find the result by again.
    """

    graph: Graph
    targets: tuple[str, ...]
    order: tuple[str, ...]
    reading: tuple[str, ...]
    prompting: tuple[str, ...]
    volatile: frozenset[str]


@dataclass(frozen=True)
class Keys:
    """The keys of the results of every node of a plan.

    A node's suffix stands for what decides its result and is in none of its preimages. `outputs`
    has the keys by node and output. They are made from `inputs`, `environment` and the `contents`
    of the files that are named, (param, name, content) each.
    """

    nodes: Mapping[str, NodeKey]
    suffixes: Mapping[str, str]
    outputs: Mapping[str, Mapping[str, str]]
    inputs: PlanInputs
    environment: Environment
    contents: tuple[tuple[ParamSpec, str, str], ...]

    def of(self, node: str, output: str) -> str:
        """The key of an output."""
        return self.outputs[node][output]

    def identity(self, node: str) -> str:
        """What stands for all that decides what the node does."""
        return f"{self.nodes[node].digest}~{self.suffixes.get(node, '')}"

    @property
    def short(self) -> dict[str, str]:
        """What each node's results are known by, short: for whoever keeps something with them."""
        return {id: key_suffix(self.identity(id)) for id in self.inputs.order}

    def leading_to(self, keys: Keys) -> dict[str, str]:
        """Each key of an output → its key among others of the same nodes."""
        return {
            key: keys.of(id, name)
            for id, outputs in self.outputs.items()
            for name, key in outputs.items()
        }

    def still_hold(self, inputs: PlanInputs, environment: Environment, content: Content) -> bool:
        """Whether keys without suffixes would be the same if they were made now."""
        return (
            not self.suffixes
            and self.inputs is inputs
            and self.environment is environment
            and all(content(param, name) == found for param, name, found in self.contents)
        )

    @cached_property
    def by_digest(self) -> Mapping[str, NodeKey]:
        return {digest: key for key in self.nodes.values() for digest in key.preimages}


@dataclass(frozen=True)
class Plan:
    """The steps, and why there are no others.

    `cached` are nodes whose results are there; those in neither `steps` nor `cached` are needed by
    nothing that runs. `needed` are the keys of cached results that steps read or targets give,
    `unchanged` the nodes with effects that are skipped because what they did still stands.
    """

    inputs: PlanInputs
    steps: tuple[Step, ...]
    cached: Mapping[str, Tier]
    needed: tuple[str, ...]
    unchanged: tuple[str, ...]
    keys: Keys

    @property
    def short_keys(self) -> dict[str, str]:
        """Those of all nodes, in short."""
        return self.keys.short

    def explain(self, past: RunHistory) -> dict[str, NodePlan]:
        """For every node, in order, what the run will do with it."""
        plans = {id: NodePlan(CACHED, tier) for id, tier in self.cached.items()}
        plans |= dict.fromkeys(self.unchanged, NodePlan(UP_TO_DATE, FILES_STAND))
        plans |= {step.node.id: NodePlan(RUNS, self.why(step, past)) for step in self.steps}
        unneeded = NodePlan(NOT_NEEDED)
        return {id: plans.get(id, unneeded) for id in self.inputs.order}

    def why(self, step: Step, past: RunHistory) -> str:
        """Why a node runs again, in a few words."""
        effects = bool(step.spec.effects)
        if not step.cacheable and not effects:
            return READS_LINKED_FILE

        def lookup(digest: str) -> Preimage | None:
            key = self.keys.by_digest.get(digest)
            return key.preimages[digest] if key else past.preimage(digest)

        changed = why(past.last(step.node.id), step.key.preimage, lookup)
        return changed or (SAVES if effects else NOT_KEPT)


def plan_inputs(
    graph: Graph, catalog: Mapping[str, NodeSpec], targets: Iterable[str]
) -> PlanInputs:
    """What a plan for `targets` of a graph that `check` has found good is made from."""
    running = effective(graph, catalog)
    nodes = running.nodes
    wanted = tuple(id for id in targets if id in nodes)
    ordered = tuple(order(running, ancestors(running, wanted)))
    files = {
        type: names
        for type, spec in catalog.items()
        if (names := {param.name for param in spec.params if _names_files(param)})
    }
    reading = tuple(id for id in ordered if nodes[id].type in files)
    volatile = {id for id in reading if not files[nodes[id].type].isdisjoint(nodes[id].inputs)}
    if volatile:
        for id in ordered:
            if not volatile.isdisjoint(nodes[id].sources):
                volatile.add(id)
    prompts = {type for type, spec in catalog.items() if any(p.prompt for p in spec.params)}
    prompting = tuple(id for id in ordered if nodes[id].type in prompts)
    return PlanInputs(running, wanted, ordered, reading, prompting, frozenset(volatile))


def plan_keys(
    inputs: PlanInputs,
    catalog: Mapping[str, NodeSpec],
    environment: Environment,
    content: Content,
    suffixes: KeySuffixes | None = None,
    before: Keys | None = None,
) -> Keys:
    """The keys of a run's results; `before`, if those still hold. `content` as for `result_keys`.

    `suffixes` gives a node's suffix ("" mostly); it counts for all nodes that depend on it too.
    """
    if before is not None and suffixes is None and before.still_hold(inputs, environment, content):
        return before
    contents: list[tuple[ParamSpec, str, str]] = []

    def noted(param: ParamSpec, name: str) -> str:
        found = content(param, name)
        contents.append((param, name, found))
        return found

    nodes = inputs.graph.nodes
    keys = result_keys(inputs.graph, catalog, inputs.order, environment, noted)
    found = _suffixes(inputs, catalog, keys, suffixes) if suffixes else {}
    outputs = {}
    for id in inputs.order:
        key, suffix = keys[id], found.get(id)
        end = f"~{suffix}" if suffix else ""
        outputs[id] = {
            name: key.output(name) + end for name in catalog[nodes[id].type].output_by_name
        }
    return Keys(keys, found, outputs, inputs, environment, tuple(contents))


def make_plan(
    inputs: PlanInputs,
    catalog: Mapping[str, NodeSpec],
    keys: Keys,
    results: ResultLookup,
    unchanged: Callable[[str, str], bool] = lambda _node, _identity: False,
) -> Plan:
    """Plan a run, pruned backwards through the results that are there. O(nodes + links).

    Nodes with effects always run, unless `unchanged(id, identity)` says that what they did with
    these inputs still stands.
    """
    nodes, volatile = inputs.graph.nodes, inputs.volatile
    steps: list[Step] = []
    cached: dict[str, Tier] = {}
    needed: list[str] = []
    skipped: list[str] = []
    demand = {id: set(keys.outputs[id]) for id in inputs.targets}
    for id in reversed(inputs.order):
        outputs = keys.outputs[id]
        demanded = demand.get(id)
        if demanded is None:
            if tier := _slowest(results.known_tier, outputs.values()):
                cached[id] = tier
            continue
        node = nodes[id]
        spec = catalog[node.type]
        if id not in volatile:
            if spec.effects and unchanged(id, keys.identity(id)):
                skipped.append(id)
                continue
            wanted = [outputs[name] for name in sorted(demanded)]
            if not spec.effects and (tier := _slowest(results.tier, wanted)):
                cached[id] = tier
                needed += wanted
                continue
        cacheable = not spec.effects and id not in volatile
        steps.append(Step(node, spec, keys.nodes[id], outputs, cacheable))
        for link in node.inputs.values():
            demand.setdefault(link.source, set()).add(link.output)
    steps.reverse()
    skipped.reverse()
    return Plan(inputs, tuple(steps), cached, tuple(needed), tuple(skipped), keys)


def key_suffix(text: str) -> str:
    """A short text that stands for this one, fit for a file name."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _suffixes(
    inputs: PlanInputs,
    catalog: Mapping[str, NodeSpec],
    keys: Mapping[str, NodeKey],
    suffix_of: KeySuffixes,
) -> dict[str, str]:
    """Each node's suffix joined with those of all that it depends on; only where there are any."""
    found: dict[str, str] = {}
    for id in inputs.order:
        node = inputs.graph.nodes[id]
        joined = {found[source] for source in node.sources if source in found}
        if own := suffix_of(node, catalog[node.type], keys[id]):
            joined.add(own)
        if len(joined) == 1:
            found[id] = joined.pop()
        elif joined:
            found[id] = key_suffix("\n".join(sorted(joined)))
    return found


def _names_files(param: ParamSpec) -> bool:
    return param.type == "file" or any(_names_files(field) for field in param.fields)


_SPEED: Mapping[Tier, int] = {"device": 0, "memory": 1, "disk": 2}


def _slowest(look: Callable[[str], Tier | None], keys: Iterable[str]) -> Tier | None:
    """The slowest tier among these results; None if one is missing or there are none."""
    slowest: Tier | None = None
    for key in keys:
        tier = look(key)
        if tier is None:
            return None
        if slowest is None or _SPEED[tier] > _SPEED[slowest]:
            slowest = tier
    return slowest
