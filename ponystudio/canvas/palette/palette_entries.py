"""What the palette offers: kinds of nodes, and whatever else has a title and a line of help."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ponystudio.api.spec import NodeSpec, can_feed
from ponystudio.graph.editing import wiring
from ponystudio.qt.i18n import tr
from ponystudio.widgets import fuzzy_match, theme

_WORDS_OF_CLASSES = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Rows under "Best match"; the others also fit.
_BEST = 2


@dataclass(frozen=True)
class PaletteEntry:
    """One thing to choose. `value` is what the chooser gets back; `group` a group's title; `names`
    are others by which it is known, in lower case: whoever types one whole means this."""

    title: str
    help: str
    group: str
    value: Any
    icon: str = ""
    words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SocketFilter:
    """Only kinds of nodes that an output of this type can feed ("takes"), or that can feed an
    input of it ("gives")."""

    type: str
    way: Literal["takes", "gives"]

    @property
    def text(self) -> str:
        title = wiring.type_title(self.type)
        if self.way == "takes":
            return tr("takes %1").replace("%1", title)
        return tr("gives %1").replace("%1", title)

    def passes(self, spec: NodeSpec) -> bool:
        if self.way == "gives":
            return any(can_feed(item.type, self.type) for item in spec.outputs)
        if any(can_feed(self.type, item.type) for item in spec.inputs):
            return True
        return self.type != "any" and any(
            wiring.takes_wire(param) and can_feed(self.type, param.socket_type)
            for param in spec.params
        )


@dataclass(frozen=True)
class PaletteRow:
    """A line of the list: a heading, or an entry with the letters of its title that were met."""

    heading: str = ""
    entry: PaletteEntry | None = None
    places: tuple[int, ...] = field(default=())


def node_entries(catalog: Mapping[str, NodeSpec]) -> list[PaletteEntry]:
    """An entry for each kind of node, in the order of their groups."""
    keys = theme.group_keys()
    entries = [node_entry(spec) for spec in catalog.values()]
    return sorted(entries, key=lambda entry: keys.index(theme.group_key(entry.group)))


def node_entry(spec: NodeSpec) -> PaletteEntry:
    known = " ".join(spec.aliases)
    known = f"{known} {_WORDS_OF_CLASSES.sub(' ', known)}"
    words = (known, spec.id.rpartition(".")[2].replace("_", " "))
    text = first_sentence(spec.help)
    names = tuple(alias.lower() for alias in spec.aliases)
    return PaletteEntry(
        spec.title, text, spec.group, spec, words=(*words, spec.group, text), names=names
    )


def first_sentence(text: str) -> str:
    """The first sentence of a help text, on one line."""
    line = " ".join(text.strip().split("\n\n")[0].split())
    head, dot, _ = line.partition(". ")
    return head + "." if dot else line


def rows(
    query: str,
    entries: Sequence[PaletteEntry],
    recent: Iterable[Any] = (),
    keeps: Callable[[PaletteEntry], bool] | None = None,
) -> list[PaletteRow]:
    """The list for a query: the best ones first; without a query, by group, the recent on top."""
    kept = [entry for entry in entries if keeps is None or keeps(entry)]
    if not query.strip():
        return _by_group(kept, list(recent))
    found = fuzzy_match.ranked(query, kept, lambda entry: (entry.title, *entry.words))
    asked = query.strip().lower()
    # A whole name comes first: our own, then what other tools call it.
    found.sort(key=lambda item: 2 - 2 * (item[0].title.lower() == asked) - (asked in item[0].names))
    result: list[PaletteRow] = []
    for index, (entry, hit) in enumerate(found):
        if index == 0:
            result.append(PaletteRow(heading=tr("Best match")))
        elif index == _BEST:
            result.append(PaletteRow(heading=tr("Also fits")))
        result.append(PaletteRow(entry=entry, places=hit.places))
    return result


def _by_group(entries: Sequence[PaletteEntry], recent: list[Any]) -> list[PaletteRow]:
    result: list[PaletteRow] = []
    latest = [e for key in recent for e in entries if getattr(e.value, "id", e.value) == key][:3]
    if latest:
        result.append(PaletteRow(heading=tr("Used last")))
        result += [PaletteRow(entry=entry) for entry in latest]
    heading = None
    for entry in entries:
        if entry.group != heading:
            heading = entry.group
            if heading:
                result.append(PaletteRow(heading=heading))
        result.append(PaletteRow(entry=entry))
    return result
