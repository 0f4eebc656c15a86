"""Values of the fields of A1111's `parameters`; None for a text that is no such thing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ponystudio.graph.generation.generation_params import UsedModel
from ponystudio.system.json_reader import read_json

MOST_LISTED = 200
"""Of hashes and resources, how many."""
LONGEST_NAME = 1000

_HEX = re.compile(r"[0-9a-f]{1,64}")
_NO_TAG = re.compile(r"[<>:]")
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
_NAME_AND_HASH = re.compile(r"(?P<name>[^\[\]]*+)\[(?P<hash>[0-9a-fA-F]{1,64})\]\s*")
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:-(\d{1,6}))?")


def number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def whole(text: str) -> int | None:
    # Not through float: seeds have 64 bits.
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 20:
        return None
    return int(text)


def yes_or_no(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.strip().lower())


def size(text: str) -> tuple[int, int] | None:
    """Width and height."""
    found = _SIZE.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def shortly(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def named_model(text: str) -> UsedModel:
    """A model as "name [hash]"."""
    if found := _NAME_AND_HASH.fullmatch(text.strip()):
        return UsedModel(found["name"].strip(), found["hash"])
    return UsedModel(text.strip())


def version_of(text: str) -> tuple[int, ...]:
    """(0,) for one that is none of A1111's."""
    found = _VERSION.match(text)
    return tuple(int(part or 0) for part in found.groups()) if found else (0,)


def hashes_in(text: str) -> dict[str, str]:
    """Those of `Hashes: {json}`."""
    found = _json(text)
    items = list(found.items())[:MOST_LISTED] if isinstance(found, dict) else []
    hashes = {
        name: hash.lower().removeprefix("0x") for name, hash in items if isinstance(hash, str)
    }
    return {name: hash for name, hash in hashes.items() if _HEX.fullmatch(hash)}


def resources_in(text: str) -> list[Mapping[str, Any]]:
    """Those of `Civitai resources: [json]`."""
    found = _json(text)
    items = found[:MOST_LISTED] if isinstance(found, list) else []
    return [item for item in items if isinstance(item, dict)]


def _json(text: str) -> Any:
    try:
        return read_json(text) if text else None
    except ValueError:
        return None


def title_of(resource: Mapping[str, Any]) -> str:
    name, version = resource.get("modelName"), resource.get("modelVersionName")
    return tag_name(" ".join(part for part in (name, version) if isinstance(part, str)))


def tag_name(name: str) -> str:
    """A name as a tag can say it."""
    return " ".join(_NO_TAG.sub(" ", name[:LONGEST_NAME]).split())


def weight(value: Any) -> float:
    """Of a LoRA, within what one may have; 1 for what is no number."""
    found = number(str(value))
    return 1.0 if found is None else max(-100.0, min(100.0, found))


def page_of(resource: Mapping[str, Any]) -> str:
    """Where the site shows it."""
    version = resource.get("modelVersionId")
    if isinstance(version, bool) or not isinstance(version, int):
        return ""
    return f"https://civitai.com/model-versions/{version}"


def family_of(encoders: list[str]) -> str:
    """Whose text encoders these are, by their names."""
    joined = " ".join(encoders).lower()
    if "t5" in joined:
        return "sd3" if "clip_g" in joined else "flux"
    return "sdxl" if "clip_g" in joined else "sd1"
