"""What a person may set, declared once and kept in one readable file.

A setting is a row of `SETTINGS`: its default, where it stands in the settings panel, and its words.
Whoever follows it connects with `Settings.on`: things without a widget in `app/window/services.py`.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import make_folder, write_bytes
from ponystudio.graph.formats.metadata_policy import (
    EVERYTHING,
    NOTHING,
    TEXTS,
    WITHOUT_PROMPTS,
    MetadataPolicy,
)
from ponystudio.library import user_folders
from ponystudio.qt.i18n import tr
from ponystudio.studio.json_store import put_aside
from ponystudio.studio.restore_guard import Key, RestoreGuard

FILE = "settings.json"
Section = Literal["", "look", "files", "sharing", "engine", "keys"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """One thing to set.

    `choices` are all the values there are, if any. `section` is where it stands in the settings
    panel ("": it is set elsewhere), under `title` and over `help`, which are functions, since the
    language is known only later. `kind` says what a text, a list or a mapping holds.
    """

    name: str
    default: Any
    choices: tuple[Any, ...] = ()
    section: Section = ""
    title: Callable[[], str] = str
    help: Callable[[], str] = str
    kind: Literal["", "folder", "folders", "file_prefix", "keys", "device"] = ""

    def accepts(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if isinstance(self.default, bool) or isinstance(value, bool):
            return isinstance(self.default, bool) and isinstance(value, bool)
        if isinstance(self.default, int | float):
            return isinstance(value, int | float) and math.isfinite(value) and value >= 0
        if isinstance(self.default, list):
            return _are_texts(value)
        if self.kind == "keys":
            return isinstance(value, dict) and all(map(_are_texts, value.values()))
        return isinstance(value, type(self.default))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# In the settings panel they stand in this order, section by section.
SETTINGS = (
    Setting("theme", "system", ("system", "dark", "light"), "look", lambda: tr("Theme")),
    Setting(
        "ui_scale",
        1.0,
        (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0),
        "look",
        lambda: tr("Size of everything"),
    ),
    Setting(
        "density",
        "comfortable",
        ("comfortable", "compact", "touch"),
        "look",
        lambda: tr("Density"),
    ),
    Setting(
        "reduced_motion",
        False,
        section="look",
        title=lambda: tr("Less motion"),
        help=lambda: tr("Nothing fades, drifts or glides."),
    ),
    Setting(
        "shapes_on_wires",
        False,
        section="look",
        title=lambda: tr("Shapes on wires"),
        help=lambda: tr("Each wire shows its type's shape."),
    ),
    Setting(
        "output_folder",
        "",
        section="files",
        title=lambda: tr("Results go to"),
        help=lambda: tr("Empty: PonyStudio in your pictures folder."),
        kind="folder",
    ),
    Setting(
        "file_name_pattern",
        "ponystudio",
        section="files",
        title=lambda: tr("Names of results begin with"),
        help=lambda: tr(
            "For a new Save image. What stands before a / is a folder; %date%, %seed%, %model% and"
            " the like are filled in."
        ),
        kind="file_prefix",
    ),
    Setting(
        "model_folders",
        [],
        section="files",
        title=lambda: tr("Model folders"),
        help=lambda: tr("Laid out as ours, ComfyUI's or A1111's; read where they are."),
        kind="folders",
    ),
    Setting("disk_cache_gb", 4.0, section="files", title=lambda: tr("Results kept on disk, in GB")),
    Setting(
        "metadata",
        EVERYTHING,
        TEXTS,
        "sharing",
        lambda: tr("Saved pictures say how they were made"),
        lambda: tr(
            "Their graph, models and settings, for you and for others: also in the words of"
            " ComfyUI, A1111 and Civitai. A node that saves may say less, never more."
        ),
    ),
    Setting(
        "disclosure",
        True,
        section="sharing",
        title=lambda: tr("Mark pictures as made by AI"),
        help=lambda: tr(
            "A short mark that programs and sites read and people do not see. It says that a model"
            " made the picture, or a part of it; nothing of how, and nothing of you. In the EU the"
            " law asks for it since 2026, and many sites do. Without it you are the one who has to"
            " say so."
        ),
    ),
    Setting(
        "signed",
        False,
        section="sharing",
        title=lambda: tr("Sign this mark (Content Credentials)"),
        help=lambda: tr(
            "Shows that the picture was not changed since, and that all of yours come from one"
            " machine; not who you are. Needs the extra c2pa."
        ),
    ),
    Setting("device", "auto", section="engine", title=lambda: tr("Compute on"), kind="device"),
    Setting("dtype", "auto", ("auto", "fp32", "fp16", "bf16"), "engine", lambda: tr("Precision")),
    Setting(
        "device_memory_gb",
        0.0,
        section="engine",
        title=lambda: tr("Memory to use, in GB"),
        help=lambda: tr("0: what the device has. Models that need more are read in blocks."),
    ),
    Setting(
        "previews",
        True,
        section="engine",
        title=lambda: tr("Live previews"),
        help=lambda: tr("Show how far a picture is while it is sampled."),
    ),
    Setting(
        "keep_awake",
        True,
        section="engine",
        title=lambda: tr("Keep the machine awake"),
        help=lambda: tr("While something runs."),
    ),
    Setting(
        "notify",
        True,
        section="engine",
        title=lambda: tr("Notify"),
        help=lambda: tr("When a run ends while another window is in front."),
    ),
    Setting(
        "key_preset",
        "ponystudio",
        ("ponystudio", "comfyui", "blender", "nuke"),
        "keys",
        lambda: tr("Preset of shortcuts"),
    ),
    # Keys by action, where they differ from the preset.
    Setting("keys", {}, kind="keys"),
    Setting("seed_mode", "random", ("fixed", "increment", "random")),
    # As kind/name.
    Setting("starred_models", []),
    Setting("model_order", "name", ("name", "newest", "largest", "family")),
    Setting("welcomed", False),
    # Sizes and places of window and panels.
    Setting("window", {}),
)
# What saved pictures say of how they were made.
METADATA = ("metadata", "disclosure", "signed")
# What is restored before the window can show anything.
LOOK = tuple(
    setting.name
    for setting in SETTINGS
    if setting.section in ("look", "keys") or setting.name in ("keys", "window")
)
# By what the guard knows them.
LOOK_RESTORED: Key = ("settings", "look")
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


def section_titles() -> dict[Section, str]:
    """The sections of the settings panel, in their order."""
    return {
        "look": tr("Look"),
        "files": tr("Files"),
        "sharing": tr("Sharing"),
        "engine": tr("Engine"),
        "keys": tr("Shortcuts"),
    }


def value_text(value: Any) -> str:
    """A value as people say it; what has no words stands as it is."""
    if isinstance(value, float):
        return f"{value:.0%}"
    return {
        "system": tr("Like the system"),
        "dark": tr("Dark"),
        "light": tr("Light"),
        "comfortable": tr("Comfortable"),
        "compact": tr("Compact"),
        "touch": tr("Touch"),
        "auto": tr("Choose what fits"),
        EVERYTHING: tr("Everything"),
        WITHOUT_PROMPTS: tr("Everything but prompts"),
        NOTHING: tr("Nothing"),
        "fp32": tr("32 bits (fp32)"),
        "fp16": tr("16 bits (fp16)"),
        "bf16": tr("16 bits (bf16)"),
        "ponystudio": "PonyStudio",
        "comfyui": "ComfyUI",
        "blender": "Blender",
        "nuke": "Nuke",
    }.get(value, str(value))


class _Value(QObject):
    """Tells those who follow one setting."""

    changed = Signal(object)


class Settings(QObject):
    """The values of all settings, by name. What a later version has set is kept as it is."""

    def __init__(
        self,
        path: Path | None = None,
        parent: QObject | None = None,
        *,
        rows: Sequence[Setting] = SETTINGS,
    ) -> None:
        """`path` is the file; None: the usual one. What cannot be read counts as not set."""
        super().__init__(parent)
        self.path = path or user_folders.config() / FILE
        self.rows = tuple(rows)
        self._by_name = {setting.name: setting for setting in rows}
        self._values = _read(self.path)
        self._held_back: set[str] = set()
        self._followed: dict[str, _Value] = {}

    def get(self, name: str) -> Any:
        """The value, the default where none is set or the one in the file makes no sense."""
        setting = self._by_name[name]
        value = self._values.get(name, setting.default)
        if name in self._held_back or not setting.accepts(value):
            return setting.default
        return value

    def set(self, name: str, value: Any) -> None:
        """Change one and write the file. Raises ValueError for a value that makes no sense."""
        setting = self._by_name[name]
        if not setting.accepts(value):
            raise ValueError(f"{value!r} is no value of {name}")
        if self.get(name) == value:
            return
        self._held_back.discard(name)
        self._values[name] = value
        self._write()
        self._tell(name)

    def hold_back(self, names: Iterable[str]) -> None:
        """Go on with the defaults of these; the file keeps what was set."""
        self._held_back = set(names)

    def is_held_back(self, name: str) -> bool:
        return name in self._held_back

    def restore_look(self, guard: RestoreGuard) -> None:
        """Note that look and layout are about to be used; without them, if they are suspect."""
        if guard.suspect(*LOOK_RESTORED):
            self.hold_back(LOOK)
        else:
            guard.begin(*LOOK_RESTORED, durable=True)

    def release(self) -> None:
        """What was held back holds again."""
        names, self._held_back = self._held_back, set()
        for name in names:
            self._tell(name)

    def reset(self) -> None:
        """Forget for good what was held back."""
        for name in self._held_back:
            self._values.pop(name, None)
        self._held_back = set()
        self._write()

    def _tell(self, name: str) -> None:
        value = self.get(name)
        if (followed := self._followed.get(name)) is not None:
            followed.changed.emit(value)

    def on(self, name: str, slot: Callable[[Any], object], *, now: bool = False) -> None:
        """Call `slot` with the value whenever it changes; `now`: and with the one it has.

        As with any signal, a method of a QObject is let go of when that is deleted.
        """
        value = self.get(name)
        if name not in self._followed:
            self._followed[name] = _Value(self)
        self._followed[name].changed.connect(slot)
        if now:
            slot(value)

    def output_folder(self) -> Path:
        chosen = self.get("output_folder")
        return Path(chosen).expanduser() if chosen else user_folders.pictures()

    def model_folders(self) -> list[Path]:
        return [Path(folder).expanduser() for folder in self.get("model_folders")]

    def metadata_policy(self) -> MetadataPolicy:
        return MetadataPolicy(*map(self.get, METADATA))

    def _write(self) -> None:
        text = json.dumps(self._values, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        try:
            make_folder(self.path.parent)
            write_bytes(self.path, data=text.encode())
        except (OSError, PonyStudioError) as error:
            # They hold until the window closes; nobody is kept from working.
            _log.info("settings are not kept: %s", error)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
        if not isinstance(values, dict):
            raise ValueError("no settings")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        put_aside(path)  # a slip of whoever edited it, or of the disk: it can be put right
        return {}
    return values
