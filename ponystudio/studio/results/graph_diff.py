"""How two graphs differ, in words: params by node, nodes, wires. Pure: no Qt, no files."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.editing.edits import Compound, Edit, SetParam
from ponystudio.graph.model import Graph, Node

Catalog = Mapping[str, NodeSpec]
Piece = tuple[str, bool]
"""A text and whether it is only on this side."""
_LONGEST, _MOST_COMPARED = 20_000, 1_000_000
"""Letters of a text that is compared word by word, and pairs of words."""


@dataclass(frozen=True)
class Difference:
    """`what` is "Sample, steps"; `before` and `after` its values in words, "" for none.

    `prose` says that the values are texts to be compared word by word.
    """

    what: str
    before: str
    after: str
    prose: bool = False
    kind: Literal["param", "node", "wire", "mode"] = "param"


@dataclass(frozen=True)
class GraphComparison:
    """`values` counts what was compared; `same` names what the eye asks for first and is equal:
    "graph", "model", "prompt", "seed", "sampler"."""

    differences: tuple[Difference, ...]
    values: int
    same: tuple[str, ...]


def compare(a: Graph, b: Graph, catalog: Catalog | None = None) -> GraphComparison:
    """What is otherwise in `b` than in `a`. Layout and titles count for nothing."""
    known = catalog or {}
    pairs = paired(a, b)
    found: list[Difference] = []
    values = 0
    touched: set[str] = set()
    for before, after in pairs:
        if before is None or after is None:
            found.append(_node_difference(before, after, known))
            touched.add("graph")
            continue
        names = _param_names(before, after, known)
        values += len(names)
        for name in names:
            old, new = _value(before, name, known), _value(after, name, known)
            if old != new:
                found.append(_param(after, name, old, new, known))
                touched.add(_topic(name))
        structural = [
            *_wires(before, after, a, b, known, dict(_ids(pairs))),
            *_modes(before, after, known),
        ]
        if structural:
            found.extend(structural)
            touched.add("graph")
    topics = ("graph", "model", "prompt", "seed", "sampler")
    there = {"graph"} | {_topic(name) for node in b.nodes.values() for name in node.params}
    same = tuple(topic for topic in topics if topic in there and topic not in touched)
    return GraphComparison(tuple(sorted(found, key=_rank)), values, same)


def sentence(same: Iterable[str]) -> str:
    """ "Same graph, model, seed and sampler", or ""."""
    words = list(same)
    if not words:
        return ""
    return "Same " + (f"{', '.join(words[:-1])} and {words[-1]}" if words[1:] else words[0])


def values_edit(current: Graph, of: Graph) -> Edit | None:
    """The edit that gives the nodes of `current` the params of the same nodes in `of`.

    Nodes are the same when id and type are, or where there is only one of the type in each.
    None if nothing would change.
    """
    edits: list[Edit] = []
    for node, source in paired(current, of):
        if node is None or source is None or node.version != source.version:
            continue
        edits.extend(
            SetParam(node.id, name, value)
            for name, value in source.params.items()
            if name not in node.inputs and node.params.get(name, ...) != value
        )
    return Compound(tuple(edits)) if edits else None


def words(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces: what is only in the one or the other, word by word. Texts without end
    are compared as a whole, since the time for their words grows by the square."""
    import difflib

    old, new = (re.findall(r"\s+|\w+|[^\w\s]", text[:_LONGEST]) for text in (before, after))
    left: list[Piece] = []
    right: list[Piece] = []
    if max(len(before), len(after)) > _LONGEST or len(old) * len(new) > _MOST_COMPARED:
        _append(left, before, before != after)
        _append(right, after, before != after)
        return left, right
    for kind, a0, a1, b0, b1 in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        _append(left, "".join(old[a0:a1]), kind != "equal")
        _append(right, "".join(new[b0:b1]), kind != "equal")
    return left, right


def own_phrases(prompt: str, other: str) -> list[str]:
    """The comma-separated parts of a prompt that the other one lacks."""
    parts = [part.strip() for part in re.split(r"[,\n]", prompt)]
    theirs = {part.strip().lower() for part in re.split(r"[,\n]", other)}
    return [part for part in parts if part and part.lower() not in theirs]


def paired(a: Graph, b: Graph) -> list[tuple[Node | None, Node | None]]:
    """Nodes of `a` with those of `b` that they correspond to: by id and type, then by type."""
    pairs: list[tuple[Node | None, Node | None]] = []
    left = {
        id: node for id, node in a.nodes.items() if id not in b.nodes or _other(node, b.nodes[id])
    }
    right = {
        id: node for id, node in b.nodes.items() if id not in a.nodes or _other(node, a.nodes[id])
    }
    waiting: defaultdict[str, deque[Node]] = defaultdict(deque)
    for node in right.values():
        waiting[node.type].append(node)
    for id, node in a.nodes.items():
        if id not in left:
            pairs.append((node, b.nodes[id]))
        else:
            pairs.append((node, waiting[node.type].popleft() if waiting[node.type] else None))
    alone = {node.id for others in waiting.values() for node in others}
    pairs.extend((None, node) for id, node in right.items() if id in alone)
    return pairs


def _other(node: Node, same_id: Node) -> bool:
    return node.type != same_id.type


def _ids(pairs: Iterable[tuple[Node | None, Node | None]]) -> Iterator[tuple[str, str]]:
    return ((a.id, b.id) for a, b in pairs if a is not None and b is not None)


def title(node: Node, catalog: Catalog) -> str:
    """What the node is called on its card."""
    if node.title:
        return node.title
    spec = catalog.get(node.type)
    if spec is not None:
        return spec.title
    return node.type.rpartition(".")[2].replace("_", " ").title()


def in_words(value: Any) -> str:
    """A param's value as one would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        text = f"{value:.6g}"
        return text if "." in text or "e" in text else f"{text}.0"
    if isinstance(value, list):
        rows = [_row_in_words(row) for row in value]
        return "; ".join(rows) or "nothing"
    return "nothing" if value in (None, "") else str(value)


def _row_in_words(row: Any) -> str:
    if not isinstance(row, dict):
        return in_words(row)
    text = " ".join(in_words(value) for name, value in row.items() if name != "on")
    return text if row.get("on", True) else f"{text} (off)"


def _param_names(before: Node, after: Node, catalog: Catalog) -> list[str]:
    spec = catalog.get(after.type)
    declared = [param.name for param in spec.params] if spec else []
    return list(dict.fromkeys([*declared, *before.params, *after.params]))


def _value(node: Node, name: str, catalog: Catalog) -> Any:
    if name in node.inputs:
        return "from a wire"
    if name in node.params:
        return node.params[name]
    spec = catalog.get(node.type)
    param = spec.param_by_name.get(name) if spec else None
    return param.default if param else None


def _param(node: Node, name: str, old: Any, new: Any, catalog: Catalog) -> Difference:
    prose = name == "text" or any(isinstance(value, str) and " " in value for value in (old, new))
    what = f"{title(node, catalog)}, {name.replace('_', ' ')}"
    return Difference(what, in_words(old), in_words(new), prose)


def _node_difference(before: Node | None, after: Node | None, catalog: Catalog) -> Difference:
    node = after or before
    assert node is not None
    name = title(node, catalog)
    return Difference(
        name, "there" if before else "not there", "there" if after else "not there", kind="node"
    )


def _wires(
    before: Node, after: Node, a: Graph, b: Graph, catalog: Catalog, ids: Mapping[str, str]
) -> Iterator[Difference]:
    for name in dict.fromkeys([*before.inputs, *after.inputs]):
        old, new = before.inputs.get(name), after.inputs.get(name)
        same = old and new and ids.get(old.source) == new.source and old.output == new.output
        if same or (old is None and new is None):
            continue
        sides = []
        for link, graph in ((old, a), (new, b)):
            source = graph.nodes.get(link.source) if link else None
            sides.append(f"from {title(source, catalog)}" if source else "no wire")
        if sides[0] == sides[1] and old and new:
            sides = [f"{side}, {link.output}" for side, link in zip(sides, (old, new), strict=True)]
        what = f"{title(after, catalog)}, {name.replace('_', ' ')}"
        yield Difference(what, sides[0], sides[1], kind="wire")


def _modes(before: Node, after: Node, catalog: Catalog) -> Iterator[Difference]:
    if before.mode != after.mode:
        names = {"normal": "on"}
        sides = [names.get(node.mode, node.mode) for node in (before, after)]
        yield Difference(title(after, catalog), sides[0], sides[1], kind="mode")


def _topic(param: str) -> str:
    topics = {"file": "model", "text": "prompt", "scheduler": "sampler"}
    return topics.get(param, param)


def _rank(difference: Difference) -> int:
    """Prompts first, then values, then what is wired otherwise."""
    if difference.prose:
        return 0
    return 1 if difference.kind == "param" else 2


def _append(pieces: list[Piece], text: str, only_here: bool) -> None:
    if text:
        pieces.append((text, only_here))
