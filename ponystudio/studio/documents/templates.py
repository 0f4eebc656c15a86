"""Graphs to begin with: those that ship, and the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph
from ponystudio.qt.i18n import tr

DEFAULT = "text-to-picture"


@dataclass(frozen=True)
class Template:
    """`id` is the name of its file without the suffix."""

    id: str
    title: str
    help: str
    path: Path

    def graph(self) -> Graph:
        """Raises GraphFileError."""
        return graph_file.read(self.path)


def templates(own: Path | None = None) -> list[Template]:
    """The shipped ones, the default first, then those in the user's own folder."""
    from ponystudio_resources import path as resource

    shipped = sorted(_in(resource("graphs")), key=lambda item: (item.id != DEFAULT, item.id))
    return [*shipped, *(sorted(_in(own), key=lambda item: item.id) if own else ())]


def template(id: str, own: Path | None = None) -> Template | None:
    return next((item for item in templates(own) if item.id == id), None)


def _in(folder: Path) -> Iterator[Template]:
    try:
        files = [path for path in folder.iterdir() if path.suffix == ".json"]
    except OSError:
        return
    for path in files:
        title, help = _shipped_texts().get(path.stem, ("", ""))
        yield Template(path.stem, title or _readable(path.stem), help, path)


def _readable(stem: str) -> str:
    words = stem.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _shipped_texts() -> dict[str, tuple[str, str]]:
    return {
        "text-to-picture": (
            tr("Text to picture"),
            tr("A prompt becomes a picture. The place to start."),
        ),
        "picture-to-picture": (
            tr("Picture to picture"),
            tr("A picture of yours, changed by a prompt."),
        ),
        "controlnet": (
            tr("ControlNet"),
            tr("The edges of a picture steer another one. You bring the ControlNet."),
        ),
        "variations": (
            tr("Variations of a picture"),
            tr("What is seen in a picture becomes others. You bring an unCLIP model."),
        ),
        "picture-as-style": (
            tr("Picture beside words"),
            tr("FLUX.1 dev with Redux: a picture says what words cannot. You bring the models."),
        ),
        "text-to-large-picture": (
            tr("Text to large picture"),
            tr("A prompt becomes a picture, which is made larger."),
        ),
        "outpaint": (
            tr("Beyond the edges"),
            tr("A picture gets a border, and that is painted; the picture stays as it is."),
        ),
        "two-styles": (
            tr("Two styles"),
            tr("One seed, two prompts: what the words change."),
        ),
        "run-in-parts": (
            tr("A run in parts"),
            tr("Noise, sampler, noise levels and guidance by themselves; relatives of a picture."),
        ),
        "merge": (
            tr("Merge models"),
            tr("Two models compared, mixed and tried; save what comes of it when it is good."),
        ),
        "pony-v7": (
            tr("Pony V7"),
            tr("Tags and sentences for Pony Diffusion V7, which you bring as a folder."),
        ),
        "flux": (
            tr("FLUX.1 schnell"),
            tr("Model, text encoders and VAE of FLUX.1 from files of their own."),
        ),
        "edit-by-words": (
            tr("Edit by words"),
            tr("A picture of yours, changed as you say by FLUX.1 Kontext, which you bring."),
        ),
        "refiner": (
            tr("SDXL and refiner"),
            tr("SDXL begins a picture, and its refiner finishes it. You bring both."),
        ),
        "upscale": (tr("Upscale"), tr("Makes a picture larger and adds detail.")),
    }
