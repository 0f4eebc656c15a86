"""How many tokens prompts have, and where in their texts a chunk of 75 ends: known counts, and
those that are worked out in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.studio.models.token_counts import Count, PromptState, Tokens

if TYPE_CHECKING:  # imported with the first prompt
    from ponystudio.studio.models.count_tokens import Embeddings

_KEPT = 512
_FRESH = 5.0  # seconds


class Counts(QObject):
    """Counts of prompts, worked out in the background and kept."""

    changed = Signal()

    def __init__(self, folders: Callable[[], ModelFolders]) -> None:
        super().__init__()
        self._folders = folders
        self._known: dict[PromptState, Count] = {}
        self._pending: dict[Hashable, PromptState] = {}
        self._latest: dict[Hashable, Count] = {}
        self._listed: dict[tuple[str, ...], Embeddings] = {}
        self._listed_at = 0.0
        self._background = BackgroundTasks("token counter", newest_first=True)

    def get(self, prompt: PromptState, place: Hashable = None) -> Count | None:
        """The count. While it is worked out the last one of the same `place`, or None; `changed`
        fires when it is there."""
        nothing = not prompt.text or prompt.text.isspace()  # asked with every frame: no copy
        found = _count_nothing(prompt.family) if nothing else self._known.get(prompt)
        if found is not None:
            self._latest[place] = found
            return found
        if self._pending.get(place) != prompt:
            self._pending[place] = prompt
            folders = self._folders()
            # What was typed since replaces what was not yet counted.
            self._background.do(
                lambda: self._count(prompt, folders),
                lambda count: self._done(place, prompt, count),
                key=place or prompt,
            )
        return self._latest.get(place)

    def embedding_names(self) -> list[str]:
        """The words that prompts name textual inversions by, as they were last listed."""
        return [Path(name).stem for listed in self._listed.values() for name in listed]

    def pieces(self, prompt: PromptState, place: Hashable, done: Callable[[Tokens], None]) -> None:
        """Work out the tokens; what the same `place` asked for before may never be told."""
        folders = self._folders()
        self._background.do(lambda: self._split(prompt, folders), done, key=("pieces", place))

    def close(self) -> None:
        """Count no more; nobody is told of what is being counted."""
        self._background.close()

    def _done(self, place: Hashable, prompt: PromptState, count: Count) -> None:
        if self._pending.get(place) == prompt:
            del self._pending[place]
        while len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        self._known[prompt] = count
        self.changed.emit()

    # On the thread

    def _count(self, prompt: PromptState, folders: ModelFolders) -> Count:
        from ponystudio.studio.models.count_tokens import count

        return count(prompt, self._embeddings(folders, prompt.loras))

    def _split(self, prompt: PromptState, folders: ModelFolders) -> Tokens:
        from ponystudio.studio.models.count_tokens import known_tokens

        return known_tokens(prompt, self._embeddings(folders, prompt.loras))

    def _embeddings(self, folders: ModelFolders, loras: tuple[str, ...]) -> Mapping[str, int]:
        """Listed anew every few seconds at most."""
        from ponystudio.studio.models.count_tokens import Embeddings

        now, listed = time.monotonic(), self._listed
        if now - self._listed_at > _FRESH:
            listed, self._listed_at = {}, now
        if loras not in listed:
            # What is there stays as it is: the names in it are read on another thread.
            self._listed = listed = {**listed, loras: Embeddings(folders, loras)}
        return listed[loras]


def _count_nothing(family: str) -> Count:
    """The count of no words, for which nothing needs to be loaded but what families there are."""
    from ponystudio.studio.models.count_tokens import count_nothing

    return count_nothing(family) if family else Count(0)
