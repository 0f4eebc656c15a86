"""How a node of ComfyUI becomes nodes of ours.

Most are a Mapped: their class, our type, and which name is which. Where more is to be said a
function does it: it takes the node and a Builder, adds nodes, and gives what each output leads to.
In what order a pack's nodes have their values is declared beside their mappings.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, Protocol

from ponystudio.graph.comfyui import core_nodes
from ponystudio.graph.comfyui.core_nodes import Signature
from ponystudio.graph.comfyui.source_graph import Bend, SourceNode, Wire
from ponystudio.graph.model import Link

_FOLDER = re.compile(r"(?<!\s)\s*\[(input|output|temp)\]\Z")


@dataclass(frozen=True)
class PerpendicularNegative:
    """How far, and from which empty prompt, the negative prompts of a model are taken."""

    empty: Any
    scale: Any


@dataclass(frozen=True)
class MappedOutput:
    """What an output of theirs leads to, and what ComfyUI has in it that ours have elsewhere:
    `clip_skip`, where a node chose the layer of a text encoder; `alpha` of a picture;
    `control_kind`, of what a union of ControlNets is shown; `perpendicular`, of a model. `bends`:
    where a wire from it has come through nodes that are gone here."""

    link: Link
    clip_skip: int = 0
    alpha: Link | None = None
    control_kind: str = ""
    perpendicular: PerpendicularNegative | None = None
    bends: tuple[Bend, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Carried:
    """What an output of theirs brings that no wire of ours does. A plain value is one of the node
    that it is for; whoever applies a stack of LoRAs takes it up, and whoever opens a bundle what is
    in it."""

    value: Any


# Our name of one of their params, alone or with what turns its value into ours, and with what turns
# ours into theirs where that is another one.
Named = (
    str | tuple[str, Callable[[Any], Any]] | tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
)
Names = Mapping[str, Named]


class Builder(Protocol):
    """What the functions of mappings build a graph with."""

    def output(self, value: Any) -> MappedOutput | None:
        """What an input is wired to; None for a plain value, and for what leads nowhere."""

    def link(self, value: Any) -> Link | None:
        """The same, as a link."""

    def carried(self, value: Any) -> Any:
        """What comes along a wire without being one here; None for none."""

    def is_known(self, value: Any) -> bool:
        """Whether a wire leads to a node that is one of ours."""

    def constant(self, value: Any) -> Any:
        """What an input is in every run: the value itself, or that of the constant that it is wired
        to. None where only a run says it."""

    def add(
        self,
        node: SourceNode,
        type: str,
        values: Mapping[str, Any] = MappingProxyType({}),
        *,
        beside: str = "",
    ) -> str:
        """Add a node of ours for one of theirs and give its id.

        `values` by our names: plain ones become params; Wires, MappedOutputs and Links become
        links, and None is nothing. `beside`: what tells it from the others for the same node.
        """

    def is_used(self, node: SourceNode, slot: int) -> bool:
        """Whether any wire leads from that output."""

    def is_muted(self, output: MappedOutput) -> bool:
        """Whether it is of a node that does not run, so that nothing comes along the wire."""

    def tell(self, node: SourceNode, text: str) -> None:
        """Say what is known to differ, or in doubt."""


Outputs = Sequence[MappedOutput | Carried | None]


class NodeMapping(Protocol):
    """A way to map one of their classes; gives None for a node that it does not know after all."""

    def __call__(self, node: SourceNode, builder: Builder, /) -> Outputs | None: ...


@dataclass(frozen=True)
class Mapped:
    """A class that is one of our types: `inputs` are sockets and params, theirs → ours; `fixed` are
    params that theirs has none for; `outputs` ours, in the order of theirs. Names in `without` mean
    nothing here."""

    type: str
    inputs: Names = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def __call__(self, node: SourceNode, builder: Builder) -> list[MappedOutput]:
        values, skip = dict(self.fixed), 0
        perpendicular: PerpendicularNegative | None = None
        for name in self.inputs.keys() & node.inputs.keys():
            ours, value = self.inputs[name], node.inputs[name]
            ours, convert = (ours, None) if isinstance(ours, str) else ours[:2]
            found = builder.output(value)
            values[ours] = convert(value) if convert and not isinstance(value, Wire) else value
            if ours == "clip" and found:
                skip = found.clip_skip
            if ours == "model" and found and found.perpendicular and "model" in self.outputs:
                perpendicular = found.perpendicular
                values[ours] = found.link
        for name in self.without:
            node.inputs.get(name)
        id = builder.add(node, self.type, values)
        return [
            MappedOutput(
                Link(id, name),
                skip if name == "clip" else 0,
                perpendicular=perpendicular if name == "model" else None,
            )
            for name in self.outputs
        ]


def file_name(value: Any) -> Any:
    """The name of a file as ours are written: without the folder's name behind it, with / in it."""
    if isinstance(value, Mapping):  # of loaders that show a picture beside the name
        value = value.get("content", "")
    if not isinstance(value, str):
        return value
    return _FOLDER.sub("", value).replace("\\", "/")


@cache
def mappings() -> Mapping[str, NodeMapping]:
    """Every class that is known, by name: what `MAPPINGS` of the modules of `mappings/` say."""
    found: dict[str, NodeMapping] = {}
    for module in _modules():
        found |= module.MAPPINGS
    return MappingProxyType(found)


@cache
def signatures() -> Mapping[str, Signature]:
    """The order of values of all classes where it is known: of the core nodes, and of those of
    packs, which `SIGNATURES` of the modules of `mappings/` have."""
    found = dict(core_nodes.signatures())
    for module in _modules():
        found |= getattr(module, "SIGNATURES", {})
    return MappingProxyType(found)


def _modules() -> list[ModuleType]:
    from ponystudio.graph.comfyui import mappings as package

    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]
