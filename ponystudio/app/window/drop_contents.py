"""What may be done with files and text that are dropped on the canvas. No Qt: it takes a while.

A graph or a picture that carries one opens in a new tab; a picture becomes an input; a model file
gets the node that loads it; nodes as text are pasted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import BadInput
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.comfyui.importer import Imported
from ponystudio.graph.editing.edits import AddNode, Edit, SetView
from ponystudio.graph.editing.node_ids import fresh_id, fresh_ids
from ponystudio.graph.formats import clipboard
from ponystudio.graph.formats.graph_file import is_picture
from ponystudio.graph.model import Graph, Node
from ponystudio.library.extra_model_paths import EXTRA_PATHS
from ponystudio.library.model_folders import (
    PICTURES,
    ModelFolders,
    is_network,
)
from ponystudio.library.recognition.model_file import ACCEPTED
from ponystudio.library.recognition.recognise import recognise
from ponystudio.pictures.graph_opening import carries_graph, import_text, open_file
from ponystudio.studio.models.field_services import loader, with_file
from ponystudio.system.file_names import WEIGHTS

Action = Literal["open", "nodes", "node", "note", "models"]
_PROMPT = "core.encode_prompt"
_NOTE = (240, 120)
# Letters of a prompt or a note that is dropped: more is no text that anybody wrote.
LONGEST_WORDS = 2**20
# Where in a new card the pointer comes to be.
GRIP = (24, 16)
_GRID = 8
_BESIDE = 32


@dataclass(frozen=True)
class DropChoice:
    """One thing that may be done.

    open: `path` in a new tab. nodes: paste those of `part`; `imported` is what is to be said of it
    where another tool made it. node: add one of `spec`, with `value` for its `param`. note: add one
    of this `value`. models: add the folder `path` to the settings.
    """

    action: Action
    path: Path | None = None
    part: Graph | None = None
    imported: Imported | None = None
    spec: NodeSpec | None = None
    param: str = ""
    value: Any = ""


@dataclass(frozen=True)
class Dropped:
    """One thing that was dropped and what may be done with it, the usual thing first; with no
    choice, `refusal` says why."""

    name: str
    choices: tuple[DropChoice, ...] = ()
    refusal: BadInput | None = None


@dataclass(frozen=True)
class DropJudge:
    """What is needed to judge it: the kinds of nodes, and the folders as the graph sees them."""

    catalog: Catalog
    folders: ModelFolders

    def file(self, path: Path) -> Dropped:
        """Look into a file or folder."""
        try:
            return Dropped(path.name, tuple(self._choices(path)))
        except BadInput as error:
            return Dropped(path.name, (), error)

    def text(self, text: str) -> Dropped:
        """Nodes as text, or just words: a prompt or a note."""
        name = text.strip().partition("\n")[0][:40]
        try:
            if (part := clipboard.loads(text)) is not None:
                return Dropped(name, (DropChoice("nodes", part=part),))
            if (found := import_text(text)) is not None:
                return Dropped(name, (DropChoice("nodes", part=found.graph, imported=found),))
            return Dropped(name, self._of_words(text))
        except BadInput as error:
            return Dropped(name, (), error)

    def _of_words(self, text: str) -> tuple[DropChoice, ...]:
        prompt = self.catalog.get(_PROMPT)
        param = next((p.name for p in prompt.params if p.prompt), "") if prompt else ""
        words = text.strip()
        if len(words) > LONGEST_WORDS:
            raise BadInput(
                f"It has {len(words):,} letters; a prompt or note has {LONGEST_WORDS:,} at most.",
                remedy="Paste a part of it.",
            )
        note = DropChoice("note", value=words)
        if prompt is None or not param:
            return (note,)
        return DropChoice("node", spec=prompt, param=param, value=words), note

    def _choices(self, path: Path) -> Iterator[DropChoice]:
        if is_network(str(path)):
            raise BadInput(
                "It lies on another machine.", remedy="Copy it to this one and drop it from there."
            )
        suffix = path.suffix.lower()
        if path.name == EXTRA_PATHS:
            yield DropChoice("models", path.parent)
        elif path.is_dir() and not _is_model(path):
            yield DropChoice("models", path)
        elif is_picture(path) or suffix in PICTURES:
            if carries_graph(path):
                yield DropChoice("open", path)
            yield self._loading(path, "input")
        elif suffix == ".latent":
            yield self._loading(path, "latents")
        elif path.is_dir() or suffix in WEIGHTS:
            yield self._model(path)
        else:
            opened = open_file(path)
            yield DropChoice("open", path)
            yield DropChoice("nodes", path, part=opened.graph, imported=opened.imported)

    def _model(self, path: Path) -> DropChoice:
        kind = recognise(path).kind
        folder = next((name for name, kinds in ACCEPTED.items() if kind in kinds), "")
        if not folder:
            raise BadInput(f"This is {kind}: no node uses such a file.")
        return self._loading(path, folder)

    def _loading(self, path: Path, kind: str) -> DropChoice:
        """The node that loads a file of this kind."""
        if (found := loader(self.catalog, kind)) is None:
            raise BadInput(
                f"There is no node that loads files of the kind {kind}.",
                remedy="Install a pack of nodes that has one.",
            )
        spec, param = found
        value = with_file(param, self.folders.name_for(kind, path), param.default)
        return DropChoice("node", path, spec=spec, param=param.name, value=value)


def is_material(path: Path) -> bool:
    """Whether a file is something to work with rather than a graph, as its name tells."""
    suffix = path.suffix.lower()
    return suffix in (*WEIGHTS, *PICTURES, ".latent") or path.is_dir() or path.name == EXTRA_PATHS


def edits(choice: DropChoice, graph: Graph, at: tuple[float, float]) -> list[Edit]:
    """What adds a "node", "nodes" or "note" to the graph at a place of the scene."""
    x, y = (round((here - grip) / _GRID) * _GRID for here, grip in zip(at, GRIP, strict=True))
    if choice.action == "nodes" and choice.part is not None:
        return list(clipboard.paste(graph, choice.part, at).edits)
    if choice.action == "note":
        note = {"pos": [x, y], "size": list(_NOTE), "text": choice.value}
        notes = graph.view.get("notes", [])
        return [SetView(("notes",), [*notes, note])]
    if choice.spec is None:
        return []
    taken = [look.get("pos") for look in graph.view.get("nodes", {}).values()]
    while [x, y] in taken:  # the one that was added before
        x, y = x + _BESIDE, y + _BESIDE
    spec = choice.spec
    params = {param.name: param.default for param in spec.params} | {choice.param: choice.value}
    node = Node(fresh_id(spec.id, graph.nodes), spec.id, spec.version, params)
    return [AddNode(node, {"pos": [x, y]})]


def as_added(imported: Imported, graph: Graph) -> Imported:
    """What is to be said of nodes under the ids that `edits` gives them in this graph."""
    names = fresh_ids(imported.graph.nodes, graph.nodes)
    remarks = (replace(x, node=names.get(x.node, x.node)) for x in imported.remarks)
    placeholders = {names.get(id, id): type for id, type in imported.placeholders.items()}
    return replace(imported, placeholders=placeholders, remarks=tuple(remarks))


def _is_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("model_index.json", "config.json"))
