"""From the name of a file in a graph to the file, and back; where model folders of our own, of
ComfyUI and of A1111 keep each kind of file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from ponystudio.errors import MissingFile, UnsafePath, UsageError
from ponystudio.library import user_folders
from ponystudio.library.formats.yaml_file import is_true, read_yaml

_DRIVE = re.compile(r"[A-Za-z]:/")
MOST_DEPTH = 8


def default_roots() -> list[Path]:
    """The user's own model folder, then what ships with PonyStudio. They need not exist."""
    return [user_folders.models(), _shipped()]


@dataclass(frozen=True)
class ModelFolders:
    """Where files of each kind are looked for: in every root in turn, then beside the graph.

    A root is laid out as ours, as ComfyUI's or as A1111's, and read in place. `graph_dir` is the
    folder of the graph file.
    """

    roots: Sequence[Path]
    graph_dir: Path | None = None

    def resolve(self, kind: str, name: str) -> Path:
        """The file that a graph names, as an absolute path.

        Raises MissingFile, with near matches, and UnsafePath for a path to another machine, which
        is not touched, not even to see whether it is there.
        """
        if is_network(name):
            raise UnsafePath(
                f"The path {name} leads to another machine.",
                remedy="Copy the file to this one, and choose it there.",
            )
        wanted = name.replace("\\", "/")
        if not wanted or "\0" in wanted:
            known = ", ".join(self.names(kind)[:3])
            raise MissingFile(
                "No file is chosen.",
                remedy=f"Choose one, such as {known}." if known else self._put(kind, "one"),
            )
        for candidate in self._candidates(kind, wanted):
            if _is_there(candidate, kind):
                return _absolute(candidate)
        if any(_is_dir(candidate) for candidate in self._candidates(kind, wanted)):
            raise MissingFile(f"{name} is a folder, and no model.", remedy=_choose_inside(kind))
        raise MissingFile(f"There is no file {name}.", remedy=self._remedy(kind, wanted))

    def names(self, kind: str) -> list[str]:
        """The POSIX names of all files of a kind, sorted; of equal ones the first root's counts."""
        found: set[str] = set()
        for folder in self.folders(kind):
            found.update(_names(folder, kind))
        return sorted(found, key=lambda name: (name.lower(), name))

    def name_for(self, kind: str, path: Path) -> str:
        """What a graph should call this file: its name in a folder of its kind, if it has one."""
        absolute = _absolute(path)
        for folder in self.folders(kind):
            if absolute.is_relative_to(folder):
                name = absolute.relative_to(folder).as_posix()
                # A file of the same name in an earlier folder would be taken instead.
                if (
                    next((f for f in self.folders(kind) if _is_there(f / name, kind)), None)
                    == folder
                ):
                    return name
        if self.graph_dir is not None:
            beside = _absolute(self.graph_dir)
            if absolute.is_relative_to(beside):
                name = absolute.relative_to(beside).as_posix()
                if not any(_is_there(folder / name, kind) for folder in self.folders(kind)):
                    return name
        return absolute.as_posix()

    def folders(self, kind: str) -> list[Path]:
        """The folders of a kind that exist, in the order in which they are searched."""
        result: dict[str, Path] = {}
        for root in self._roots:
            extra = self._extra_paths.get(root, {}).get(kind, [])
            for folder in [*places(root, kind), *extra]:
                if folder.is_dir():
                    # On some systems `vae` and `VAE` are one folder.
                    result.setdefault(os.path.realpath(folder), _absolute(folder))
        return list(result.values())

    @cached_property
    def _roots(self) -> list[Path]:
        return [_absolute(root) for root in self.roots]

    @cached_property
    def _extra_paths(self) -> dict[Path, dict[str, list[Path]]]:
        return {
            root: extra_model_paths(root / EXTRA_PATHS)
            for root in self._roots
            if (root / EXTRA_PATHS).is_file()
        }

    def _candidates(self, kind: str, wanted: str) -> Iterator[Path]:
        if wanted.startswith("/") or _DRIVE.match(wanted):
            if Path(wanted).is_absolute():  # a drive letter is, on Windows alone
                yield Path(wanted)
            return
        if ".." not in PurePosixPath(wanted).parts:
            yield from (folder / wanted for folder in self.folders(kind))
        if self.graph_dir is not None:
            yield self.graph_dir / wanted

    def _remedy(self, kind: str, wanted: str) -> str:
        return self._beside_the_folders(kind, wanted) or self._near(kind, wanted) or self._put(kind)

    def _near(self, kind: str, wanted: str) -> str:
        """Where it may have gone: into another folder, or under a name that is almost the same."""
        import difflib

        known = self.names(kind)
        last = PurePosixPath(wanted).name.lower()
        moved = [
            name
            for name in known
            if last in (PurePosixPath(name).name.lower(), PurePosixPath(name).stem.lower())
        ]
        close = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
        if matches := list(dict.fromkeys([*moved, *close]))[:3]:
            return f"Did you mean {' or '.join(matches)}?"
        return ""

    def _beside_the_folders(self, kind: str, wanted: str) -> str:
        """What to do where a root itself holds the file, which only folders below it may."""
        path = PurePosixPath(wanted)
        if path.is_absolute() or ".." in path.parts:
            return ""
        for root in self._roots:
            if _is_there(root / path, kind):
                if root.name in FOLDERS.get(kind, ()):
                    return f"It is in {root}: name the folder above, with --models {root.parent}."
                return f"It is in {root} itself: put it into {root / kind}."
        return ""

    def _put(self, kind: str, what: str = "it") -> str:
        """Where a file of this kind belongs: never among what ships with PonyStudio."""
        there = self.folders(kind)
        shipped = _shipped()
        own = [root for root in self._roots if root != shipped]
        targets = [
            next((folder for folder in there if folder.is_relative_to(root)), root / kind)
            for root in own
        ]
        if not targets:
            return "Name a folder of models with --models DIR."
        into = " or ".join(map(str, targets[:2]))
        return f"Put {what} into {into}, or name a folder of models with --models DIR."


def _shipped() -> Path:
    from ponystudio_resources import path as resource

    folder: Path = resource()
    return folder


def _choose_inside(kind: str) -> str:
    if kind in FOLDER_MODELS:
        return f"Choose a file in it; a folder that is a model has a {FOLDER_MODELS[kind]}."
    return "Choose a file in it."


def _absolute(path: Path) -> Path:
    """Without following links: a file is known by the name that the user gave it."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # a name too long, or no name at all


def _is_there(path: Path, kind: str) -> bool:
    try:
        if path.is_dir():
            return kind in FOLDER_MODELS and (path / FOLDER_MODELS[kind]).is_file()
        return path.exists()
    except (OSError, ValueError):
        return False  # a name too long, or no name at all


def _names(folder: Path, kind: str, below: str = "", around: tuple[str, ...] = ()) -> Iterator[str]:
    suffixes = SUFFIXES.get(kind, WEIGHTS)
    here = os.path.realpath(folder / below)
    if here in around or len(around) > MOST_DEPTH:
        return  # a link that leads round in circles
    try:
        entries = list(os.scandir(here))
    except OSError:
        return  # may not be read
    weights = {Path(e.name).stem for e in entries if e.name.lower().endswith(WEIGHTS)}
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.name.startswith(".") or _is_preview(entry.name, kind, weights):
            continue
        if not _is_folder(entry):
            if entry.name.lower().endswith(suffixes):
                yield name
        elif kind in FOLDER_MODELS and (folder / name / FOLDER_MODELS[kind]).is_file():
            yield name
        else:
            yield from _names(folder, kind, name, (*around, here))


def _is_preview(name: str, kind: str, weights: Collection[str]) -> bool:
    """Whether it is the picture of a file of weights beside it, where pictures may be files too."""
    if kind != "embeddings" or not name.lower().endswith(PICTURES):
        return False
    stem = Path(name).stem
    return stem in weights or stem.removesuffix(".preview") in weights


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself


# Kind → folder names below a root or below its `models`; ours first, then the peers'.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints", "Stable-diffusion", "diffusers"),
    "diffusion_models": ("diffusion_models", "unet"),
    "vae": ("vae", "VAE"),
    "text_encoders": ("text_encoders", "clip"),
    "tokenizers": ("tokenizers",),
    "clip_vision": ("clip_vision",),
    "loras": ("loras", "Lora", "LyCORIS"),
    "embeddings": ("embeddings",),
    "controlnet": ("controlnet", "t2i_adapter", "ControlNet"),
    "upscale_models": ("upscale_models", "ESRGAN", "RealESRGAN", "SwinIR", "DAT"),
    "hypernetworks": ("hypernetworks",),
    "input": ("input", "pictures"),
    "latents": ("latents", "input"),
}
WEIGHTS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
# Kinds that are not weights, or not only.
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "input": PICTURES,
    "latents": (".latent", ".safetensors"),
    "tokenizers": (".model", ".json"),
    "embeddings": (*WEIGHTS, ".png", ".webp"),
}
# Kinds that may also be folders of diffusers', and the file that tells one.
FOLDER_MODELS: Mapping[str, str] = {
    "checkpoints": "model_index.json",
    "diffusion_models": "config.json",
    "text_encoders": "config.json",
    "vae": "config.json",
}
EXTRA_PATHS = "extra_model_paths.yaml"
_KIND_OF = {folder: kind for kind, folders in FOLDERS.items() for folder in folders}


def places(root: Path, kind: str) -> Iterator[Path]:
    """The folders below `root` that may hold this kind; they need not exist."""
    for folder in FOLDERS.get(kind, (kind,)):
        yield root / folder
        yield root / "models" / folder


def is_network(name: str) -> bool:
    """Whether a path leads to another machine: even asking whether it is there would tell it."""
    return name.replace("\\", "/").startswith("//")


def extra_model_paths(file: Path) -> dict[str, list[Path]]:
    """Folders by kind from ComfyUI's `extra_model_paths.yaml`, those of the default section first.

    Paths to other machines are left out. Raises UsageError for what is no such file.
    """
    try:
        sections = read_yaml(file) or {}
    except (OSError, ValueError):
        sections = None
    if not isinstance(sections, dict):
        raise UsageError(
            "This is no list of model folders that can be read.",
            where=str(file),
            remedy="Correct it, or take it out of the model folder.",
        )
    known = [section for section in sections.values() if isinstance(section, dict)]
    known.sort(key=lambda section: not is_true(section.get("is_default")))
    result: dict[str, list[Path]] = {}
    for section in known:
        base = section.get("base_path", "")
        if not isinstance(base, str) or is_network(base):
            continue
        for folder, value in section.items():
            kind = _KIND_OF.get(folder)
            if kind is not None:
                result.setdefault(kind, []).extend(_paths(file.parent / _at_home(base), value))
    return result


def _paths(base: Path, value: Any) -> Iterator[Path]:
    lines = value.splitlines() if isinstance(value, str) else []
    for line in lines:
        if line.strip() and not is_network(line.strip()):
            yield base / _at_home(line.strip())


def _at_home(path: str) -> Path:
    # Unlike Path's own, it takes the home of a user who is not there for a plain name.
    return Path(os.path.expanduser(path))  # noqa: PTH111
