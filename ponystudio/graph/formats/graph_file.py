"""The graph file: one readable JSON document, written so that it diffs well.

Reading loses nothing: node types that are not installed stay as they are, and keys that are not
known here are kept and written again. Reading runs no code and touches no file but its own.
"""

from __future__ import annotations

import errno
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, get_args

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import GraphFileError, shortened
from ponystudio.graph.atomic_write import write_text
from ponystudio.graph.formats.avif_items import is_avif
from ponystudio.graph.formats.migrations import MIGRATIONS
from ponystudio.graph.model import (
    LONGEST_TITLE,
    NODE_ID,
    Graph,
    Link,
    Mode,
    Node,
    malformed_part,
)
from ponystudio.graph.plain_json import shown
from ponystudio.system.file_names import near, why_absent
from ponystudio.system.json_reader import DEPTH, JsonLimit, read_json
from ponystudio.system.regular_file import NotRegular, open_regular, read_regular

WIDTH = 100
# The document, its sections and their entries are always spread over lines.
OPEN_LEVELS = 3
# What something is comes before what it has; all other keys are in alphabetical order.
_FIRST = {"format": 0, "type": 0, "version": 1}
_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, default=dict).encode
_SURROGATE = re.compile("[\ud800-\udfff]")


def lay_out(document: Mapping[str, Any]) -> str:
    """JSON with two spaces a level; below the third level what fits stays on one line."""
    text = _written(document, 0, 0)
    # JSON can say half of a surrogate pair, UTF-8 cannot.
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _written(value: Any, level: int, column: int) -> str:
    if not isinstance(value, Mapping | list | tuple):
        return _line(value)
    if level >= OPEN_LEVELS or not isinstance(value, Mapping) or not value:
        line = _line(value)
        if column + len(line) < WIDTH or not value:  # a comma may follow
            return line
    indent = "  " * (level + 1)
    if isinstance(value, Mapping):
        entries = []
        for key in _sorted(value):
            name = f"{indent}{_line(key)}: "
            entries.append(name + _written(value[key], level + 1, len(name)))
        begin, end = "{}"
    else:
        entries = [indent + _written(item, level + 1, len(indent)) for item in value]
        begin, end = "[]"
    return begin + "\n" + ",\n".join(entries) + "\n" + "  " * level + end


def _sorted(keys: Mapping[str, Any]) -> list[str]:
    return sorted(keys, key=lambda key: (_FIRST.get(key, 2), key))


FORMAT = "ponystudio.graph"
VERSION = 1
# Far above any graph; keeps a model file given by mistake from being read whole.
MAX_BYTES = 256 * 2**20
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_MODES = get_args(Mode)
_GRAPH_KEYS = frozenset(("format", "version", "nodes", "models", "view"))
_READABLE = "Choose a graph, a workflow of ComfyUI's, or a picture with one."
_NODE_KEYS = frozenset(("type", "version", "params", "inputs", "mode", "title"))


def read(path: Path) -> Graph:
    """The graph of a JSON file. Raises GraphFileError, also for what is no ordinary file."""
    where = str(path)
    try:
        text = read_regular(path, MAX_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise _unreadable(
            f"There is no such file. {why_absent(path)}".rstrip(),
            where,
            _near_file(path) or "Check the name and the folder.",
        ) from None
    except NotRegular as error:
        raise _unreadable(f"This is {error.what}, not a graph.", where) from None
    except UnicodeDecodeError:
        raise _unreadable("This is no graph: it is not even text in UTF-8.", where) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise _unreadable("The file is far too large for a graph.", where) from None
        raise _unreadable(f"The file cannot be read: {error}.", where) from None
    return loads(text, where=where)


def _near_file(path: Path) -> str:
    """What beside it may have been meant."""
    try:
        names = [item.name for item in path.parent.iterdir()]
    except OSError:
        return ""
    meant = near(path.name, [name for name in names if Path(name).suffix == path.suffix])
    return f"Did you mean {' or '.join(map(shortened, meant))}?" if meant else ""


def is_picture(path: Path) -> bool:
    """Whether it is a picture, which may carry a graph: told by how it begins. What cannot be read
    is left for `read` to refuse."""
    try:
        with open_regular(path) as file:
            head = file.read(12)
            return head.startswith(_PICTURES) or is_avif(head)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return False


def write(graph: Graph, path: Path, catalog: Mapping[str, NodeSpec] | None = None) -> None:
    """Put the graph into a file, whole or not at all. Raises NotWritable or StorageFull."""
    write_text(path, dumps(graph, catalog))


def loads(text: str, *, where: str = "") -> Graph:
    """The graph in a JSON text; `where` names its source in errors. Raises GraphFileError."""
    try:
        document = read_json(
            text,
            object_pairs_hook=_unique,
            parse_float=_finite_float,
            parse_constant=_no_constant,
        )
        return from_json(document)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        what = (
            "The file is empty." if not text.strip() else f"This is no JSON, or damaged: {place}."
        )
        raise _unreadable(what, where) from None
    except JsonLimit as error:
        raise _unreadable(str(error), where) from None
    except GraphFileError as error:
        raise GraphFileError(
            error.what, where=_join(where, error.where), remedy=error.remedy
        ) from None
    except ValueError:  # what json raises for digits without end
        raise _unreadable("It holds a number with thousands of digits.", where) from None


def dumps(graph: Graph, catalog: Mapping[str, NodeSpec] | None = None) -> str:
    """The graph as JSON text, equal for equal graphs.

    With a catalog every param is written, so that a changed default never changes an old graph.
    """
    return lay_out(to_json(graph, catalog)) + "\n"


def to_json(graph: Graph, catalog: Mapping[str, NodeSpec] | None = None) -> dict[str, Any]:
    """The document as plain JSON values, which share what they hold with the graph."""
    document: dict[str, Any] = {**graph.extra, "format": FORMAT, "version": VERSION}
    document["nodes"] = {
        id: _node_to_json(node, catalog.get(node.type) if catalog else None)
        for id, node in graph.nodes.items()
    }
    if graph.models:
        document["models"] = graph.models
    if graph.view:
        document["view"] = graph.view
    return document


def _node_to_json(node: Node, spec: NodeSpec | None) -> dict[str, Any]:
    result: dict[str, Any] = {**node.extra, "type": node.type, "version": node.version}
    # Defaults of another version are not this node's.
    defaults = spec.params if spec and spec.version == node.version else ()
    if params := {**{param.name: param.default for param in defaults}, **node.params}:
        result["params"] = params
    if node.inputs:
        result["inputs"] = {name: [link.source, link.output] for name, link in node.inputs.items()}
    if node.mode != "normal":
        result["mode"] = node.mode
    if node.title:
        result["title"] = node.title
    return result


def from_json(document: Any) -> Graph:
    """The graph of a parsed document, of this file version or an older one.

    Raises GraphFileError whose `where` is a path inside the document.
    """
    version = _file_version(document)
    if version < VERSION:
        document = MIGRATIONS.migrate(document, version, VERSION)
    nodes = _mapping(document.get("nodes", {}), "nodes")
    models = _mapping(document.get("models", {}), "models")
    view = _mapping(document.get("view", {}), "view")
    if part := malformed_part(view):
        raise _wrong(f"view.{part}", "an object" if part == "nodes" else "a list", view[part])
    extra = {key: value for key, value in document.items() if key not in _GRAPH_KEYS}
    _bounded((models, "models"), (view, "view"), *((value, key) for key, value in extra.items()))
    return Graph({id: _node(id, data) for id, data in nodes.items()}, models, view, extra)


def share_nodes(graph: Graph, like: Graph) -> Graph:
    """An equal graph that uses the very nodes of `like` wherever they are equal, or `like` itself.

    Checks and keys are remembered with the values, so a graph that has come through a file or a
    pipe is planned as quickly as one that was edited in place.
    """
    if graph == like:
        return like
    known = like.nodes
    return replace(
        graph,
        nodes={
            id: old if (old := known.get(id, node)) == node else node
            for id, node in graph.nodes.items()
        },
    )


def _file_version(document: Any) -> int:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _other_tool(document)
    version = document.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise _wrong("version", "a whole number from 1 on", version)
    if version > VERSION:
        raise GraphFileError(
            f"The graph was saved by a newer PonyStudio (file version {version}; "
            f"this one reads up to {VERSION}).",
            remedy="Update PonyStudio.",
        )
    return version


def _other_tool(document: Any) -> GraphFileError:
    if isinstance(document, dict) and (
        "last_node_id" in document
        or any(isinstance(item, dict) and "class_type" in item for item in document.values())
    ):
        return GraphFileError(
            "This is no PonyStudio graph: it looks like a ComfyUI workflow.",
            remedy="Open it, or turn it into one with `ponystudio import`.",
        )
    return GraphFileError(
        "This is no PonyStudio graph, and none of another program that is known.",
        remedy=f'{_READABLE} Ours has "format": "{FORMAT}".',
    )


def _node(id: str, data: Any) -> Node:
    if not NODE_ID.fullmatch(id):
        raise GraphFileError(
            f"{shown(id)} cannot be the id of a node.",
            where="nodes",
            remedy="Ids are made of letters, digits, _ and -, and do not begin with a digit or -.",
        )
    where = f"nodes.{id}"
    _mapping(data, where)
    type, version, mode = data.get("type"), data.get("version", 1), data.get("mode", "normal")
    title = data.get("title", "")
    if not isinstance(type, str) or not type:
        raise _wrong(f"{where}.type", "the name of a node type", type)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise _wrong(f"{where}.version", "a whole number from 1 on", version)
    if mode not in _MODES:
        raise _wrong(f"{where}.mode", f"one of {', '.join(_MODES)}", mode)
    if not isinstance(title, str):
        raise _wrong(f"{where}.title", "a text", title)
    if len(title) > LONGEST_TITLE:
        raise _wrong(f"{where}.title", f"a text of at most {LONGEST_TITLE:,} letters", title)
    params = _mapping(data.get("params", {}), f"{where}.params")
    inputs = _mapping(data.get("inputs", {}), f"{where}.inputs")
    extra = {key: value for key, value in data.items() if key not in _NODE_KEYS}
    _bounded((params, f"{where}.params"), (extra, where))
    links = {name: _link(link, f"{where}.inputs.{name}") for name, link in inputs.items()}
    return Node(id, type, version, params, links, mode, title, extra)


def _link(value: Any, where: str) -> Link:
    match value:
        case [str(source), str(output)]:
            return Link(source, output)
    raise _wrong(where, 'a link such as ["sampler", "latent"]', value)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    return value


def _bounded(*parts: tuple[Any, str]) -> None:
    """Refuse nesting that other readers of the file, our own writer too, could not follow."""
    for value, where in parts:
        level: list[Any] = [[value]]
        depth = 0
        while level := list(_containers(level)):
            depth += 1
            if depth > DEPTH:
                raise GraphFileError(f"It is nested deeper than {DEPTH} levels.", where=where)


def _containers(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, dict | list):
                yield item


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise GraphFileError(
            f"{shown(twice)} stands twice in one object.", remedy="Remove or rename one of them."
        )
    return result


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise GraphFileError(f"{shown(text)} is too large a number.")
    return value


def _no_constant(name: str) -> NoReturn:
    raise GraphFileError(f"{name} is no JSON number.", remedy="Write a finite number.")


def _wrong(where: str, wanted: str, value: Any) -> GraphFileError:
    return GraphFileError(f"{shown(value)} is not {wanted}.", where=where)


def _unreadable(what: str, where: str, remedy: str = "") -> GraphFileError:
    return GraphFileError(what, where=where, remedy=remedy or _READABLE)


def _join(file: str, place: str) -> str:
    return ": ".join(part for part in (file, place) if part)
