"""Where things stand in ComfyUI's workflow format: nodes, groups, notes, and the bends of wires."""

from __future__ import annotations

import colorsys
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from ponystudio.graph.comfyui.source_graph import (
    MOST_BENDS,
    inside,
    listed,
    objects,
    pair,
    text,
)
from ponystudio.graph.comfyui.virtual_nodes import TITLES, note_text
from ponystudio_resources import path as resource

# By how much the Vue renderer's first version blew a graph up.
_BLOWN_UP = 1.2
_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_PLAIN_TITLES = frozenset(("", "Note", "MarkdownNote", "Markdown Note"))

Point = tuple[float, float]


class WorkflowLayout:
    """The layout of a graph, or of a subgraph: `nodes` are those in it."""

    def __init__(self, graph: Mapping[str, Any], nodes: Iterable[Mapping[str, Any]]) -> None:
        self._graph = graph
        blown_up = inside(graph, "extra").get("workflowRendererVersion") == "Vue"
        self._scale = 1 / _BLOWN_UP if blown_up else 1
        places = [place for node in nodes if (place := pair(node.get("pos")))] if blown_up else []
        self._corner = tuple(min(axis) for axis in zip(*places, strict=True)) or (0.0, 0.0)
        self._reroutes = {
            text(item.get("id")): item
            for holder in (graph, inside(graph, "extra"))
            for item in objects(holder, "reroutes")
        }
        # The last reroute on a link, by its id.
        self._last: dict[str, str] = {}
        if self._reroutes:
            links = [link for link in objects(graph, "links") if "parentId" in link]
            for item in (*links, *objects(inside(graph, "extra"), "linkExtensions")):
                self._last[text(item.get("id"))] = text(item.get("parentId"))

    def place(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """A node's part of a view, with the size that it has there."""
        place: dict[str, Any] = {}
        if pos := pair(node.get("pos")):
            place["pos"] = self._placed(pos)
        if size := pair(node.get("size")):
            place["size"] = self._sized(size)
        flags = inside(node, "flags")
        place |= {flag: True for flag in ("collapsed", "pinned") if flags.get(flag)}
        if hue := _hue(node.get("bgcolor")) or _hue(node.get("color")):
            place["hue"] = hue
        return place

    def middle(self, node: Mapping[str, Any]) -> Point | None:
        place = self.place(node)
        x, y = place.get("pos", (None, None))
        w, h = place.get("size", (0, 0))
        return None if x is None else (x + w / 2, y + h / 2)

    def frame(self, group: Mapping[str, Any]) -> dict[str, Any]:
        bounding = listed(group, "bounding")
        pos, size = pair(bounding[:2]) or [0, 0], pair(bounding[2:]) or [400, 200]
        frame = {
            "title": text(group.get("title")),
            "pos": self._placed(pos),
            "size": self._sized(size),
        }
        hue = _hue(group.get("color"))
        return {**frame, "hue": hue} if hue else frame

    def note(self, node: Mapping[str, Any]) -> dict[str, Any]:
        pos = self._placed(pair(node.get("pos")) or [0, 0])
        said, type = note_text(node), node.get("type")
        if type == "Note":  # in Markdown lines that are not ended would run on
            said = "  \n".join(said.split("\n"))
        if (title := text(node.get("title"))) not in _PLAIN_TITLES and type not in TITLES:
            said = f"**{title}**\n\n{said}"
        note: dict[str, Any] = {"text": said, "pos": pos}
        if size := pair(node.get("size")):
            note["size"] = self._sized(size)
        return note

    def bends(self, link: str) -> list[Point]:
        """Where a link goes through reroutes, from its beginning on."""
        found: list[Point] = []
        id, seen = self._last.get(link), set[str]()
        while id in self._reroutes and id not in seen and len(seen) < MOST_BENDS:
            seen.add(id)
            reroute = self._reroutes[id]
            if pos := pair(reroute.get("pos")):
                x, y = self._placed(pos)
                found.append((x, y))
            id = text(reroute.get("parentId"))
        return found[::-1]

    def _placed(self, pos: list[float]) -> list[float]:
        x, y = self._corner
        return [
            round(x + (pos[0] - x) * self._scale, 1),
            round(y + (pos[1] - y) * self._scale, 1),
        ]

    def _sized(self, size: list[float]) -> list[float]:
        return [round(length * self._scale, 1) for length in size]


def _hue(colour: Any) -> str:
    """Of the hues that things have here the nearest to a colour; "" where none is said."""
    if not isinstance(colour, str) or not _HEX.fullmatch(colour):
        return ""
    return _nearest(colour.lower())


@lru_cache(maxsize=256)
def _nearest(colour: str) -> str:
    angle, grey = _angle(colour)
    hues = {key: _angle(entry["hue"]) for key, entry in _groups().items()}
    if grey:
        return next(key for key, (_, is_grey) in hues.items() if is_grey)
    apart = {key: abs(found - angle) for key, (found, is_grey) in hues.items() if not is_grey}
    return min(apart, key=lambda key: min(apart[key], 1 - apart[key]))


def _angle(colour: str) -> tuple[float, bool]:
    """Where on the circle of hues a colour lies, and whether it has hardly any."""
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    hue, saturation, _ = colorsys.rgb_to_hsv(red, green, blue)
    return hue, saturation < 0.15


@cache
def _groups() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(resource("look.json").read_text("utf-8"))[
        "groups"
    ]
    return found
