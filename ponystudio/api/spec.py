"""What a node looks like from outside, as plain data that crosses processes as JSON, and the marks
on params by which its author says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

# Sockets that carry a param's kind of value, by that kind.
SCALARS = ("int", "float", "text", "bool")


@dataclass(frozen=True)
class InputSpec:
    """A socket on the left. `type` is a socket type such as "latent".

    `affects` names the only outputs that it changes; empty: all.
    """

    name: str
    type: str
    optional: bool = False
    affects: tuple[str, ...] = ()
    title: str = ""
    help: str = ""


@dataclass(frozen=True)
class OutputSpec:
    """A socket on the right."""

    name: str
    type: str
    title: str = ""


@dataclass(frozen=True)
class ParamSpec:
    """A value edited on the node.

    `type`: int, float, text, bool, choice, seed, file or rows. `low`..`high` bound numbers,
    `soft` is the slider's span. `fields` are the columns of a rows param; each row is a mapping
    from their names, plus "on". `kind` is a file's kind. `affects` is as for inputs. Of texts,
    `prompt` has attention syntax, `file_name` begins names of files, `colour` is one as #RRGGBB.
    """

    name: str
    type: str
    default: Any
    low: float | None = None
    high: float | None = None
    soft: tuple[float, float] | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    lines: int = 1
    prompt: bool = False
    file_name: bool = False
    colour: bool = False
    kind: str = ""
    fields: tuple[ParamSpec, ...] = ()
    cosmetic: bool = False
    affects: tuple[str, ...] = ()
    title: str = ""
    help: str = ""

    @property
    def socket_type(self) -> str:
        """The type of the socket that this param turns into when a wire feeds it."""
        return {"seed": "int", "choice": "text", "file": "text"}.get(self.type, self.type)


@dataclass(frozen=True)
class NodeSpec:
    """One kind of node: its sockets, params and help.

    `effects`: it does something outside the graph (saves, shows), so it is never cached and is
    what a run is made for. `exact`: its result does not depend on device, dtype or versions.
    `pack` is the distribution or folder it comes from. `aliases`: what other tools call it, by
    which those who come from there find it.
    """

    id: str
    version: int
    title: str
    group: str
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    params: tuple[ParamSpec, ...] = ()
    help: str = ""
    effects: bool = False
    exact: bool = False
    pack: str = ""
    aliases: tuple[str, ...] = ()

    # Looked up for every node of a graph on every check, so indexed once.
    input_by_name: Mapping[str, InputSpec] = field(init=False, repr=False, compare=False)
    output_by_name: Mapping[str, OutputSpec] = field(init=False, repr=False, compare=False)
    param_by_name: Mapping[str, ParamSpec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for index, specs in (
            ("input_by_name", self.inputs),
            ("output_by_name", self.outputs),
            ("param_by_name", self.params),
        ):
            object.__setattr__(self, index, {spec.name: spec for spec in specs})

    def to_json(self) -> dict[str, Any]:
        return _to_json(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NodeSpec:
        return cls(
            **{
                **data,
                "inputs": tuple(_input_from_json(item) for item in data.get("inputs", ())),
                "outputs": tuple(OutputSpec(**item) for item in data.get("outputs", ())),
                "params": tuple(_param_from_json(item) for item in data.get("params", ())),
                "aliases": tuple(data.get("aliases", ())),
            }
        )


def _to_json(spec: Any) -> dict[str, Any]:
    """Only what differs from the defaults, so that the shipped catalog stays readable."""
    result: dict[str, Any] = {}
    for item in fields(spec):
        value = getattr(spec, item.name)
        if not item.init or value == item.default:
            continue
        if isinstance(value, tuple):
            value = [_to_json(entry) if hasattr(entry, "name") else entry for entry in value]
        result[item.name] = value
    return result


def _input_from_json(data: Mapping[str, Any]) -> InputSpec:
    return InputSpec(**{**data, "affects": tuple(data.get("affects", ()))})


def _param_from_json(data: Mapping[str, Any]) -> ParamSpec:
    soft = data.get("soft")
    return ParamSpec(
        **{
            **data,
            "soft": None if soft is None else (soft[0], soft[1]),
            "choices": tuple(data.get("choices", ())),
            "affects": tuple(data.get("affects", ())),
            "fields": tuple(_param_from_json(item) for item in data.get("fields", ())),
        }
    )


def can_feed(source: str, target: str) -> bool:
    """Whether an output of type `source` may be wired into an input of type `target`."""
    return source == target or "any" in (source, target) or (source, target) == ("int", "float")


SEED_MAX = 2**64 - 1


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included. `soft` is what a slider spans."""

    low: float
    high: float
    soft: tuple[float, float] | None = None
    step: float | None = None


@dataclass(frozen=True)
class Seed:
    """An unsigned 64-bit number, with dice in the editor."""


@dataclass(frozen=True, init=False)
class Choice:
    """One of a fixed set of words."""

    options: tuple[str, ...]

    def __init__(self, options: Iterable[str]) -> None:
        object.__setattr__(self, "options", tuple(options))


@dataclass(frozen=True)
class Text:
    """Text; `lines` > 1 asks for a large editor, `prompt` for one that knows attention syntax.

    `file_name`: it begins the names of saved files, so it may not lead out of their folder; tokens
    in it (`graph/name_tokens.py`) are filled in by `ctx.save_picture` and `ctx.save_latent`.
    """

    lines: int = 1
    prompt: bool = False
    file_name: bool = False


@dataclass(frozen=True)
class Colour:
    """A colour as a text, #RRGGBB, of what is stored in a picture file (sRGB)."""


@dataclass(frozen=True)
class File:
    """A file of one kind ("checkpoints", "loras", "input", ...): the node receives its Path.

    In a graph it is a POSIX name inside the folders of that kind, a path relative to the graph
    file, or an absolute path.
    """

    kind: str


@dataclass(frozen=True)
class Label:
    """A title other than the name, and one sentence of help."""

    title: str = ""
    help: str = ""


@dataclass(frozen=True)
class Cosmetic:
    """The value never changes the result, so it stays out of the cache key."""


@dataclass(frozen=True, init=False)
class Affects:
    """The only outputs that this socket or param changes, so that the others stay cached."""

    outputs: tuple[str, ...]

    def __init__(self, *outputs: str) -> None:
        object.__setattr__(self, "outputs", outputs)
