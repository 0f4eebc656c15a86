"""The documents that a graph was imported from, and what of it was changed since."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.exporting.export_mapping import Target, Unsaid, names_of
from ponystudio.graph.comfyui.exporting.target_graph import TargetNode, translate
from ponystudio.graph.comfyui.importer import SOURCE, Imported, Remark, import_documents
from ponystudio.graph.comfyui.mapping import Mapped, mappings
from ponystudio.graph.comfyui.source_graph import Wire, inside
from ponystudio.graph.model import Graph, Mode, Node, position

# What of a node's place is theirs, too.
_PLACE = ("pos", "collapsed", "pinned")


@dataclass
class Changes:
    """What of theirs is another one now, by their ids: values by name, and the nodes of ours that
    were changed, by name of what."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    modes: dict[str, Mode] = field(default_factory=dict)
    moved: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.values or self.titles or self.modes or self.moved)


class KeptSource:
    """An import made again of the documents that a graph has kept, beside the graph as it is."""

    def __init__(
        self, graph: Graph, catalog: Mapping[str, NodeSpec], documents: Mapping[str, Any]
    ) -> None:
        """Raises GraphFileError where they are damaged."""
        self._now, self._catalog = graph, catalog
        self.documents = documents
        self.imported: Imported = import_documents(**documents)

    @property
    def before(self) -> Graph:
        return self.imported.graph

    @cached_property
    def made_of(self) -> dict[str, list[str]]:
        """The nodes of ours that each of theirs became."""
        found: dict[str, list[str]] = {}
        for ours, theirs in self.imported.sources.items():
            for id in theirs:
                found.setdefault(id, []).append(ours)
        return found

    def is_untouched(self, *, looks: bool) -> bool:
        """Whether nodes, values and wires are what they were; with `looks` also titles, places,
        frames and notes."""
        now, before = self._now, self.before
        if now.nodes.keys() != before.nodes.keys():
            return False
        if any(not self.is_same(id) for id in now.nodes):
            return False
        return not looks or not (self._looks_changed() or self.frames_or_notes_changed())

    def frames_or_notes_changed(self) -> bool:
        now, before = self._now.view, self.before.view
        return any(list(now.get(k, ())) != list(before.get(k, ())) for k in ("frames", "notes"))

    def changes(self, classes: Mapping[str, str]) -> Changes | None:
        """What was changed, where each of theirs is still what it was but for values, titles, modes
        and places; None where nodes or wires are others. `classes` are those of theirs by their
        ids; what is not among them cannot be changed."""
        now, before = self._now, self.before
        if now.nodes.keys() != before.nodes.keys():
            return None
        found = Changes()
        for id in now.nodes:
            if now.nodes[id].inputs != before.nodes[id].inputs:
                return None
            theirs = self.imported.sources.get(id, ())
            if not self.is_same(id):
                if not theirs or not all(one in classes for one in theirs):
                    return None
                if len(theirs) > 1:
                    if not self._folded_changes(id, {one: classes[one] for one in theirs}, found):
                        return None
                elif not self._value_changes(theirs[0], classes[theirs[0]], found):
                    return None
            self.add_looks(id, classes, found)
        return found

    def add_looks(self, id: str, classes: Collection[str], found: Changes) -> None:
        """The title of a node, and its place, where they are others; not of one inside of another,
        which stands nowhere there."""
        theirs = self.imported.sources.get(id, ())
        if not theirs or theirs[-1] not in classes:
            return
        there = theirs[-1]  # of several that which the others lead to
        if place := self._place_changes(id):
            found.moved.setdefault(there, place)
        title = self._now.nodes[id].title
        if title != self.before.nodes[id].title:
            found.titles[there] = title

    def _value_changes(self, id: str, type: str, found: Changes) -> bool:
        """Whether all that is other in a node of theirs are values and its mode."""
        ours = self.made_of[id]
        modes = {self._now.nodes[one].mode for one in ours}
        before = {self.before.nodes[one].mode for one in ours}
        if modes != before:
            if len(modes) != 1:
                return False
            found.modes[id] = modes.pop()
        one, one_said = self._translated(self.before, ours, type)
        other, said = self._translated(self._now, ours, type)
        if [(node.type, node.beside) for node in one] != [(n.type, n.beside) for n in other]:
            return False
        for old, new in zip(one, other, strict=True):
            changed = {
                name: value
                for name, value in new.inputs.items()
                if name not in old.inputs or not _is_equal(value, old.inputs[name])
            }
            if not changed and new.inputs.keys() == old.inputs.keys():
                continue
            wired = any(isinstance(value, Wire) for value in changed.values())
            if new.type != type or new.beside or wired or old.inputs.keys() - new.inputs.keys():
                return False
            found.values.setdefault(id, {}).update(changed)
        found.remarks += [remark for remark in said if remark not in one_said]
        return True

    def _folded_changes(self, id: str, classes: Mapping[str, str], found: Changes) -> bool:
        """The same for a node that several of theirs became: each value belongs to one of those."""
        now, before = self._now.nodes[id], self.before.nodes[id]
        params, known = self._params(now), self._params(before)
        changed = {name for name in params if not _is_equal(params[name], known.get(name))}
        if replace(now, params=before.params, title=before.title) != before:
            return False
        for theirs, type in classes.items():
            how = mappings().get(type)
            if not isinstance(how, Mapped):
                continue
            for named, ours, convert in names_of(type, how):
                if ours in changed:
                    changed.remove(ours)
                    try:
                        value = convert(params[ours]) if convert else params[ours]
                    except Unsaid:
                        return False
                    found.values.setdefault(theirs, {})[named] = value
        return not changed

    def _translated(
        self, graph: Graph, ours: list[str], type: str
    ) -> tuple[list[TargetNode], list[Remark]]:
        """Those that some nodes of ours become, each wire a name of what it comes from."""
        links = {link for node in graph.nodes.values() for link in node.inputs.values()}
        known = {link: Target(Wire(f"{link.source}.{link.output}", 0)) for link in links}
        classes = dict.fromkeys(ours, type)
        target = translate(graph, self._catalog, only=ours, known=known, classes=classes)
        return list(target.nodes.values()), target.remarks

    def is_same(self, id: str) -> bool:
        """Whether a node of ours has the values and wires that it had."""
        one, other = self._now.nodes[id], self.before.nodes[id]
        if (one.type, one.mode, one.inputs, one.extra) != (
            other.type,
            other.mode,
            other.inputs,
            other.extra,
        ):
            return False
        return self._params(one) == self._params(other)

    def _params(self, node: Node) -> dict[str, Any]:
        spec = self._catalog.get(node.type)
        defaults = {param.name: param.default for param in spec.params} if spec else {}
        return {**defaults, **node.params}

    def _looks_changed(self) -> bool:
        now, before = self._now.nodes, self.before.nodes
        return any(now[id].title != before[id].title or self._place_changes(id) for id in now)

    def _place_changes(self, id: str) -> dict[str, Any]:
        """Where a node stands now: `pos` as the way that it was moved, and what it looks like."""
        now = inside(inside(self._now.view, "nodes"), id)
        before = inside(inside(self.before.view, "nodes"), id)
        found: dict[str, Any] = {}
        for name in _PLACE:
            if now.get(name) == before.get(name):
                continue
            if name != "pos":
                found[name] = bool(now.get(name))
            elif (to := position(now.get(name))) and (start := position(before.get(name))):
                found[name] = [round(a - b, 1) for a, b in zip(to, start, strict=True)]
        return found


def kept_sources(graph: Graph, catalog: Mapping[str, NodeSpec], form: str) -> Iterator[KeptSource]:
    """The imports of the document of a form that a graph has kept, `workflow` or `prompt`: of what
    it has beside the other one, and by itself."""
    kept = inside(graph.extra, SOURCE)
    if form not in kept:
        return
    alone = {form: kept[form]}
    for documents in [alone] if form == "workflow" or len(kept) == 1 else [alone, dict(kept)]:
        try:
            yield KeptSource(graph, catalog, documents)
        except GraphFileError:  # somebody wrote into the file
            continue


def _is_equal(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
