"""A1111's `<lora:name:0.8>` and `<hypernet:name:1>` in a prompt, made into the nodes that apply
those files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import PurePosixPath
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.editing import wiring
from ponystudio.graph.editing.edits import AddNode, Compound, Connect, Edit, SetParam
from ponystudio.graph.editing.rewiring import new_node
from ponystudio.graph.editing.wiring import Pair, Specs
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.topology import ancestors, dependents
from ponystudio.system.file_names import composed, folded

ONE, STACK = "core.apply_lora", "core.apply_loras"
HYPERNETWORK = "core.apply_hypernetwork"
_TAG = r"<(?:lora|lyco|hypernet):[^<>:]+(?::[^<>:]*)*>"
# How far below each other the cards of several new nodes stand.
_BELOW = 240
# Letters of a prompt among which tags are looked for while somebody waits.
LONGEST_READ = 100_000
# A tag in a comment is none.
_COMMENT = r"#[^\n]*"
_TAGS = re.compile(rf"{_COMMENT}|(?P<tag>{_TAG})", re.IGNORECASE)
_RUN = re.compile(
    rf"{_COMMENT}|(?<![\s,])(?P<before>[\s,]*+){_TAG}(?:[\s,]*+{_TAG})*+(?P<after>[\s,]*+)",
    re.IGNORECASE,
)
_OPENS, _CLOSES = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True)
class Tag:
    """`kind`: of the file that it means, "loras" or "hypernetworks"."""

    name: str
    strength: float = 1.0
    clip_strength: float = 1.0
    kind: str = "loras"


@dataclass(frozen=True)
class LoraApplication:
    """`node` is what applies the files, or the first of those that do: one of the graph, or a new
    one of `spec`."""

    node: str
    spec: NodeSpec | None
    edits: tuple[Edit, ...]


def tags(text: str) -> list[Tag]:
    """Those of a prompt, in order, as A1111 reads them: `<lora:name:text encoder:model>`, the
    model's strength that of the text encoder where it is not said, `te=` and `unet=` by name."""
    found = (match["tag"] for match in _TAGS.finditer(text))
    return [_tag(*tag[1:-1].split(":")) for tag in found if tag]


def has_tags(text: str) -> bool:
    """Whether a prompt has any, as far as anybody would read it."""
    return any(match["tag"] for match in _TAGS.finditer(text, 0, LONGEST_READ))


def strip_tags(text: str) -> str:
    """The prompt without them, and with one comma where each had its own."""

    def left(match: re.Match[str]) -> str:
        if match["before"] is None:
            return match[0]
        start, end = match.span()
        before, after = text[max(start - 1, 0) : start], text[end : end + 1]
        if not before or not after or before in _OPENS or after in _CLOSES:
            return ""
        if not match["before"] or not match["after"]:
            return match["before"] or match["after"]
        gap = match["before"] + match["after"]
        return ("," if "," in gap else "") + ("\n" if "\n" in gap else " ")

    return _RUN.sub(left, text)


def without_tags(text: str) -> str:
    """The prompt as A1111 encodes it: without them, and all else as it stands."""
    return _TAGS.sub(lambda match: "" if match["tag"] else match[0], text)


class TagFiles:
    """The files there are, by what tags may call them."""

    def __init__(self, files: Collection[str]) -> None:
        # Made when a tag is looked for there, and then kept for the others.
        self._table = cache(partial(_table, files))

    def find(self, name: str) -> str:
        """The file that a tag means, which leaves out its suffix and mostly its folder; the name
        itself where there is none: the node says that it is missing."""
        wanted = name.replace("\\", "/")
        spellings: list[Callable[[str], str]] = [str, composed, folded]
        parts: list[Callable[[str], str]] = [str, _without_suffix, _bare]
        for spelling, part in product(spellings, parts):  # the nearest spelling counts
            file = self._table(part, spelling).get(spelling(wanted), "")
            if file != "":
                return file or name
        return name


def _table(
    files: Collection[str], part: Callable[[str], str], spelling: Callable[[str], str]
) -> dict[str, str | None]:
    """The first file by each spelling of a part of its name; None for files that differ in their
    spelling alone: a tag means none more than the others."""
    found: dict[str, str | None] = {}
    parts: dict[str, str] = {}
    for file in files:
        own = part(file)
        spelt = spelling(own)
        if parts.setdefault(spelt, own) != own:
            found[spelt] = None
        found.setdefault(spelt, file)
    return found


def _without_suffix(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))


def _bare(file: str) -> str:
    return PurePosixPath(file).stem


def apply_tags(
    graph: Graph,
    specs: Specs,
    prompt: str,
    files: Mapping[str, Collection[str]],
    beside: Callable[[str], Sequence[float]] = lambda _: (0, 0),
) -> LoraApplication | None:
    """The edits that take the tags out of a prompt and put nodes in their place, between what gives
    the model and the text encoder and all that read them; None without tags or encoder.

    `files` are those there are, by kind; `beside` says where a card behind another one may stand. A
    stack that stands there already takes the rows.
    """
    node = graph.nodes[prompt]
    spec = specs.get(node.type)
    found = _prompt_with_tags(node, spec) if spec else None
    clip = _of_type(graph, specs, prompt, "clip")
    if found is None or clip is None:
        return None
    param, text = found
    listed = tags(text)
    loras = [tag for tag in listed if tag.kind == "loras"]
    hypernetworks = [tag for tag in listed if tag.kind == "hypernetworks"]
    edits: list[Edit] = [SetParam(prompt, param, strip_tags(text))]
    applied: LoraApplication | None = None
    if loras:
        applied = _applied(
            graph, specs, prompt, clip, loras, TagFiles(files.get("loras", ())), beside
        )
        if applied is None:
            return None
        edits += applied.edits
    kind = specs.get(HYPERNETWORK)
    if hypernetworks and kind is None:
        return None
    there = TagFiles(files.get("hypernetworks", ()))
    x, y = beside(clip.source) if hypernetworks else (0, 0)
    # The last is put in first: each goes before all that read the model as it was.
    for number, tag in reversed(list(enumerate(hypernetworks, 1 if applied else 0))):
        assert kind is not None
        now, _ = Compound(tuple(edits)).apply(graph)
        source = _of_type(now, specs, prompt, "clip") or clip
        new = new_node(now, kind)
        params = {**new.params, "file": there.find(tag.name), "strength": tag.strength}
        edits += [
            AddNode(Node(new.id, new.type, new.version, params), {"pos": [x, y + number * _BELOW]}),
            *_led_through(now, new.id, {"model": _model(now, specs, prompt, source)}),
        ]
        applied = applied if applied and number else LoraApplication(new.id, kind, ())
    return applied and LoraApplication(applied.node, applied.spec, tuple(edits))


def _applied(
    graph: Graph,
    specs: Specs,
    prompt: str,
    clip: Link,
    loras: Sequence[Tag],
    there: TagFiles,
    beside: Callable[[str], Sequence[float]],
) -> LoraApplication | None:
    """The node that applies LoRAs, and the edits that put it in."""
    rows = [
        {
            "file": there.find(tag.name),
            "strength": tag.strength,
            "clip_strength": tag.clip_strength,
        }
        for tag in loras
    ]
    stack = graph.nodes[clip.source]
    if stack.type == STACK and stack.mode == "normal":
        present = stack.params.get("loras", [])
        more = [{"on": True, **row} for row in rows]
        return LoraApplication(stack.id, None, (SetParam(stack.id, "loras", [*present, *more]),))
    kind = specs.get(ONE if len(rows) == 1 else STACK)
    if kind is None:
        return None
    new = new_node(graph, kind)
    params = rows[0] if kind.id == ONE else {"loras": [{"on": True, **row} for row in rows]}
    added = Node(new.id, new.type, new.version, {**new.params, **params})
    links = {"clip": clip, "model": _model(graph, specs, prompt, clip)}
    edits = [
        AddNode(added, {"pos": list(beside(clip.source))}),
        *_led_through(graph, new.id, links),
    ]
    return LoraApplication(new.id, kind, tuple(edits))


def _led_through(graph: Graph, new: str, links: Mapping[str, Link | None]) -> Iterator[Edit]:
    """The wires from these outputs into the new node, and from there to who read them."""
    there = {name: link for name, link in links.items() if link is not None}
    for name, link in there.items():
        yield Connect(link.source, link.output, new, name)
    before = ancestors(graph, {link.source for link in there.values()})
    for name, link in there.items():
        for target, input in wiring.wires_from(graph, link.source, link.output):
            if target not in before:
                yield from wiring.connect(graph, Pair(new, name, target, input))


def _model(graph: Graph, specs: Specs, prompt: str, clip: Link) -> Link | None:
    """The model beside the text encoder, else that with which the prompt is sampled."""
    outputs = wiring.outputs(graph, specs, clip.source)
    if own := next((name for name, type in outputs if type == "model"), ""):
        return Link(clip.source, own)
    after = dependents(graph, [prompt])
    readers = (id for id in graph.nodes if id in after)
    return next((link for id in readers if (link := _of_type(graph, specs, id, "model"))), None)


def _of_type(graph: Graph, specs: Specs, id: str, type: str) -> Link | None:
    """What feeds a node's first wired input of a type."""
    node = graph.nodes[id]
    return next(
        (
            link
            for name, link in node.inputs.items()
            if link.source in graph.nodes and wiring.input_type(graph, specs, id, name) == type
        ),
        None,
    )


def _prompt_with_tags(node: Node, spec: NodeSpec) -> tuple[str, str] | None:
    """The first prompt of a node's own that has tags: its param and its text."""
    for param in spec.params:
        text: Any = node.params.get(param.name, param.default)
        if param.prompt and param.name not in node.inputs and tags(str(text)):
            return param.name, str(text)
    return None


def _tag(network: str, name: str, *strengths: str) -> Tag:
    named = dict(part.split("=", 1) for part in strengths if "=" in part)
    placed = [part for part in strengths if "=" not in part]
    clip = _number(named.get("te", placed[0] if placed else ""), 1.0)
    if network.lower() == "hypernet":
        return Tag(name.strip(), clip, clip, "hypernetworks")
    return Tag(
        name.strip(), _number(named.get("unet", placed[1] if len(placed) > 1 else ""), clip), clip
    )


def _number(text: str, otherwise: float) -> float:
    try:
        return max(-100.0, min(100.0, float(text)))
    except ValueError:
        return otherwise
