"""`ponystudio doctor`: devices, versions, folders, and what is missing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from ponystudio import __version__
from ponystudio.cli.graph_argument import given_folders
from ponystudio.cli.model_arguments import add_models_argument
from ponystudio.engine.cache.code_fingerprint import installed_version
from ponystudio.engine.node_packs import NodePacks, load_packs
from ponystudio.errors import DamagedFile, UsageError
from ponystudio.library import user_folders
from ponystudio.library.model_folders import ModelFolders
from ponystudio.pictures.picture_bytes import FORMATS
from ponystudio.pictures.picture_reader import protections
from ponystudio.system.file_names import absolute
from ponystudio.system.own_program import working_folder
from ponystudio.system.regular_file import read_regular

# torch is shown with the devices.
SHOWN = ("diffusers", "transformers", "safetensors", "numpy", "PySide6-Essentials")
# Not in requirements: for users who want what they add.
OPTIONAL = {"spandrel": "more kinds of upscalers"}

# Bytes of the studio's settings.
LONGEST = 1 << 20


def add_arguments(parser: ArgumentParser) -> None:
    add_models_argument(parser)


def main(arguments: Namespace) -> int:
    """Prints all it finds; 1 if something is missing without which nothing runs."""
    given = given_folders(list(map(absolute, arguments.models)))
    folders = ModelFolders([*_of_the_studio(), *given.roots])
    os.chdir(working_folder())
    missing = list(_missing())
    _section("Versions", _versions())
    _section("Devices", _devices(missing))
    _section("Folders", _folders(folders))
    _section("Pictures", _pictures())
    packs = load_packs()
    _section("Nodes", _nodes(packs))
    _section("Missing", [*missing, *_failed(packs)] or ["nothing"])
    return 1 if missing else 0


def _section(title: str, lines: Iterable[str]) -> None:
    print(title, *lines, sep="\n  ")


def _versions() -> Iterator[str]:
    yield f"ponystudio {__version__}, Python {platform.python_version()}, {platform.platform()}"
    for name in SHOWN:
        if version := installed_version(name):
            yield f"{name} {version}"
    for name, gain in OPTIONAL.items():
        yield f"{name} {installed_version(name) or f'not installed (optional: {gain})'}"


def _devices(missing: list[str]) -> Iterator[str]:
    try:
        from ponystudio.engine.memory.devices import doctor  # loads torch
    except ImportError as error:
        missing.append(f"torch cannot be loaded: {error}")
        return
    yield from doctor()


def _folders(folders: ModelFolders) -> Iterator[str]:
    for root in folders.roots:
        yield f"models: {_state(root)}"
    yield from _foreign_settings(folders)
    yield f"nodes of your own: {_state(user_folders.nodes())}"
    yield f"results kept on disk: {_state(user_folders.results_cache())}"
    yield f"pictures: {_state(user_folders.pictures())}"


def _of_the_studio() -> list[Path]:
    """The model folders that are set in the studio."""
    try:
        settings = json.loads(read_regular(user_folders.config() / "settings.json", LONGEST))
        return [Path(folder).expanduser() for folder in settings["model_folders"]]
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, RecursionError):
        return []


def _foreign_settings(folders: ModelFolders) -> Iterator[str]:
    """The files of other tools that name folders of models, and which of their lines are lost."""
    try:
        files, unused = folders.settings_files, folders.unused_lines()
    except UsageError as error:
        yield str(error)
        return
    yield from (f"more models: read from {file}" for file in files)
    yield from unused


def _state(folder: Path) -> str:
    """The folder, and whether it is there and how much room it has."""
    existing = next((place for place in (folder, *folder.parents) if place.exists()), None)
    if existing is None:
        return f"{folder} (the disk is not there)"
    room = f"{shutil.disk_usage(existing).free / 2**30:,.0f} GiB free"
    if not os.access(existing, os.W_OK):
        room = "may not be written"
    return f"{folder} ({room}{'' if existing == folder else ', not made yet'})"


def _pictures() -> Iterator[str]:
    """What keeps a picture that a stranger made from doing harm while it is decoded."""
    yield f"read are {', '.join(FORMATS)}, by a process of its own"
    try:
        given_up = protections()
    except DamagedFile as error:
        yield error.what
        return
    yield from (f"in it {what}" for what in given_up or ("all is allowed that you may do",))


def _nodes(packs: NodePacks) -> Iterator[str]:
    counts: dict[str, int] = {}
    for spec in packs.catalog.values():
        counts[spec.pack] = counts.get(spec.pack, 0) + 1
    for pack, count in counts.items():
        yield f"{pack}: {count} nodes"


def _failed(packs: NodePacks) -> Iterator[str]:
    """Packs of nodes that could not be used, in whole or in part."""
    for problem in packs.catalog.problems:
        yield f"node pack {problem.pack}: {problem.error}"


def _missing() -> Iterator[str]:
    """Distributions that PonyStudio requires and this Python does not have."""
    for requirement in importlib.metadata.requires("ponystudio") or ():
        name = re.match(r"[\w.-]+", requirement)
        if name and "extra ==" not in requirement and not installed_version(name[0]):
            yield f"{name[0]}: pip install '{requirement}'"
