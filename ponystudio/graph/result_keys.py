"""What a result is known by: equal keys, equal results, in every process and on every day.

A node's digest is the SHA-256 of its *preimage* as canonical JSON:

    {"environment": {...},        the code, and unless the node is exact the device, dtype, torch
                                  version and attention kernel: what may change a result unsaid
     "files": {param: content},   what the files hold; their names do not change a result. A file
                                  in a row that is on stands as "param[row].column"
     "inputs": {socket: key},     keys of what is linked, so that a change anywhere upstream counts
     "params": {param: value},    coerced, defaults included; without cosmetic ones and without
                                  those that a link or a file's content stands for
     "type": id, "version": n}

The key of an output is its node's digest and its name. An output that only some sockets and params
affect has a digest of its own, from a preimage that leaves the others out, columns of rows too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ponystudio.api.spec import InputSpec, NodeSpec, ParamSpec
from ponystudio.graph.coercion import coerce
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.plain_json import plain
from ponystudio.graph.topology import effective

Preimage = Mapping[str, Any]
Content = Callable[[ParamSpec, str], str]
# What names it (a param, or a column of one's row), its spec, and the name of the file.
_File = tuple[str, ParamSpec, str]

# Reasons of `why` that programs know.
NEVER_RUN = "not run before"
CODE_CHANGED, VERSION_CHANGED = "code changed", "node version changed"

_WHOLE = ""
_spelt = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


@dataclass(frozen=True)
class Environment:
    """What besides the graph decides a result.

    `device` is a kind ("cpu", "cuda", "mps"), `dtype` the compute dtype, `torch` its version,
    `attention` the kernel; `fingerprints` has one of the code for each pack.
    """

    device: str
    dtype: str
    torch: str
    attention: str
    fingerprints: Mapping[str, str]

    def of(self, spec: NodeSpec) -> dict[str, str]:
        """What of it counts for one kind of node; a pack without fingerprint counts as ""."""
        code = {"code": self.fingerprints.get(spec.pack, "")}
        if spec.exact:
            return code
        return {
            **code,
            "device": self.device,
            "dtype": self.dtype,
            "torch": self.torch,
            "attention": self.attention,
        }


class NodeKey:
    """The digests of one node: `digest` covers all of it, what affects one output only included."""

    __slots__ = ("_apart", "digest", "texts")

    def __init__(self, texts: tuple[str, ...], apart: tuple[str, ...]) -> None:
        """`texts` are preimages: the whole node's, then those of the outputs named in `apart`."""
        self.digest, *others = [sha256(text.encode()).hexdigest() for text in texts]
        self._apart = dict(zip(apart, others, strict=True)) if apart else {}
        self.texts = texts

    def output(self, name: str) -> str:
        """The key of an output."""
        return output_key(self._apart.get(name, self.digest), name)

    @property
    def preimage(self) -> Preimage:
        """What `digest` was made from."""
        preimage: Preimage = json.loads(self.texts[0])
        return preimage

    @property
    def preimages(self) -> dict[str, Preimage]:
        """Every preimage by its digest: the node's own and those of outputs that differ."""
        digests = (self.digest, *self._apart.values())
        return {digest: json.loads(text) for digest, text in zip(digests, self.texts, strict=True)}


def canonical_json(value: Any) -> str:
    """The one spelling of a plain value: sorted keys, no spaces, no NaN, shortest floats, UTF-8.

    Raises ParamType or ParamRange for what `plain` refuses, e.g. nesting of more than 100 levels.
    """
    return _spelt(plain(value))


def output_key(node_digest: str, output: str) -> str:
    """The key of one output, from the digest that covers what affects it; fit for a file name."""
    return f"{node_digest}.{output}"


def digest_of(key: str) -> str:
    """The digest in an output key."""
    return key.partition(".")[0]


def result_keys(
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    order: Iterable[str],
    environment: Environment,
    content: Content,
) -> dict[str, NodeKey]:
    """The keys of these nodes of a graph that `check` has found good.

    `order` has each node after those that it depends on, which must be among them; muted and
    bypassed ones have no key. `content` gives what stands for all bytes of the file that a param
    names and is asked once for each. O(nodes + links); a node that is unchanged since the last call
    costs some microseconds.
    """
    nodes = effective(graph, catalog).nodes
    heads: dict[str, str] = {}
    keys: dict[str, NodeKey] = {}
    for id in order:
        node = nodes.get(id)
        if node is None:
            continue
        spec = catalog[node.type]
        head = heads.get(spec.id)
        if head is None:
            head = heads[spec.id] = f'{{"environment":{_spelt(environment.of(spec))},"files":{{'
        memory = node._keyed
        if memory is None or memory.spec is not spec:
            memory = _Memory(node, spec)
            node.remember("_keyed", memory)
        keys[id] = memory.key(head, keys, content)
    return keys


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What of one preimage depends on the node value alone, spelt already where it can be."""

    files: tuple[_File, ...]
    inputs: tuple[tuple[str, str, str], ...]  # opening of the entry, source, output
    tail: str


class _Memory:
    """What a node remembers of its keys: what never changes with it, and its last key."""

    __slots__ = ("apart", "last", "made_from", "recipes", "sources", "spec")

    def __init__(self, node: Node, spec: NodeSpec) -> None:
        counts: dict[str, InputSpec | ParamSpec] = dict(spec.input_by_name)
        counts.update((item.name, item) for item in spec.params if not item.cosmetic)
        recipes = {_WHOLE: _recipe(node, spec, counts)}
        columns = [column for param in spec.params for column in param.fields]
        for output in spec.outputs:
            if not all(_affects(item, output.name) for item in (*counts.values(), *columns)):
                recipes[output.name] = _recipe(node, spec, counts, output.name)
        self.spec = spec
        self.sources = node.sources
        self.recipes = tuple(recipes.values())
        self.apart = tuple(recipes)[1:]
        self.made_from: list[object] = []
        self.last: NodeKey | None = None

    def key(self, head: str, keys: Mapping[str, NodeKey], content: Content) -> NodeKey:
        """The node's key; the last one if the keys of its sources are the very ones of then."""
        files = {name: content(spec, value) for name, spec, value in self.recipes[0].files}
        made_from = [head, files, *[keys[id] for id in self.sources]]
        if self.last is None or made_from != self.made_from:
            texts = tuple([_preimage(recipe, head, files, keys) for recipe in self.recipes])
            self.last, self.made_from = NodeKey(texts, self.apart), made_from
        return self.last


def _affects(item: InputSpec | ParamSpec, output: str) -> bool:
    """Whether a socket, a param or a column of one's rows changes an output; _WHOLE: the node."""
    return not item.affects or output == _WHOLE or output in item.affects


def _recipe(
    node: Node, spec: NodeSpec, counts: Mapping[str, InputSpec | ParamSpec], output: str = _WHOLE
) -> _Recipe:
    """What of `counts` affects an output, or the whole node."""
    files: list[_File] = []
    inputs: list[tuple[str, str, str]] = []
    params: dict[str, Any] = {}
    for name in sorted(name for name, item in counts.items() if _affects(item, output)):
        item = counts[name]
        if link := node.inputs.get(name):
            inputs.append((f'{_spelt(name)}:"', link.source, link.output))
        elif isinstance(item, ParamSpec):
            value = coerce(item, node.params.get(name, item.default), node=node.id)
            if item.type == "file":
                files.append((name, item, value))
            else:
                params[name] = value
            if item.type == "rows":
                files += [file for file in _row_files(item, value) if _affects(file[1], output)]
                spared = [c.name for c in item.fields if not _affects(c, output)]
                params[name] = [{k: v for k, v in row.items() if k not in spared} for row in value]
    about = {"params": params, "type": spec.id, "version": spec.version}
    files.sort(key=lambda file: file[0])
    return _Recipe(tuple(files), tuple(inputs), f"}},{_spelt(about)[1:]}")


def _row_files(param: ParamSpec, rows: list[dict[str, Any]]) -> Iterator[_File]:
    """The files that the rows name, which leave them; a row that is off keeps its names."""
    for index, row in enumerate(rows):
        for column in param.fields:
            if column.type == "file" and row["on"]:
                yield f"{param.name}[{index}].{column.name}", column, row.pop(column.name)


def _preimage(
    recipe: _Recipe, head: str, files: Mapping[str, str], keys: Mapping[str, NodeKey]
) -> str:
    """The canonical JSON of what it says, put together from parts that are spelt already."""
    read = ",".join([f"{_spelt(name)}:{_spelt(files[name])}" for name, _, _ in recipe.files])
    linked = ",".join([f'{name}{keys[id].output(out)}"' for name, id, out in recipe.inputs])
    return f'{head}{read}}},"inputs":{{{linked}{recipe.tail}'


def why(
    old: Preimage | None,
    new: Preimage,
    lookup: Callable[[str], Preimage | None] = lambda _: None,
) -> str:
    """Why a node will run: how its preimage differs from the last one, in a few words.

    "seed changed", "file: other content", "upstream: positive: text changed"; "" if they are equal.
    `lookup` finds preimages by digest, old and new ones, to name the cause of a change upstream;
    without it only the socket is named.
    """
    if old is None:
        return NEVER_RUN
    reasons = _own_reasons(old, new)
    # Other code or another device is the same for everything upstream; saying so once is enough.
    if old["type"] == new["type"] and not _differing(old["environment"], new["environment"]):
        causes: dict[str, list[str]] = {}
        for socket in sorted(old["inputs"].keys() & new["inputs"].keys()):
            if old["inputs"][socket] != new["inputs"][socket]:
                causes.setdefault(_cause(socket, old, new, lookup), []).append(socket)
        reasons += [
            f"upstream: {' and '.join(sockets)}{f': {cause}' if cause else ''}"
            for cause, sockets in causes.items()
        ]
    return ", ".join(reasons)


def _own_reasons(old: Preimage, new: Preimage) -> list[str]:
    if old["type"] != new["type"]:
        return [f"was {old['type']}"]
    reasons = [f"{name} changed" for name in _differing(old["environment"], new["environment"])]
    if old["version"] != new["version"]:
        reasons.append(VERSION_CHANGED)
    linked = {**old["inputs"], **new["inputs"]}  # of these params only the link counts
    for section, change in (("files", ": other content"), ("params", " changed")):
        names = _differing(old[section], new[section])
        reasons += [f"{name}{change}" for name in names if name not in linked]
    reasons += [f"{name} linked" for name in new["inputs"] if name not in old["inputs"]]
    reasons += [f"{name} unlinked" for name in old["inputs"] if name not in new["inputs"]]
    return reasons


def _cause(
    socket: str, old: Preimage, new: Preimage, lookup: Callable[[str], Preimage | None]
) -> str:
    """What changed at the first node up there that changed by itself, or "" if that is lost."""
    sockets = [socket]
    while sockets:
        before = lookup(digest_of(old["inputs"][sockets[0]]))
        after = lookup(digest_of(new["inputs"][sockets[0]]))
        if before is None or after is None:
            break
        if reasons := _own_reasons(before, after):
            return ", ".join(reasons)
        old, new = before, after
        sockets = _differing(old["inputs"], new["inputs"])
    return ""


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The names of entries that were added, removed or changed; a change of type is one."""
    return [
        name
        for name in sorted({**old, **new})
        if name not in old or name not in new or _spelt(old[name]) != _spelt(new[name])
    ]
