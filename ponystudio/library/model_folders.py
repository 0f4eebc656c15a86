"""From the name of a file in a graph to the file, and back; where model folders of our own, of
ComfyUI and of A1111 keep each kind of file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from ponystudio.errors import MissingFile, UnsafePath, listed, shortened
from ponystudio.library import user_folders
from ponystudio.library.extra_model_paths import (
    EXTRA_PATHS,
    ExtraModelPaths,
    read_extra_model_paths,
)
from ponystudio.system.file_names import (
    WEIGHTS,
    absolute,
    composed,
    folded,
    near,
    spelt_alike,
    unlike,
    why_absent,
    without_suffix,
)

_DRIVE = re.compile(r"[A-Za-z]:/")
MOST_DEPTH = 8
# Of what leads nowhere, so much is said where a file is missing.
TOLD = 3
_PUT_RIGHT = "Put that right, or choose another file."


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
        there, alike = self._search(kind, wanted)
        if there is not None:
            return there
        if any(_is_dir(base / below) for base, below in self._candidates(kind, wanted)):
            raise MissingFile(f"{name} is a folder, and no model.", remedy=_choose_inside(kind))
        name = shortened(name)
        if alike:
            raise MissingFile(
                f"There is no file {name}, and more than one that is spelt alike: {listed(alike)}.",
                remedy="Choose the one that is meant.",
            )
        reasons = (why_absent(base / below) for base, below in self._candidates(kind, wanted))
        if reason := next(filter(None, reasons), ""):
            raise MissingFile(f"{name} cannot be reached: {reason}", remedy=_PUT_RIGHT)
        raise MissingFile(
            f"There is no file {name}.{self._led_nowhere(kind)}",
            remedy=self._remedy(kind, wanted),
        )

    def find(self, kind: str, name: str) -> Path | None:
        """As `resolve`; None where that raises, without looking for what may have been meant."""
        wanted = name.replace("\\", "/")
        if is_network(name) or not wanted or "\0" in wanted:
            return None
        return self._search(kind, wanted)[0]

    def snapshot(self) -> ModelFolders:
        """The same as they are now, for many names at once: each folder is walked but once."""
        return _Snapshot(self.roots, self.graph_dir)

    def names(self, kind: str) -> list[str]:
        """The POSIX names of all files of a kind, sorted; of equal ones the first root's counts."""
        found: set[str] = set()
        for folder in self.folders(kind):
            found.update(_names(folder, kind))
        return sorted(found, key=lambda name: (name.lower(), name))

    def name_for(self, kind: str, path: Path) -> str:
        """What a graph should call this file: its name in a folder of its kind, if it has one."""
        whole = absolute(path)
        for folder in self.folders(kind):
            if whole.is_relative_to(folder):
                name = whole.relative_to(folder).as_posix()
                # A file of the same name in an earlier folder would be taken instead.
                if (
                    next((f for f in self.folders(kind) if _is_there(f / name, kind)), None)
                    == folder
                ):
                    return name
        if self.graph_dir is not None:
            beside = absolute(self.graph_dir)
            if whole.is_relative_to(beside):
                name = whole.relative_to(beside).as_posix()
                if not any(_is_there(folder / name, kind) for folder in self.folders(kind)):
                    return name
        return whole.as_posix()

    def folders(self, kind: str) -> list[Path]:
        """The folders of a kind that exist, in the order in which they are searched."""
        result: dict[str, Path] = {}
        extra = [
            (root, one)
            for root, paths in self._extra_paths
            for one in paths.folders
            if one.kind == kind
        ]
        found = [one.path for _, one in extra if one.first]
        for root in self._roots:
            found += places(root, kind)
            found += [one.path for of, one in extra if of == root and not one.first]
        for folder in found:
            if folder.is_dir():
                # On some systems `vae` and `VAE` are one folder.
                result.setdefault(os.path.realpath(folder), absolute(folder))
        return list(result.values())

    @property
    def settings_files(self) -> list[Path]:
        """The files of other tools that name more folders."""
        return [paths.file for _, paths in self._extra_paths]

    def unused_lines(self, kind: str = "") -> list[str]:
        """What in those files leads nowhere, and why, a sentence each, and the folders of models
        that are not there, but for the one that is made when needed; `kind` "": of any kind."""
        own = user_folders.models()
        missing = [root for root in self._roots if root != own and not _is_dir(root)]
        lines = [line for _, paths in self._extra_paths for line in paths.unused]
        return [
            *(f"The model folder {root} is not there." for root in missing),
            *(line.text for line in lines if not kind or line.kind in ("", kind)),
        ]

    @cached_property
    def _roots(self) -> list[Path]:
        return [absolute(root) for root in self.roots]

    @cached_property
    def _extra_paths(self) -> list[tuple[Path, ExtraModelPaths]]:
        """By the root that they belong to: ComfyUI has the file beside its `models`."""
        found: dict[str, tuple[Path, ExtraModelPaths]] = {}
        for root in self._roots:
            beside = [root.parent] if root.name.lower() == "models" else []
            for folder in (root, *beside):
                file = folder / EXTRA_PATHS
                if file.is_file() and os.path.realpath(file) not in found:
                    paths = read_extra_model_paths(file, _KIND_OF)
                    found[os.path.realpath(file)] = (root, paths)
        return list(found.values())

    def _search(self, kind: str, wanted: str) -> tuple[Path | None, Collection[str]]:
        """The file of a name; else None, and the several that are spelt alike, if there are."""
        for base, below in self._candidates(kind, wanted):
            if _is_there(base / below, kind):
                return absolute(base / below), ()
        alike = self._alike(kind, wanted) or self._without_suffix(kind, wanted)
        if len(alike) == 1:
            return absolute(next(iter(alike.values()))), ()
        return None, alike

    def _candidates(self, kind: str, wanted: str) -> Iterator[tuple[Path, str]]:
        """Where a name may lead: below which folder, and where there."""
        if wanted.startswith("/") or _DRIVE.match(wanted):
            if Path(wanted).is_absolute():  # a drive letter is, on Windows alone
                anchor = Path(wanted).anchor
                yield Path(anchor), str(Path(wanted).relative_to(anchor))
            return
        if ".." not in PurePosixPath(wanted).parts:
            yield from ((folder, wanted) for folder in self.folders(kind))
        if self.graph_dir is not None:
            yield self.graph_dir, wanted

    def _alike(self, kind: str, wanted: str) -> dict[str, Path]:
        """The files whose names differ from a name in nothing but how accents are stored, else in
        letter case too, by their own names; of equal names the first counts."""
        for key in (composed, folded):
            found: dict[str, Path] = {}
            for base, below in self._candidates(kind, wanted):
                for path in spelt_alike(base, PurePosixPath(below).parts, key):
                    if _is_there(path, kind):
                        found.setdefault(path.relative_to(base).as_posix(), path)
            if found:
                return found
        return {}

    def _without_suffix(self, kind: str, wanted: str) -> dict[str, Path]:
        """The files that a name means which leaves out the suffix, as other programs write it; one
        that names no folder means any."""
        suffixes = SUFFIXES.get(kind, WEIGHTS)
        if kind in PICTURE_KINDS or wanted.lower().endswith(suffixes):
            return {}
        part: Callable[[str], str] = str if "/" in wanted else _last
        return {
            name: self._first(kind, name)
            for name in self.names(kind)
            if folded(part(without_suffix(name, suffixes))) == folded(wanted)
        }

    def _first(self, kind: str, name: str) -> Path:
        """Where the name that `names` gives leads."""
        return next(f / name for f in self.folders(kind) if _is_there(f / name, kind))

    def _led_nowhere(self, kind: str) -> str:
        """What settings, ours and other tools', add to a file that is missing."""
        said: list[str] = []
        if files := self.settings_files:
            said.append(f"More folders were looked for in {listed(map(str, files), 2)}.")
        unused = self.unused_lines(kind)
        said += unused[:TOLD]
        if len(unused) > TOLD:
            said.append(f"And {len(unused) - TOLD:,} more.")
        return "".join(f" {sentence}" for sentence in said)

    def _remedy(self, kind: str, wanted: str) -> str:
        return self._beside_the_folders(kind, wanted) or self._near(kind, wanted) or self._put(kind)

    def _near(self, kind: str, wanted: str) -> str:
        """Where it may have gone: into another folder, or under a name that is almost the same."""
        known = self.names(kind)
        last = folded(PurePosixPath(wanted).name)
        moved = [
            name
            for name in known
            if last in (folded(PurePosixPath(name).name), folded(PurePosixPath(name).stem))
        ]
        matches = list(dict.fromkeys([*moved, *near(wanted, known)]))[:3]
        if not matches:
            return ""
        if difference := unlike(wanted, matches[0]):
            return (
                f"{matches[0]} looks the same and has other letters: {difference}. Choose it anew."
            )
        return f"Did you mean {' or '.join(map(shortened, matches))}?"

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


def _last(name: str) -> str:
    return PurePosixPath(name).name


class _Snapshot(ModelFolders):
    """Remembers which folders there are and what lies in them."""

    def snapshot(self) -> ModelFolders:
        return self

    @cached_property
    def _known_folders(self) -> dict[str, list[Path]]:
        return {}

    @cached_property
    def _known_names(self) -> dict[str, list[str]]:
        return {}

    def folders(self, kind: str) -> list[Path]:
        if kind not in self._known_folders:
            self._known_folders[kind] = super().folders(kind)
        return self._known_folders[kind]

    def names(self, kind: str) -> list[str]:
        if kind not in self._known_names:
            self._known_names[kind] = super().names(kind)
        return self._known_names[kind]


def _shipped() -> Path:
    from ponystudio_resources import path as resource

    folder: Path = resource()
    return folder


def _choose_inside(kind: str) -> str:
    if kind in FOLDER_MODELS:
        return f"Choose a file in it; a folder that is a model has a {FOLDER_MODELS[kind]}."
    return "Choose a file in it."


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
            if entry.name.lower().endswith(suffixes) and not _is_dead_link(entry):
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


def _is_dead_link(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself


# Kind → folder names below a root or below its `models`; ours first, then ComfyUI's and A1111's.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints", "Stable-diffusion", "diffusers"),
    "diffusion_models": ("diffusion_models", "unet"),
    "vae": ("vae", "VAE"),
    "text_encoders": ("text_encoders", "clip", "text_encoder"),
    "tokenizers": ("tokenizers",),
    "clip_vision": ("clip_vision",),
    "loras": ("loras", "Lora", "LyCORIS"),
    "embeddings": ("embeddings",),
    "controlnet": ("controlnet", "t2i_adapter", "ControlNet"),
    "upscale_models": ("upscale_models", "ESRGAN", "RealESRGAN", "SwinIR", "DAT"),
    "hypernetworks": ("hypernetworks",),
    "style_models": ("style_models",),
    "gligen": ("gligen",),
    "aesthetic_models": ("aesthetic_models", "aesthetic"),
    "style_clusters": ("style_clusters",),
    "input": ("input", "pictures"),
    "latents": ("latents", "input"),
}
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
# Kinds that are not weights, or not only.
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "input": PICTURES,
    "latents": (".latent", ".safetensors"),
    "tokenizers": (".model", ".json"),
    "style_clusters": (".npz", ".safetensors"),
    "embeddings": (*WEIGHTS, ".png", ".webp"),
}
# Kinds whose files are told by their whole names.
PICTURE_KINDS = ("input", "latents")
# Kinds that may also be folders of diffusers', and the file that tells one.
FOLDER_MODELS: Mapping[str, str] = {
    "checkpoints": "model_index.json",
    "diffusion_models": "config.json",
    "text_encoders": "config.json",
    "vae": "config.json",
    "clip_vision": "config.json",
    "controlnet": "config.json",
}
_KIND_OF = {folder.lower(): kind for kind, folders in FOLDERS.items() for folder in folders}


def places(root: Path, kind: str) -> Iterator[Path]:
    """The folders below `root` that may hold this kind; they need not exist."""
    names = FOLDERS.get(kind, (kind,))
    for name in names:
        yield root / name
        yield root / "models" / name
    for name in names:  # `Models/LoRA`, on systems that tell letter case apart
        yield from spelt_alike(root, (name,), folded)
        yield from spelt_alike(root, ("models", name), folded)


def is_network(name: str) -> bool:
    """Whether a path leads to another machine: even asking whether it is there would tell it."""
    return name.replace("\\", "/").startswith("//")
