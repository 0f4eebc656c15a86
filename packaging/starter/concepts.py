"""What there is to draw: names, keywords and, for every style, the file of its drawing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starter.profiles import Profile

# Where each style's drawings come from; the first is a folder of pictures, the others are SVGs.
PACKAGE_OF = {
    "3d": "@lobehub/fluent-emoji-3d",
    "flat": "@iconify-json/fluent-emoji-flat",
    "color": "@iconify-json/fluent-emoji",
    "line art": "@iconify-json/fluent-emoji-high-contrast",
    "noto": "@iconify-json/noto",
}
# A keyword that so many concepts share tells them apart no more.
SHARED = 2
# Words that say something else in our prompts.
RESERVED = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "gray"}


@dataclass(frozen=True)
class Concept:
    """`names` each mean this concept alone; `keywords` are shared with others.

    `slug` is the icon's name in the SVG packages, `hexcode` the file's name in the 3D one.
    """

    names: tuple[str, ...]
    keywords: tuple[str, ...]
    slug: str
    hexcode: str

    @property
    def name(self) -> str:
        return self.names[0]


def concepts(packages: Mapping[str, Path], profile: Profile) -> list[Concept]:
    """The profile's concepts, of those that have a drawing in every style."""
    entries = _entries(packages["emojibase-data"], profile)
    words = json.loads((packages["emojilib"] / "dist/emoji-en-US.json").read_text("utf-8"))
    tags = {
        entry["hexcode"]: _tags(entry, words.get(entry["emoji"].replace("\ufe0f", ""), []))
        for entry in entries
    }
    icons = [
        json.loads((packages[PACKAGE_OF[style]] / "icons.json").read_text("utf-8"))["icons"]
        for style in profile.styles
        if style != "3d"
    ]
    frequency = Counter(tag for found in tags.values() for tag in found)
    labels = {entry["label"].lower() for entry in entries}
    found = []
    for entry in entries:
        label, mine = entry["label"].lower(), tags[entry["hexcode"]]
        slug = label.replace(" ", "-").replace("’", "").replace("'", "")
        hexcode = _picture(packages["@lobehub/fluent-emoji-3d"], entry["hexcode"].lower())
        if not hexcode or not all(slug in icon for icon in icons):
            continue
        name = profile.concepts.get(entry["label"], label)
        own = [tag for tag in mine if frequency[tag] == 1 and tag not in labels]
        shared = tuple(tag for tag in mine if frequency[tag] >= SHARED)
        names = tuple(dict.fromkeys([name, label, *own]))
        found.append(Concept(names, shared, slug, hexcode))
    return found


def _entries(folder: Path, profile: Profile) -> list[dict]:
    everything = json.loads((folder / "en/data.json").read_text("utf-8"))
    return [
        entry
        for entry in everything
        if (
            entry["label"] in profile.concepts
            if profile.concepts
            else entry.get("group") in profile.groups
        )
    ]


def _tags(entry: dict, words: list[str]) -> list[str]:
    """Keywords of both sources, once each, spelt as one writes them, the name itself not."""
    label = entry["label"].lower()
    spelt = (tag.replace("_", " ").rstrip("2") for tag in (*entry.get("tags", ()), *words))
    taken = {label, *RESERVED}
    return [tag for tag in dict.fromkeys(spelt) if len(tag) > 2 and tag not in taken]


def _picture(folder: Path, hexcode: str) -> str:
    """The 3D picture's name: variation selectors are left out of some."""
    for name in (hexcode, hexcode.replace("-fe0f", "")):
        if (folder / "assets" / f"{name}.webp").exists():
            return name
    return ""
