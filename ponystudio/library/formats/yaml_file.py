"""YAML files that others wrote: as texts, lists and mappings, and in bounded time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ponystudio.system.regular_file import read_regular

# Real ones have a few KiB; a large one takes seconds to read.
LONGEST = 32 << 10
# PyYAML looks through all that are open at each word.
MOST_BRACKETS = 200


def read_yaml(path: Path) -> Any:
    """What the file says; every scalar is a text. Raises OSError, also for one that is
    too long, and ValueError for what is no YAML.

    Only the plainest form is read: merge keys, dates and numbers could each be made to take for
    ever or to fail in ways of their own. Aliases are shared, so a small file may stand for a vast
    structure: do not turn into text what is not known to be one.
    """
    import yaml

    text = _text(path)
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # makes texts, lists and dicts alone
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("no YAML") from error


def read_yaml_nodes(path: Path) -> Any:
    """The same as PyYAML's nodes, which know their lines: `id` ("scalar", "sequence", "mapping"),
    `value`, `start_mark.line` from 0 on. None for an empty file.

    Raises what `read_yaml` raises; the ValueError has the `line`, from 1 on, where that is known.
    """
    import yaml

    text = _text(path)
    try:
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        refused = DamagedYaml("no YAML")
        mark = getattr(error, "problem_mark", None)
        refused.line = mark.line + 1 if mark is not None else 0
        raise refused from error


class DamagedYaml(ValueError):
    line = 0


def _text(path: Path) -> bytes:
    text = read_regular(path, LONGEST)
    if text.count(b"[") + text.count(b"{") > MOST_BRACKETS:
        raise DamagedYaml("no YAML")
    return text


def is_true(value: Any) -> bool:
    """Whether a text of a YAML file means yes."""
    return isinstance(value, str) and value.lower() in ("true", "yes", "on", "1")
