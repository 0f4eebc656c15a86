"""`@node`: a function's signature becomes a node, said once.

Positional parameters are sockets, keyword-only ones are params, `ctx` is injected, the return
annotation is the output (a NamedTuple: several; nothing: none), the docstring is the help.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ponystudio.api.spec import (
    SEED_MAX,
    Affects,
    Choice,
    Colour,
    Cosmetic,
    File,
    InputSpec,
    Label,
    NodeSpec,
    OutputSpec,
    ParamSpec,
    Range,
    Seed,
    Text,
)

F = TypeVar("F", bound=Callable[..., Any])

# Takes a node's params by name, returns them as the next version has them.
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class NodeType:
    """A node's spec with the function that does the work.

    `rows` has the class of a row, by the name of the param that is made of them. `check` is called
    before a run with the params that it names, unless wires bring some of them, and raises what is
    wrong with them together.
    """

    spec: NodeSpec
    function: Callable[..., Any]
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)
    takes_context: bool = False
    rows: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    check: Callable[..., None] | None = None


ATTRIBUTE = "__ponystudio_node__"
_SCALAR_NAMES: dict[Any, str] = {int: "int", float: "float", str: "text", bool: "bool", Any: "any"}
_ID = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+")


def node(
    id: str,
    *,
    title: str = "",
    group: str = "",
    version: int = 1,
    effects: bool = False,
    exact: bool = False,
    upgrades: Mapping[int, Upgrade] | None = None,
    aliases: Sequence[str] = (),
    check: Callable[..., None] | None = None,
) -> Callable[[F], F]:
    """Declare a function as the node `id` ("pack.name"); the function stays as it is.

    `upgrades[n]` turns the params of version n into those of n+1. `aliases` are what other tools
    call such a node: names of ComfyUI's classes, and words of menus. `check` is that of NodeType;
    the function calls it itself, too, for what wires bring. Raises TypeError for a signature that
    cannot be a node, when the pack is imported.
    """
    if not _ID.fullmatch(id):
        raise TypeError(f"node id {id!r} is not of the form pack.name")

    def declare(function: F) -> F:
        kind = _node_type(
            function, id, title, group, version, effects, exact, upgrades or {}, tuple(aliases)
        )
        setattr(function, ATTRIBUTE, replace(kind, check=check))
        return function

    return declare


def nodes_in(module: types.ModuleType) -> list[NodeType]:
    """The nodes that a module declares or imports, in the order of its names' definition."""
    return [getattr(item, ATTRIBUTE) for item in vars(module).values() if hasattr(item, ATTRIBUTE)]


def socket_type(annotation: Any) -> str:
    """The name of the socket type for a Python type: `Latent` → "latent"."""
    if annotation in _SCALAR_NAMES:
        return _SCALAR_NAMES[annotation]
    if isinstance(annotation, type):
        return str(getattr(annotation, "__socket__", annotation.__name__.lower()))
    raise TypeError(f"{annotation!r} cannot be a socket's type")


def _node_type(
    function: Callable[..., Any],
    id: str,
    title: str,
    group: str,
    version: int,
    effects: bool,
    exact: bool,
    upgrades: Mapping[int, Upgrade],
    aliases: tuple[str, ...],
) -> NodeType:
    hints = typing.get_type_hints(function, include_extras=True)
    summary, help_of = _split_docstring(inspect.getdoc(function) or "")
    inputs: list[InputSpec] = []
    params: list[ParamSpec] = []
    takes_context = False
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "ctx":
            takes_context = True
        elif parameter.kind is parameter.KEYWORD_ONLY:
            params.append(_param(name, hints[name], parameter.default, help_of.get(name, "")))
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            inputs.append(_input(name, hints[name], parameter.default, help_of.get(name, "")))
        else:
            raise TypeError(f"{id}: *{name} is not supported; name every socket and param")
    missing = set(range(1, version)) - set(upgrades)
    if missing:
        raise TypeError(f"{id}: no upgrade from version {min(missing)}")
    spec = NodeSpec(
        id=id,
        version=version,
        title=title or id.rpartition(".")[2].replace("_", " ").capitalize(),
        group=group,
        inputs=tuple(inputs),
        outputs=_outputs(hints.get("return")),
        params=tuple(params),
        help=summary,
        effects=effects,
        exact=exact,
        aliases=aliases,
    )
    affected = {name: item.affects for name, item in spec.input_by_name.items()}
    affected |= {name: item.affects for name, item in spec.param_by_name.items()}
    affected |= {f"{p.name}.{c.name}": c.affects for p in spec.params for c in p.fields}
    for name, names in affected.items():
        if strange := set(names) - spec.output_by_name.keys():
            raise TypeError(f"{id}: {name} affects {min(strange)}, which is no output")
    rows = {
        param.name: typing.get_args(_unwrap(hints[param.name])[0])[0]
        for param in spec.params
        if param.type == "rows"
    }
    return NodeType(spec, function, dict(upgrades), takes_context, rows)


def _outputs(annotation: Any) -> tuple[OutputSpec, ...]:
    if annotation in (None, type(None)):
        return ()
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        hints = typing.get_type_hints(annotation)
        return tuple(OutputSpec(name, socket_type(hints[name])) for name in hints)
    name = socket_type(annotation)
    return (OutputSpec(name, name),)


def _input(name: str, annotation: Any, default: Any, help: str) -> InputSpec:
    base, markers = _unwrap(annotation)
    label = _marker(markers, Label) or Label()
    alternatives = typing.get_args(base) if _is_union(base) else (base,)
    types_ = [item for item in alternatives if item is not type(None)]
    if len(types_) != 1:
        raise TypeError(f"socket {name}: {annotation!r} must name one type")
    optional = len(alternatives) > 1
    if optional != (default is None):
        raise TypeError(f"socket {name}: write `T | None = None` for an optional socket")
    return InputSpec(
        name,
        socket_type(types_[0]),
        optional,
        _affects(markers),
        label.title,
        help or label.help,
    )


def _param(name: str, annotation: Any, default: Any, help: str) -> ParamSpec:
    base, markers = _unwrap(annotation)
    if default is inspect.Parameter.empty:
        raise TypeError(f"param {name} needs a default")
    label = _marker(markers, Label) or Label()
    common: dict[str, Any] = {
        "name": name,
        "title": label.title,
        "help": help or label.help,
        "cosmetic": _marker(markers, Cosmetic) is not None,
        "affects": _affects(markers),
    }
    if typing.get_origin(base) is list:
        row = typing.get_args(base)[0]
        if set(getattr(row, "_fields", ["?"])) - set(getattr(row, "_field_defaults", ())):
            raise TypeError(f"param {name}: a row is a NamedTuple, each column with a default")
        columns = typing.get_type_hints(row, include_extras=True)
        return ParamSpec(
            type="rows",
            default=[],
            fields=tuple(
                _param(column, columns[column], row._field_defaults[column], "")
                for column in columns
            ),
            **common,
        )
    if _marker(markers, Seed):
        return ParamSpec(type="seed", default=default, low=0, high=SEED_MAX, **common)
    if choice := _marker(markers, Choice):
        return ParamSpec(type="choice", default=default, choices=choice.options, **common)
    if file := _marker(markers, File):
        # Path(): the user is to choose one. As a text it would be ".", a folder.
        name_of_file = default.as_posix() if Path(default) != Path() else ""
        return ParamSpec(type="file", default=name_of_file, kind=file.kind, **common)
    if base in (int, float):
        bounds = _marker(markers, Range)
        if bounds:
            common.update(low=bounds.low, high=bounds.high, soft=bounds.soft, step=bounds.step)
        return ParamSpec(type=_SCALAR_NAMES[base], default=default, **common)
    if base is str:
        text = _marker(markers, Text) or Text()
        return ParamSpec(
            type="text",
            default=default,
            lines=text.lines,
            prompt=text.prompt,
            file_name=text.file_name,
            colour=_marker(markers, Colour) is not None,
            **common,
        )
    if base is bool:
        return ParamSpec(type="bool", default=default, **common)
    raise TypeError(f"param {name}: {annotation!r} cannot be edited on a node")


def _unwrap(annotation: Any) -> tuple[Any, Sequence[Any]]:
    if typing.get_origin(annotation) is typing.Annotated:
        base, *markers = typing.get_args(annotation)
        return base, markers
    return annotation, ()


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (types.UnionType, typing.Union)


T = TypeVar("T")


def _marker(markers: Sequence[Any], cls: type[T]) -> T | None:
    return next((item for item in markers if isinstance(item, cls)), None)


def _affects(markers: Sequence[Any]) -> tuple[str, ...]:
    marker = _marker(markers, Affects)
    return marker.outputs if marker else ()


def _split_docstring(text: str) -> tuple[str, dict[str, str]]:
    """The help, and the sentences of a Google-style `Args:` section by parameter name."""
    summary, _, rest = text.partition("\nArgs:\n")
    block, _, after = rest.partition("\n\n")
    entries: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if match := re.match(r" {4}(\w+): (.*)", line):
            name = match[1]
            entries[name] = match[2].strip()
        elif name:
            entries[name] += " " + line.strip()
    return "\n\n".join(part.strip() for part in (summary, after) if part.strip()), entries


__all__ = ["NodeType", "Upgrade", "node", "nodes_in", "socket_type"]
