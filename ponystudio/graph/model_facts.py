"""What a graph knows of the model files that it names: `Graph.models`.

By the name of a file there are its kind, hashes as hexadecimal digits and the page on which it can
be had: {"mane.safetensors": {"kind": "loras", "autov3": "0123456789ab", "url": "https://…"}}. Of
two files of one name and different kinds the second stands under "KIND/NAME".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

# By how many digits each has: the whole file's SHA-256 and its start, that of what follows the
# header, A1111's oldest, and what sites list beside them.
DIGITS: Mapping[str, int] = {
    "sha256": 64,
    "blake3": 64,
    "autov3": 12,
    "autov2": 10,
    "autov1": 8,
    "crc32": 8,
}
# Of a piece that a file shorter than 1 MiB does not have: it says nothing.
_OF_NOTHING = "e3b0c442"
_HEX = re.compile(r"[0-9a-f]{8,64}")
_LONGEST_URL = 2000
Facts = Mapping[str, Any]
_NONE: Facts = {}


def facts_of(models: Mapping[str, Any], kind: str, name: str) -> Facts:
    """What is known of a file of this kind; {} where nothing is."""
    return next((models[key] for key in _keys(models, kind, name)), _NONE)


def with_facts(models: Mapping[str, Any], kind: str, name: str, facts: Facts) -> dict[str, Any]:
    """With more known of a file; what was known already stays."""
    key = next(iter(_keys(models, kind, name)), None)
    if key is None:
        key = name if name not in models else f"{kind}/{name}"
    return {**models, key: {"kind": kind, **facts, **models.get(key, {})}}


def renamed(models: Mapping[str, Any], names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """With what is known of these files, by kind and name, under their other names, which may be
    each other's."""
    found = dict(models)
    moved = [
        (kind, new, found.pop(key))
        for (kind, old), new in names.items()
        for key in [*_keys(found, kind, old)][:1]
    ]
    for kind, new, facts in moved:
        for key in _keys(found, kind, new):  # of the file that it was thought to be
            del found[key]
        found = with_facts(found, kind, new, facts)
    return found


def hashes_of(facts: Facts) -> dict[str, str]:
    """Those that are sound, in lower case, by their kinds."""
    found = {kind: hexadecimal(facts.get(kind)) for kind in DIGITS}
    sound = {kind: hash[: DIGITS[kind]] for kind, hash in found.items()}
    if sound["autov1"] == _OF_NOTHING:
        sound["autov1"] = ""
    return {kind: hash for kind, hash in sound.items() if len(hash) == DIGITS[kind]}


def agree(said: Mapping[str, str], file: Mapping[str, str]) -> bool | None:
    """Whether a file with these hashes, all of it, can be the one of which those are said; None
    where nothing can be compared."""
    verdicts = []
    for kind, hash in said.items():
        own = [file[kind]] if file.get(kind) else []
        if kind in ("autov2", "autov3") and (sha256 := file.get("sha256")):
            # Files of other formats than safetensors, and textual inversions, are known by it.
            start = sha256[: DIGITS[kind]]
            if kind == "autov2" or "crc32" in file or start == hash:  # or it may have an AutoV3
                own.append(start)
        if own and own != [_OF_NOTHING]:
            verdicts.append(hash in own)
    return all(verdicts) if verdicts else None


def kind_of_hash(hash: str, of: str) -> str:
    """Which of the hashes one of so many digits is that is said of a file of the kind `of`; "" for
    none that tells it."""
    if hash.lower().startswith("blake3:"):
        return "blake3" if len(hexadecimal(hash)) == 64 else ""
    digits = len(hexadecimal(hash))
    if digits == 8 and of == "loras":  # made without their headers by those who write it
        return ""
    return {8: "autov1", 10: "autov2", 12: "autov3", 64: "sha256"}.get(digits, "")


def hexadecimal(value: Any) -> str:
    """The digits of a hash in any spelling; "" for what is none."""
    if not isinstance(value, str) or len(value) > 100:
        return ""
    text = value.strip().lower().rpartition(":")[2].removeprefix("0x")
    return text if _HEX.fullmatch(text) else ""


def page_of(facts: Facts) -> str:
    """The address of a web page on which the file can be had; "" for none, or of another kind."""
    url = facts.get("url")
    if not isinstance(url, str) or len(url) > _LONGEST_URL or not url.isprintable():
        return ""
    return url if host_of(url) else ""


def host_of(url: str) -> str:
    """Whose page it is; "" for none of the web."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _keys(models: Mapping[str, Any], kind: str, name: str) -> list[str]:
    """Under which a file may be told of, the likely one first."""
    return [
        key
        for key in (name, f"{kind}/{name}")
        if isinstance(facts := models.get(key), Mapping) and facts.get("kind", kind) == kind
    ]
