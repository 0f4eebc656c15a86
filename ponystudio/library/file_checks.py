"""Are the files there that a graph names, and are they what their nodes need?"""

from __future__ import annotations

import importlib.util
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.errors import (
    BadInput,
    MissingFile,
    UnknownModel,
    UnreadFile,
    UnsupportedModel,
    WrongKind,
)
from ponystudio.graph.model import Graph, Node
from ponystudio.library.formats.content_id import Remembered, identity
from ponystudio.library.model_folders import ModelFolders
from ponystudio.library.recognition.signatures import LATENT
from ponystudio.pictures.picture_reader import read_head
from ponystudio.system.regular_file import NotRegular, open_regular

# Kinds of files of which the denoiser is what counts.
DENOISERS = ("checkpoints", "diffusion_models")
# Kinds of models whose files are small enough to look at every number of them.
SMALL = ("lora", "embedding", "vae", "upscaler", "hypernetwork")


def check_files(
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    folders: ModelFolders,
    ids: Iterable[str] | None = None,
    *,
    families: Container[str] | None = None,
) -> list[BadInput]:
    """Every error in the files that the nodes `ids` name (None: all), with node and socket.

    A model file must be one of the kind that its param asks for, and its denoiser one of `families`
    (None: any), an input a picture; only headers are read, of small ones whether every number is
    one, and each file once. Muted nodes and params that a wire feeds are passed over.
    """
    errors: list[BadInput] = []
    verdicts: dict[tuple[str, Path], BadInput | None] = {}
    resolved: dict[tuple[str, str], Path | BadInput] = {}
    folders = folders.snapshot()
    for id in graph.nodes if ids is None else ids:
        node = graph.nodes[id]
        spec = catalog.get(node.type)
        if spec is None or node.mode != "normal":
            continue
        for socket, kind, name in files_of(node, spec):
            if (kind, name) not in resolved:
                try:
                    resolved[kind, name] = folders.resolve(kind, name)
                except BadInput as missing:
                    resolved[kind, name] = missing
            place = resolved[kind, name]
            error = place if isinstance(place, BadInput) else None
            if isinstance(place, Path):
                if (kind, place) not in verdicts:
                    verdicts[kind, place] = _verdict(kind, place, families)
                error = verdicts[kind, place]
            if error is not None:
                errors.append(_at(error, node.id, socket))
    return errors


def files_of(node: Node, spec: NodeSpec) -> Iterator[tuple[str, str, str]]:
    """(socket, kind, name) of every file that a node names, rows that are off left out."""
    for param in spec.params:
        if param.name in node.inputs:
            continue
        value = node.params.get(param.name, param.default)
        if param.type == "file":
            yield from _file(param, param.name, value)
        elif param.type == "rows" and isinstance(value, list):
            for row in value:
                if isinstance(row, Mapping) and row.get("on", True):
                    for field in param.fields:
                        if field.type == "file":
                            chosen = row.get(field.name, field.default)
                            yield from _file(field, param.name, chosen)


def _file(param: ParamSpec, socket: str, value: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, str):  # any other type is the graph check's to refuse
        yield socket, param.kind, value


def _verdict(kind: str, path: Path, families: Container[str] | None) -> BadInput | None:
    from ponystudio.library.formats.number_check import check_numbers
    from ponystudio.library.recognition.model_file import ACCEPTED, check_kind
    from ponystudio.library.recognition.recognise import recognise  # with the readers it takes

    if kind not in ACCEPTED:
        return _other_verdict(kind, path)
    try:
        model = recognise(path)
        check_kind(model, kind)
        if model.kind in SMALL:
            check_numbers(path)
    except BadInput as error:
        unknown_upscaler = kind == "upscale_models" and isinstance(error, UnknownModel)
        # spandrel, where it is installed, knows many more upscalers.
        if unknown_upscaler and importlib.util.find_spec("spandrel") is not None:
            return None
        return error
    if families is not None and kind in DENOISERS and model.family not in families:
        return UnsupportedModel(
            f"Models of the family {model.family} cannot be run yet."
            if model.family
            else "Its denoiser is of no family that is known.",
            where=str(path),
            remedy="Choose another model.",
        )
    return None


# What is known of files that are no models, by their identity: a graph is checked at each edit.
_others: Remembered[BadInput | None] = Remembered()


def _other_verdict(kind: str, path: Path) -> BadInput | None:
    """Of a picture, a latent or another file that is no model."""

    def find() -> BadInput | None:
        try:
            _look(kind, path)
        except (UnreadFile, MissingFile):
            raise
        except BadInput as error:
            return error
        return None

    try:
        return _others.of((identity(path),), find, kind, path)
    except (UnreadFile, MissingFile) as error:
        return error


def _look(kind: str, path: Path) -> None:
    """Raises BadInput for what is no such file, as far as its beginning tells."""
    from ponystudio.library.formats.weights_file import open_weights

    if kind == "input":
        read_head(path)
    elif kind == "latents":
        with open_weights(path) as file:
            if LATENT not in file.tensors:
                raise WrongKind(
                    "There is no latent in this file.",
                    where=str(path),
                    remedy="Choose a .latent file, saved here or by ComfyUI.",
                )
    elif not path.is_dir():
        try:
            open_regular(path).close()
        except OSError as error:
            reason = f"it is {error.what}" if isinstance(error, NotRegular) else error.strerror
            raise UnreadFile(f"The file cannot be read: {reason}.", where=str(path)) from None


def _at(error: BadInput, node: str, socket: str) -> BadInput:
    """The same error as that of a socket; the file that it was found in goes into the sentence."""
    what = f"{error.where}: {error.what}" if error.where else error.what
    return type(error)(what, remedy=error.remedy, node=node, socket=socket)
