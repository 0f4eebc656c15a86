"""The values of ComfyUI's nodes, which its workflow format keeps in order and without names.

`resources/comfyui_nodes.json` has the order of the core nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature
from ponystudio.graph.comfyui.source_graph import inside, listed, objects, text
from ponystudio.system.json_reader import read_json

# In place of the id of an inner node: an input of the subgraph itself.
OWN = "-1"
# What a seed is followed by: what is done to it after a run.
_AFTER_RUN = frozenset(("fixed", "increment", "decrement", "randomize", "increment-wrap"))
_AFTER = "control_after_generate"
# The id of the inner node before the name of its value: "12: text".
_FROM = re.compile(r"(-?[0-9]+): (.+)", re.ASCII | re.DOTALL)


def named_values(node: Mapping[str, Any], signature: Signature | None) -> dict[str, Any]:
    """The values of a node by the names of its inputs."""
    found: dict[str, Any] = {}
    values = node.get("widgets_values")
    if isinstance(values, list):
        owners = list(signature.inputs if signature else _owners(node))
        owners = [owner for owner in owners if owner[2]]
        found.update(_in_order(values, owners))
        if not owners and values:
            found["widgets_values"] = values
    for said in (inside(node, "widgets_values"), inside(node, "widgets_values_named")):
        found.update((str(name), value) for name, value in said.items() if name != _AFTER)
    return found


def first_value(node: Mapping[str, Any]) -> Any:
    values = node.get("widgets_values")
    if isinstance(values, Mapping):
        return next(iter(values.values()), None)
    return values[0] if isinstance(values, list) and values else None


def promoted_values(
    instance: Mapping[str, Any], inputs: Sequence[str]
) -> dict[tuple[str, str], Any]:
    """The values of an instance of a subgraph that has these inputs, by (id of the inner node, or
    OWN for an input of the subgraph; name): one for each of its proxies, or for each of its inputs
    among them."""
    own = frozenset(inputs)
    proxies = list(_proxies(instance, own))
    values = listed(instance, "widgets_values")
    among = [proxy for proxy in proxies if proxy[0] == OWN]
    found: dict[tuple[str, str], Any] = {}
    if proxies and len(values) == len(proxies):
        found = dict(zip(proxies, values, strict=True))
    elif among and len(values) == len(among):
        found = dict(zip(among, values, strict=True))
    elif not proxies:  # promoted by inputs alone
        names = [_own_name(item, own) for item in objects(instance, "inputs") if item.get("widget")]
        widgets = [(OWN, name) for name in names if name in own]
        # What is done to a seed after a run may follow it.
        rest = [value for value in values if not _says_after(value)]
        found = dict(zip(widgets, values if len(values) == len(widgets) else rest, strict=False))
    if named := inside(instance, "widgets_values_named"):
        known: dict[tuple[str | None, str], tuple[str, str]] = {}
        for proxy in proxies:
            for id in (None, proxy[0]):
                known.setdefault((id, bare_name(proxy[1])), proxy)
        for name, value in named.items():
            found[_meant(str(name), own, known)] = value
    return {
        (id, name): value
        for (id, name), value in found.items()
        if value is not None and bare_name(name) != _AFTER
    }


def with_values(node: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The node with other values."""
    return {
        **node,
        "widgets_values_named": {**inside(node, "widgets_values_named"), **values},
    }


def bare_name(name: str) -> str:
    """The name of a value without the id of its node."""
    match = _FROM.fullmatch(name)
    return match[2] if match else name


def _owners(node: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """What an unknown node says of its inputs that have values."""
    for item in objects(node, "inputs"):
        if isinstance(item.get("widget"), Mapping):
            name, type = text(item.get("name")), text(item.get("type"))
            yield name, type, 2 if type == "INT" and "seed" in name else 1


def _in_order(
    values: Sequence[Any], owners: Sequence[tuple[str, str, int]]
) -> Iterator[tuple[str, Any]]:
    """By position: a seed is followed by what is done to it, where that is there."""
    whole = sum(owned for _, _, owned in owners)
    place = 0
    for number, (name, type, owned) in enumerate(owners, 1):
        if place >= len(values):
            return
        yield name, values[place]
        place += 1
        then = owners[number][1] if number < len(owners) else ""
        if owned > 1 and place < len(values) and _is_after(values, place, type, then, whole):
            place += 1


def _is_after(values: Sequence[Any], place: int, type: str, then: str, whole: int) -> bool:
    """Whether the value is what follows a seed or a picture, not the next input's, whose type is
    `then`."""
    value = values[place]
    if type != "INT":
        return value == "image" or len(values) >= whole
    if _says_after(value) or (isinstance(value, bool) and then != "BOOLEAN"):
        return True
    return len(values) >= whole and (value is None or isinstance(value, bool))


def _says_after(value: Any) -> bool:
    return isinstance(value, str) and value in _AFTER_RUN


def _proxies(instance: Mapping[str, Any], own: frozenset[str]) -> Iterator[tuple[str, str]]:
    said = inside(instance, "properties").get("proxyWidgets")
    if isinstance(said, str):
        try:
            said = read_json(said)
        except ValueError:
            return
    for item in said if isinstance(said, list) else []:
        if isinstance(item, list) and len(item) >= 2:
            id, name = text(item[0]), text(item[1])
            yield id, bare_name(name) if id == OWN and name not in own else name


def _own_name(item: Mapping[str, Any], own: frozenset[str]) -> str:
    name = text(item.get("name"))
    return name if name in own else bare_name(name)


def _meant(
    name: str, own: frozenset[str], proxies: Mapping[tuple[str | None, str], tuple[str, str]]
) -> tuple[str, str]:
    """What a name stands for: an input of the subgraph, else a value of a node in it. `proxies` are
    those by their bare names, with the ids of their nodes and without."""
    match = _FROM.fullmatch(name)
    id, bare = (match[1], match[2]) if match and name not in own else (None, name)
    if bare in own:
        return OWN, bare
    return proxies.get((id, bare), (id or OWN, bare))
