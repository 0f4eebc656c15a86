"""Which model files a person wants to see, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ponystudio.studio.models.model_summary import ModelSummary, family_title, mismatch

AUTOV2 = 10
"""Digits of a SHA-256 by which files are known on the web."""


@dataclass(frozen=True)
class ModelEntry:
    """One file: the kind of folder it lies in, and its name there."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """By which its star is kept."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class ModelFilter:
    """Empty words and families narrow nothing. `fits` is the family that the files must fit; with
    `starred`, only those in `stars` are wanted. `order` is name, newest, largest or family."""

    words: tuple[str, ...] = ()
    kind: str = ""
    family: str = ""
    fits: str = ""
    starred: bool = False
    stars: frozenset[str] = frozenset()
    order: str = "name"

    def of(
        self, entries: Iterable[ModelEntry], fact: Callable[[ModelEntry], ModelSummary | None]
    ) -> list[tuple[ModelEntry, ModelSummary | None]]:
        """What is wanted of these, in order. What is not known yet comes by its name, at the end
        where the order is another."""
        known = [(entry, fact(entry)) for entry in entries]
        return sorted((pair for pair in known if self._wants(*pair)), key=self._rank)

    def _wants(self, entry: ModelEntry, fact: ModelSummary | None) -> bool:
        return (
            self.kind in ("", entry.kind)
            and (not self.family or (fact is not None and fact.family == self.family))
            and (not self.fits or (fact is not None and not mismatch(entry.kind, fact, self.fits)))
            and (not self.starred or entry.key in self.stars)
            and (not self.words or self._is_meant(entry, fact))
        )

    def _is_meant(self, entry: ModelEntry, fact: ModelSummary | None) -> bool:
        """Every word stands in its name or what triggers it, or is how its hash begins."""
        text = " ".join((entry.name, *(fact.words if fact else ()))).lower()
        sha256 = fact.sha256 if fact else ""
        return all(
            word in text or (len(word) >= 4 and sha256.startswith(word)) for word in self.words
        )

    def _rank(self, pair: tuple[ModelEntry, ModelSummary | None]) -> tuple[object, ...]:
        entry, fact = pair
        name = entry.name.rpartition("/")[2].lower()
        if self.order == "newest":
            return (-fact.modified if fact else 0.0, name)
        if self.order == "largest":
            return (-fact.size if fact else 0, name)
        if self.order == "family":
            title = family_title(fact.family) if fact else ""
            return (not title, title, name)
        return (name, entry.kind)
