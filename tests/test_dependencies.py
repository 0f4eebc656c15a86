"""Faults of libraries that the version limits in pyproject.toml keep out."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import sys

import pytest


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_qt_keeps_the_references_to_none():
    """PySide6 6.12.0 lost one at every void call and aborted the process after some thousands."""
    from PySide6.QtCore import QObject

    thing = QObject()
    before = sys.getrefcount(None)
    for _ in range(20_000):
        thing.setObjectName("name")
    assert abs(sys.getrefcount(None) - before) < 1_000


def test_torchvision_is_not_drawn_in():
    """diffusers and transformers break on a torchvision that does not fit torch; none is fine."""
    assert "torchvision" not in required_by("ponystudio")


def required_by(distribution: str, seen: set[str] | None = None) -> set[str]:
    """All distributions that an installation of this one brings along, without its extras."""
    seen = set() if seen is None else seen
    for requirement in importlib.metadata.requires(distribution) or ():
        name = re.match(r"[\w.-]+", requirement)[0].lower()
        if name not in seen and "extra ==" not in requirement:
            seen.add(name)
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                required_by(name, seen)
    return seen
