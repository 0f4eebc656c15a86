"""What a person may set, kept in one readable file; what is not known is kept as it is."""

from __future__ import annotations

import contextlib
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import write_bytes
from ponystudio.library import user_folders

FILE = "settings.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """One thing to set; `choices` are all there are, if any. Its words are settings_words'."""

    name: str
    default: Any
    choices: tuple[Any, ...] = ()

    def accepts(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if isinstance(self.default, bool) or isinstance(value, bool):
            return isinstance(self.default, bool) and isinstance(value, bool)
        if isinstance(self.default, int | float):
            return isinstance(value, int | float) and math.isfinite(value) and value >= 0
        if isinstance(self.default, list):
            return _texts(value)
        if self.name == "keys":
            return isinstance(value, dict) and all(map(_texts, value.values()))
        return isinstance(value, type(self.default))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


SETTINGS = (
    Setting("theme", "system", ("system", "dark", "light")),
    Setting("ui_scale", 1.0, (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)),
    Setting("density", "comfortable", ("comfortable", "compact", "touch")),
    Setting("reduced_motion", False),
    Setting("shapes_on_wires", False),
    Setting("output_folder", ""),
    Setting("file_name_pattern", "ponystudio"),
    Setting("model_folders", []),
    Setting("device", "auto"),
    Setting("dtype", "auto", ("auto", "fp32", "fp16", "bf16")),
    # 0: all that there is.
    Setting("device_memory_gb", 0.0),
    Setting("disk_cache_gb", 4.0),
    Setting("previews", True),
    Setting("notify", True),
    Setting("keep_awake", True),
    # Keys by action, where they differ from the preset.
    Setting("keys", {}),
    Setting("key_preset", "ponystudio", ("ponystudio", "comfyui", "blender", "nuke")),
    Setting("seed_mode", "random", ("fixed", "increment", "random")),
    # As kind/name.
    Setting("starred_models", []),
    Setting("model_order", "name", ("name", "newest", "largest", "family")),
    Setting("welcomed", False),
    # Sizes and places of window and panels.
    Setting("window", {}),
)
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


class Settings(QObject):
    """Settings by name. `changed` carries the name of one that got another value."""

    changed = Signal(str)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        """`path` is the file; None: the usual one. What cannot be read counts as not set."""
        super().__init__(parent)
        self.path = path or user_folders.config() / FILE
        self._values = _read(self.path)

    def get(self, name: str) -> Any:
        """The value, the default where none is set or the one in the file makes no sense."""
        setting = BY_NAME[name]
        value = self._values.get(name, setting.default)
        return value if setting.accepts(value) else setting.default

    def set(self, name: str, value: Any) -> None:
        """Change one and write the file. Raises ValueError for a value that makes no sense."""
        setting = BY_NAME[name]
        if not setting.accepts(value):
            raise ValueError(f"{value!r} is no value of {name}")
        if self.get(name) == value:
            return
        self._values[name] = value
        self._write()
        self.changed.emit(name)

    def output_folder(self) -> Path:
        chosen = self.get("output_folder")
        return Path(chosen).expanduser() if chosen else user_folders.pictures()

    def model_folders(self) -> list[Path]:
        return [Path(folder).expanduser() for folder in self.get("model_folders")]

    def _write(self) -> None:
        text = json.dumps(self._values, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self.path, data=text.encode())
        except (OSError, PonyStudioError) as error:
            # They hold until the window closes; nobody is kept from working.
            _log.info("settings are not kept: %s", error)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
        if not isinstance(values, dict):
            raise ValueError("no settings")
    except OSError:
        return {}
    except (ValueError, RecursionError):  # a slip of whoever edited it: it can be put right
        with contextlib.suppress(OSError):
            path.replace(path.with_suffix(".damaged.json"))
        return {}
    return values
