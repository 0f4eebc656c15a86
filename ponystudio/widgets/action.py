"""What a person may ask for by menu, key or command palette, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ActionSpec:
    """One command. `id` is stable, e.g. "canvas.fit": rebound keys are kept under it.

    `keys` are Qt key sequences, each of them works; `icon` is a name of `theme.icon`. `checked`
    makes it a switch: it tells the state when the menu opens. `repeats`: holding the key repeats.
    """

    id: str
    title: str
    run: Callable[[], object]
    keys: tuple[str, ...] = ()
    group: str = ""
    icon: str = ""
    enabled: Callable[[], bool] | None = None
    checked: Callable[[], bool] | None = None
    repeats: bool = False
