"""The catalog: every kind of node that is installed, as data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import BadInput, shortened
from ponystudio_resources import path as resource

FORMAT, VERSION = "ponystudio.catalog", 1
# Of a name that may have been meant as another.
LONGEST_WORD = 200


@dataclass(frozen=True)
class PackProblem:
    """A node pack that could not be used, in whole or in part, and why."""

    pack: str
    error: str


class Catalog(Mapping[str, NodeSpec]):
    """Node specs by id, in the order given. Immutable: what is known of a catalog stays true.

    Of two specs with one id the first stays and the second becomes a problem of its pack.
    """

    def __init__(self, specs: Iterable[NodeSpec], problems: Iterable[PackProblem] = ()) -> None:
        self._specs: dict[str, NodeSpec] = {}
        found = list(problems)
        for spec in specs:
            first = self._specs.setdefault(spec.id, spec)
            if first is not spec:
                owner = first.pack or "another pack"
                found.append(PackProblem(spec.pack, f"{spec.id} is already defined by {owner}"))
        self.problems: tuple[PackProblem, ...] = tuple(found)

    def __getitem__(self, id: str) -> NodeSpec:
        return self._specs[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __repr__(self) -> str:
        return f"Catalog({len(self)} nodes, {len(self.problems)} problems)"

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "nodes": [spec.to_json() for spec in self.values()],
            "problems": [{"pack": item.pack, "error": item.error} for item in self.problems],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Catalog:
        """The inverse of `to_json`; raises BadInput for anything it did not write."""
        if data.get("format") != FORMAT or data.get("version") != VERSION:
            raise BadInput("This is no node catalog of this version of PonyStudio.")
        try:
            return cls(
                (NodeSpec.from_json(item) for item in data["nodes"]),
                (PackProblem(item["pack"], item["error"]) for item in data["problems"]),
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"The node catalog is damaged: {error}.") from None


@cache
def shipped_catalog() -> Catalog:
    """The nodes that come with the program."""
    return Catalog.from_json(json.loads(resource("catalog.json").read_text("utf-8")))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy that names what was probably meant, or "".

    The name of a pack counts for nothing: all its nodes share it.
    """
    import difflib

    if len(word) > LONGEST_WORD:
        return ""
    whole: dict[str, list[str]] = {}
    for name in known:
        whole.setdefault(name.rpartition(".")[2], []).append(name)
    matches = difflib.get_close_matches(word.rpartition(".")[2], whole, n=3, cutoff=0.6)
    names = [name for match in matches for name in whole[match]][:3]
    return f"Did you mean {' or '.join(map(shortened, names))}?" if names else ""


def known_elsewhere(name: str, catalog: Mapping[str, NodeSpec]) -> str:
    """A remedy that names our node for what another tool calls it, in whatever case, or ""."""
    wanted = name.lower()
    for spec in catalog.values():
        for alias in spec.aliases:
            if alias.lower() == wanted:
                return f"What is {alias} in other tools is {spec.id} here."
    return ""
