"""The links of Use Everywhere: what comes in at one of its nodes goes to every input of that type
that nothing is wired to.

A graph that was saved with them says them (`extra.ue_links`). Without, they follow from the rules
of the nodes, as here: who sends what where, and which of several senders wins.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ponystudio.graph.comfyui.source_graph import (
    inside,
    listed,
    number,
    objects,
    pair,
    slot,
    text,
    whole,
)

EVERYWHERE = frozenset(
    ("Anything Everywhere", "Anything Everywhere3", "Anything Everywhere?", "Prompts Everywhere")
)
_SEEDS = "Seed Everywhere"
_PROMPTS = "Prompts Everywhere"
_SEED_NAMES = "seed|随机种"
_PROMPT_NAMES = (
    ("prompt", r"(_|\b)pos(itive|_|\b)|^prompt|正面"),
    ("negative", r"(_|\b)neg(ative|_|\b)|负面"),
)
_PATTERNS = ("title", "input", "group", "prompt", "negative")
# Comparisons of a sender with a place: beyond, the file is none that somebody made.
_MOST_COMPARED = 200_000
# Steps of matching patterns, at most a few tenths of a second of them.
_MOST_STEPS = 10_000_000
_LONGEST_PATTERN, _LONGEST_TEXT = 200, 100
# Since this version the editor names an input for every value, before for those that are wired.
_NAMES_ALL = (1, 16)

Place = tuple[str, int]
Source = tuple[str, int]


class TooMany(Exception):
    """More than is worked out for one graph."""


def is_sender(node: Mapping[str, Any]) -> bool:
    return node["type"] in (*EVERYWHERE, _SEEDS) or bool(_properties(node).get("ue_convert"))


def links_by_rules(
    graph: Mapping[str, Any],
    nodes: Mapping[str, Mapping[str, Any]],
    links: Mapping[str, Source],
) -> tuple[dict[Place, Source], list[str]]:
    """The links that the nodes of a graph make, as the outputs by the places that they lead to, and
    what is to be said of those that are not understood. `links`: the output that each link of the
    graph comes from."""
    rules = _Rules(graph, nodes, links)
    try:
        return rules.links(), rules.remarks
    except TooMany:
        senders = [id for id, node in nodes.items() if is_sender(node)]
        said = f"What its {len(senders)} Use Everywhere nodes send is too much to work out"
        return {}, [f"{said}: wire it by hand"]


@dataclass
class _Sender:
    """What one node sends from one output, and where to: `fits` has all that is asked of a node
    and its input; `ids`: the nodes that it is restricted to."""

    id: str
    type: str
    source: Source
    priority: float
    fits: list[Callable[[Mapping[str, Any], Mapping[str, Any]], bool]] = field(default_factory=list)
    ids: Collection[str] | None = None
    to_any: bool = False
    to_choices: bool = False

    def sends_to(self, id: str, node: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        if id == self.source[0] or (self.ids is not None and id not in self.ids):
            return False
        return all(fits(node, item) for fits in self.fits)


class _Rules:
    def __init__(
        self,
        graph: Mapping[str, Any],
        nodes: Mapping[str, Mapping[str, Any]],
        links: Mapping[str, Source],
    ) -> None:
        self._graph, self._nodes, self._links = graph, nodes, links
        self._names_all = _version(inside(graph, "extra").get("frontendVersion")) >= _NAMES_ALL
        self._compared = self._steps = 0
        self._known: dict[tuple[str, str], bool] = {}
        self.remarks: list[str] = []

    def links(self) -> dict[Place, Source]:
        by_type: dict[str, list[_Sender]] = defaultdict(list)
        for id, node in self._nodes.items():
            if is_sender(node) and _is_live(node):
                for sender in self._senders(id, node):
                    for type in self._types(sender):
                        by_type[type].append(sender)
        found: dict[Place, Source] = {}
        if not by_type:
            return found
        for id, node in self._nodes.items():
            if node["type"] in (*EVERYWHERE, _SEEDS) or not _is_live(node):
                continue
            if _properties(node).get("rejects_ue_links"):
                continue
            for place, item in enumerate(objects(node, "inputs")):
                senders = by_type.get(text(item.get("type")))
                if not senders or self._is_wired(item) or not self._takes(node, item):
                    continue
                if winner := self._winner(senders, id, node, item):
                    found[id, place] = winner.source
        return found

    def _winner(
        self, senders: list[_Sender], id: str, node: Mapping[str, Any], item: Mapping[str, Any]
    ) -> _Sender | None:
        """The one of the highest priority; of two of them none."""
        self._compare(len(senders))
        fitting = [sender for sender in senders if sender.sends_to(id, node, item)]
        most = max((sender.priority for sender in fitting), default=0)
        best = [sender for sender in fitting if sender.priority == most]
        if len(best) > 1:
            who = " and ".join(sender.id for sender in best[:4])
            to = f"{node['type']} {id}: {_label(item)}"
            self.remarks.append(f"{to} is sent something by {who} alike, and gets nothing")
        return best[0] if len(best) == 1 else None

    def _compare(self, count: int) -> None:
        self._compared += count
        if self._compared > _MOST_COMPARED:
            raise TooMany

    # --- Who sends ----------------------------------------------------------------------------

    def _senders(self, id: str, node: Mapping[str, Any]) -> Iterator[_Sender]:
        """One for each thing that a node sends."""
        rules = _rules_of(node)
        sent = list(self._sent(id, node))
        types = [type for _, type, _ in sent]
        for place, (source, type, label) in enumerate(sent):
            sender = _Sender(id, type, source, _priority(node, rules))
            sender.to_any = bool(rules.get("send_to_any"))
            sender.to_choices = bool(rules.get("string_to_combo"))
            said = dict(rules)
            if node["type"] == _PROMPTS and place < 2:
                name, pattern = _PROMPT_NAMES[place]
                said["input_regex"] = rules.get(f"{name}_regex") or pattern
                said["input_regex_invert"] = rules.get(f"{name}_regex_invert")
            elif types.count(type) > 1:
                sender.fits.append(_alike(label, rules.get("repeated_type_rule")))
            if self._restrict(sender, node, said):
                yield sender

    def _sent(self, id: str, node: Mapping[str, Any]) -> Iterator[tuple[Source, str, str]]:
        """The outputs that it sends, each with its type and the label of what it comes in by."""
        if node["type"] == _SEEDS:
            yield (id, 0), "INT", "seed"
            return
        if _properties(node).get("ue_convert"):
            for place, item in enumerate(objects(node, "outputs")):
                if type := text(item.get("type")):
                    yield (id, place), type, _label(item)
            return
        for item in objects(node, "inputs"):
            source = self._links.get(text(item.get("link")))
            if source is None or item.get("widget"):
                continue
            origin = self._nodes.get(source[0])
            if origin is not None and number(origin.get("mode")) == 2:  # muted
                continue
            if type := self._type(item, source):
                yield source, type, _label(item)

    def _type(self, item: Mapping[str, Any], source: Source) -> str:
        """Of what comes in: an input that takes anything does not say it."""
        id, out = source
        origin = self._nodes.get(id)
        ports = objects(self._graph, "inputs") if origin is None else objects(origin, "outputs")
        said = text(ports[out].get("type")) if out < len(ports) else ""
        own = text(item.get("type"))
        return said if own in ("", "*") else own

    @staticmethod
    def _types(sender: _Sender) -> list[str]:
        """Types of the inputs that it may send to."""
        types = [sender.type]
        if sender.to_any and sender.type != "*":
            types.append("*")
        if sender.to_choices and sender.type == "STRING":
            types.append("COMBO")
        return types

    def _restrict(self, sender: _Sender, node: Mapping[str, Any], rules: Mapping[str, Any]) -> bool:
        """Say what a sender asks; False where that is not understood."""
        for name, of in (("title", _title), ("input", lambda _, item: _label(item))):
            pattern = self._pattern(sender.id, node, rules, name)
            if pattern is None:
                return False
            if pattern:
                sender.fits.append(self._matching(pattern, of))
        groups = self._pattern(sender.id, node, rules, "group")
        if groups is None:
            return False
        ids: set[str] | None = None
        if side := whole(_as_number(rules.get("group_restricted"))):
            around = {i for group in self._groups_around(sender.id) for i in self._inside(group)}
            ids = around if side == 1 else {*self._nodes} - around
        if side := whole(_as_number(rules.get("color_restricted"))):
            self._compare(len(self._nodes))
            own = node.get("color")
            alike = {i for i, n in self._nodes.items() if (n.get("color") == own) == (side == 1)}
            ids = alike if ids is None else ids & alike
        if groups:
            test = self._matching(groups, lambda group, _: text(group.get("title")))
            named = [group for group in objects(self._graph, "groups") if test(group, {})]
            inside_them = {i for group in named for i in self._inside(group)}
            ids = inside_them if ids is None else ids & inside_them
        sender.ids = ids
        return True

    # --- Where they stand ---------------------------------------------------------------------

    def _groups_around(self, id: str) -> list[Mapping[str, Any]]:
        groups = objects(self._graph, "groups")
        self._compare(len(groups))
        return [group for group in groups if _holds(group, self._nodes[id])]

    def _inside(self, group: Mapping[str, Any]) -> list[str]:
        self._compare(len(self._nodes))
        return [id for id, node in self._nodes.items() if _holds(group, node)]

    # --- Where it is taken --------------------------------------------------------------------

    def _is_wired(self, item: Mapping[str, Any]) -> bool:
        return text(item.get("link")) in self._links

    def _takes(self, node: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Whether an input may be sent something: one of a value only where it is said so, or was
        made one by hand."""
        name, rules = text(item.get("name")), inside(_properties(node), "ue_properties")
        if not item.get("widget"):
            return not inside(rules, "input_ue_unconnectable").get(name)
        for said in (rules, _properties(node)):
            if "widget_ue_connectable" in said:
                return bool(inside(said, "widget_ue_connectable").get(name))
        return not self._names_all

    # --- Patterns -----------------------------------------------------------------------------

    def _pattern(
        self, id: str, node: Mapping[str, Any], rules: Mapping[str, Any], name: str
    ) -> tuple[SafePattern, bool] | tuple[()] | None:
        """What is asked of the name of something, and whether the contrary is; () for nothing,
        None where it is not understood."""
        said = rules.get(f"{name}_regex")
        if not isinstance(said, str) or said in ("", ".*"):
            return ()
        pattern = safe_pattern(said)
        if pattern is None:
            what = f"{name} {said[:_LONGEST_PATTERN]!r} is no pattern that is read here"
            self.remarks.append(f"{node['type']} {id}: its {what}: wire by hand what it sends")
            return None
        return pattern, bool(rules.get(f"{name}_regex_invert"))

    def _matching(
        self,
        pattern: tuple[SafePattern, bool],
        of: Callable[[Mapping[str, Any], Mapping[str, Any]], str],
    ) -> Callable[[Mapping[str, Any], Mapping[str, Any]], bool]:
        compiled, inverted = pattern

        def fits(node: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
            return self._matches(compiled, of(node, item)[:_LONGEST_TEXT]) != inverted

        return fits

    def _matches(self, pattern: SafePattern, said: str) -> bool:
        key = pattern.compiled.pattern, said
        if key not in self._known:
            self._steps += pattern.ways * len(said)
            if self._steps > _MOST_STEPS:
                raise TooMany
            self._known[key] = bool(pattern.compiled.search(said))
        return self._known[key]


def _rules_of(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a sender says of itself; before version 7 in its values and in its properties."""
    properties = _properties(node)
    rules = inside(properties, "ue_properties")
    if _version(rules.get("version")) >= (7,):
        own = dict(rules)
    else:
        own = {**properties, **rules}
        if node["type"] == "Anything Everywhere?":
            values = listed(node, "widgets_values")
            own.update(zip(("title_regex", "input_regex", "group_regex"), values, strict=False))
    if node["type"] == _SEEDS:
        own["input_regex"] = own.get("input_regex") or _SEED_NAMES
    return own


def _priority(node: Mapping[str, Any], rules: Mapping[str, Any]) -> float:
    if said := number(rules.get("priority")):
        return said
    found = 20 if node["type"] in (_SEEDS, _PROMPTS) else 10
    if any(rules.get(f"{name}_regex") not in (None, "", ".*") for name in _PATTERNS):
        found += 20
    found += 3 if _as_number(rules.get("group_restricted")) else 0
    return found + (6 if _as_number(rules.get("color_restricted")) else 0)


def _alike(label: str, rule: Any) -> Callable[[Mapping[str, Any], Mapping[str, Any]], bool]:
    """How an input is told that gets one of several things of a type: its name is that of what is
    sent, begins or ends alike, or its node's title is."""
    match whole(rule):
        case 1:
            return lambda _, item: _label(item).startswith(label) or label.startswith(_label(item))
        case 2:
            return lambda _, item: _label(item).endswith(label) or label.endswith(_label(item))
        case 3:
            return lambda node, _: text(node.get("title")) == label
        case _:
            return lambda _, item: _label(item) == label


def _holds(group: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Whether the middle of a node lies in a group."""
    bounding = listed(group, "bounding")
    corner, size = pair(bounding[:2]), pair(bounding[2:])
    pos, own = pair(node.get("pos")), pair(node.get("size")) or [0, 0]
    if corner is None or size is None or pos is None:
        return False
    x, y = pos[0] + own[0] / 2 - corner[0], pos[1] + own[1] / 2 - corner[1]
    return 0 <= x <= size[0] and 0 <= y <= size[1]


def _is_live(node: Mapping[str, Any]) -> bool:
    return number(node.get("mode")) not in (2, 4)


def _properties(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return inside(node, "properties")


def _label(item: Mapping[str, Any]) -> str:
    return text(item.get("label")) or text(item.get("localized_name")) or text(item.get("name"))


def _title(node: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    called = _properties(node).get("Node name for S&R")
    return text(node.get("title")) or text(called) or text(node.get("type"))


def _as_number(value: Any) -> float | None:
    return float(value) if isinstance(value, bool) else number(value)


def _version(value: Any) -> tuple[int, ...]:
    """The first numbers of a version; () for none."""
    parts = value[:20].split(".")[:2] if isinstance(value, str) else []
    return tuple(found for part in parts if (found := slot(part)) is not None)


# --- Patterns of strangers ------------------------------------------------------------------------

# What stands in a pattern one after the other: a letter or one of several, and how often; the
# beginning and the end of a group; a mark.
_PART = re.compile(
    r"(?:\\[wWdDsSbB\\.^$*+?()\[\]{}|/-]|\[\^?(?:\\.|[^\]\\\[&~|]){1,60}\]|[^\\^$*+?()\[\]{}|])"
    r"(?P<repeat>[*+?]\??)?|(?P<group>\((?:\?:)?)|(?P<close>\)\??)|(?P<mark>[|^$])"
)
_MOST_CHOICES = 8


@dataclass(frozen=True)
class SafePattern:
    """A pattern, and how many ways there are at most to match it from each letter of a text."""

    compiled: re.Pattern[str]
    ways: int


def safe_pattern(said: str) -> SafePattern | None:
    """A pattern that somebody wrote for JavaScript; None for one that Python reads otherwise, or
    that could take long: a single letter is repeated, and once, beside `.*` at the ends."""
    said = said.removeprefix("^.*").removeprefix(".*").removesuffix(".*$").removesuffix(".*")
    if len(said) > _LONGEST_PATTERN:
        return None
    found, place, depth, endless, choices = "", 0, 0, 0, 0
    while place < len(said):
        part = _PART.match(said, place)
        if part is None or "--" in part[0]:
            return None
        repeat, close = part["repeat"] or "", part["close"] or ""
        depth += bool(part["group"]) - bool(close)
        endless += repeat.startswith(("*", "+"))
        choices += (
            repeat.startswith("?") + close.endswith("?") + (part["mark"] == "|" and depth > 0)
        )
        found += r"\Z" if part["mark"] == "$" else part[0]
        place = part.end()
    if endless > 1 or choices > _MOST_CHOICES:
        return None
    try:
        return SafePattern(re.compile(found, re.ASCII), 2**choices * _LONGEST_TEXT**endless)
    except re.error:
        return None
