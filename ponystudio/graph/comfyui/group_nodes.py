"""ComfyUI's group nodes, which came before its subgraphs, as subgraphs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ponystudio.graph.comfyui.source_graph import inside, listed, objects, slot, text

# Ids of the borders of a subgraph.
INSIDE, OUTSIDE = "-10", "-20"


def group_name(type: str) -> str:
    """The name of the group that an instance of this type is of; "" for none."""
    for spelling in ("workflow/", "workflow>"):
        if type.startswith(spelling):
            return type.removeprefix(spelling)
    return ""


def as_subgraph(group: Mapping[str, Any], instance: Mapping[str, Any]) -> dict[str, Any]:
    """What is inside of an instance: the group's nodes under their places as ids, with the values
    of the instance, which are those of all of them one after the other."""
    return _Conversion(group, instance).subgraph()


class _Conversion:
    def __init__(self, group: Mapping[str, Any], instance: Mapping[str, Any]) -> None:
        self._group = group
        self._links: list[list[Any]] = []
        self._nodes: dict[str, dict[str, Any]] = {}
        rest = list(listed(instance, "widgets_values"))
        for place, said in enumerate(objects(group, "nodes")):
            if not said:
                continue
            node = {**said, "id": str(place)}
            node["inputs"] = [{**item, "link": None} for item in objects(said, "inputs")]
            own = said.get("widgets_values")
            if isinstance(own, list) and rest:
                node["widgets_values"], rest = rest[: len(own)], rest[len(own) :]
            self._nodes[node["id"]] = node

    def subgraph(self) -> dict[str, Any]:
        within = self._join()
        inputs = self._lead_in()
        self._lead_out(within)
        nodes = list(self._nodes.values())
        return {"nodes": nodes, "links": self._links, "inputs": inputs}

    def _link(self, source: str, out: int, target: str, place: int) -> str:
        id = f"g{len(self._links)}"
        self._links.append([id, source, out, target, place])
        return id

    def _join(self) -> set[tuple[str, int]]:
        """The links between its nodes; the outputs that they come from."""
        within: set[tuple[str, int]] = set()
        for link in listed(self._group, "links"):
            if not isinstance(link, list) or len(link) < 4:
                continue
            out, target, place = slot(link[1]), text(link[2]), slot(link[3])
            inputs = self._nodes[target]["inputs"] if target in self._nodes else []
            if place is None or place >= len(inputs):
                continue
            # A reroute's input has no name, and goes by its type.
            inputs[place]["name"] = inputs[place].get("name") or text(link[-1])
            if (source := text(link[0])) and out is not None:
                inputs[place]["link"] = self._link(source, out, target, place)
                within.add((source, out))
        return within

    def _lead_in(self) -> list[dict[str, str]]:
        """The unlinked inputs of its nodes, in their order, are the instance's."""
        config = inside(self._group, "config")
        names: dict[str, None] = {}
        taken: dict[str, int] = defaultdict(int)
        for id, node in self._nodes.items():
            shown = inside(inside(config, id), "input")
            for place, item in enumerate(node["inputs"]):
                if item["link"] is not None:
                    continue
                name = text(item.get("name"))
                name = text(inside(shown, name).get("name")) or name
                if name in names:
                    name = f"{text(node.get('title')) or text(node.get('type'))} {name}"
                while name in names:
                    taken[name] += 1
                    name = f"{name} {taken[name]}"
                item["link"] = self._link(INSIDE, len(names), id, place)
                names[name] = None
        return [{"name": name} for name in names]

    def _lead_out(self, within: set[tuple[str, int]]) -> None:
        """Outputs that are not used inside, or outside as well, are the instance's."""
        outside = set()
        for entry in listed(self._group, "external"):
            if isinstance(entry, list) and len(entry) >= 2:
                node = entry[0]
                id = text(node.get("index") if isinstance(node, Mapping) else node)
                outside.add((id, slot(entry[1])))
        outward = 0
        for id, node in self._nodes.items():
            for out, _ in enumerate(listed(node, "outputs")):
                if (id, out) not in within or (id, out) in outside:
                    self._link(id, out, OUTSIDE, outward)
                    outward += 1
