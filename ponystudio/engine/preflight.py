"""What is wrong with the files of a graph, told before anything runs: whether they are there and
what their nodes need, and whether what is put together of them fits.

The nodes that make recipes of models, text encoders and autoencoders read nothing but headers, so
those of this program are run for it, and what they would say in a run is said before. A pack's own
are not: a check runs nobody's code. No weight is read, and no torch is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any

from ponystudio.api import Clip, ControlNet, NodeSpec, Recipe
from ponystudio.api.node import NodeType
from ponystudio.diffusion.control import number_of
from ponystudio.diffusion.families import families
from ponystudio.diffusion.loading.load import check_part
from ponystudio.diffusion.sampling.fitting import (
    check_adapter,
    check_autoencoder,
    check_control,
    check_kin,
    check_latent,
    check_latents,
    check_method,
    check_prompt,
    check_rising,
    check_text_encoder,
)
from ponystudio.diffusion.sampling.names import SAMPLERS
from ponystudio.diffusion.text.embedding_names import EmbeddingNames, look_up
from ponystudio.diffusion.text.prompt_syntax import DIALECTS
from ponystudio.diffusion.weights.embedding_tensors import PICTURES, bundled
from ponystudio.engine.node_packs import NodePacks
from ponystudio.engine.picture_checks import PictureChecks
from ponystudio.errors import (
    BadInput,
    Cycle,
    MissingInput,
    PonyStudioError,
    WrongKind,
)
from ponystudio.graph.coercion import coerce, node_arguments
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.topology import CONSTANTS, effective, known_value, order
from ponystudio.library.file_checks import check_files
from ponystudio.library.model_folders import ModelFolders
from ponystudio.library.recognition.control_signatures import ControlSignature
from ponystudio.library.recognition.recognise import recognise

# The pack whose nodes are known to do nothing but what they say.
OWN_PACK = "core"
RECIPES = (
    *("model", "clip", "vae", "controlnet", "upscaler", "vision", "style_model", "gligen"),
    "aesthetic_head",
)
# What is added to a prompt, by what to call it.
ADAPTERS = {"style model": "style_model", "GLIGEN model": "gligen"}
# What makes noise levels that fall, and what turns them round.
FALLING = ("core.range_sigmas", "core.beta_sigmas", "core.make_sigmas")
TURNING = "core.flip_sigmas"
# Whose a value is: that of the first of these that its node is given.
MAKERS = {
    "conditioning": ("clip", "conditioning"),
    "latent": ("model", "guider", "vae", "latent"),
    "guider": ("model",),
}


def check_models(
    graph: Graph, packs: NodePacks, folders: ModelFolders, ids: Iterable[str]
) -> list[PonyStudioError]:
    """Every error in the files that the nodes `ids`, which run, name, and in what is made of them,
    with node and socket. Those that come of another one are not told."""
    ids, folders = list(ids), folders.snapshot()
    found: list[PonyStudioError] = [
        *check_files(graph, packs.catalog, folders, ids, families=families())
    ]
    try:
        running = effective(graph, packs.catalog)
        ordered = order(running, ids)
    except Cycle:  # told by the graph's own check
        return found
    faulty = {error.node for error in found}
    return [*found, *_Recipes(running, packs, folders, faulty).errors(ordered)]


class _Recipes:
    """Makes the recipes of a graph, as far as nothing is wrong, and checks who opens them."""

    def __init__(
        self, graph: Graph, packs: NodePacks, folders: ModelFolders, faulty: set[str]
    ) -> None:
        self._graph, self._packs, self._folders, self._faulty = graph, packs, folders, faulty
        # None: what a node gives only if it is given one, and it was not.
        self._values: dict[Link, Recipe | None] = {}
        self._spoilt: set[str] = set()
        # Files that lack a part are told of once, however many nodes would open them.
        self._told: set[tuple[str, str]] = set()
        # Whose models the prompts and latents are for, as far as that is known.
        self._families: dict[Link, str] = {}
        # Nodes whose prompts were looked at.
        self._read: set[str] = set()
        self._pictures = PictureChecks(self._values.get, self._known)
        # By what LoRAs bring: many prompts name embeddings of the same ones.
        self._embedding_names: dict[tuple[str, ...], EmbeddingNames] = {}
        self._bundled = cache(bundled)

    def errors(self, ids: Iterable[str]) -> Iterator[PonyStudioError]:
        ids = list(ids)
        yield from self._found(ids)
        nodes = self._graph.nodes
        # What a text says is told where it is read.
        texts = {link.source for id in self._read for link in nodes[id].inputs.values()}
        self._read |= {id for id in texts if id in nodes and nodes[id].type in CONSTANTS}
        for id in ids:
            node = self._graph.nodes[id]
            spec = self._packs.catalog.get(node.type)
            if id not in self._read and spec:
                yield from self._prompts(node, spec, None)

    def _found(self, ids: Iterable[str]) -> Iterator[PonyStudioError]:
        for id in ids:
            node = self._graph.nodes[id]
            kind = self._packs.types.get(node.type)
            if kind is None or id in self._faulty:
                self._spoilt.add(id)
                continue
            makes = _makes_recipes(kind.spec)
            found = [*self._lacking(node, kind.spec)]
            if not found:
                found = [*(self._made(node, kind) if makes else self._opened(node, kind.spec))]
            if kind.spec.pack == OWN_PACK:
                found += self._checked(node, kind)
            # What is given by nodes with errors may be another thing once those are gone.
            if found or not self._spoilt.isdisjoint(node.sources):
                self._spoilt.add(id)
            elif kind.spec.pack == OWN_PACK:
                found += self._fitting(node, kind.spec)
                found += self._pictures.errors(node, kind.spec)
            yield from found

    def _lacking(self, node: Node, spec: NodeSpec) -> Iterator[PonyStudioError]:
        """What a node needs of one that gives it only where it is given it itself."""
        for socket in spec.inputs:
            link = node.inputs.get(socket.name, Link("", ""))
            if link in self._values and self._values[link] is None and not socket.optional:
                yield MissingInput(
                    f"{link.source} passes on no {socket.type}, since none is wired into it.",
                    node=node.id,
                    socket=socket.name,
                    remedy=f"Wire one into it, or wire this to what gives the {socket.type}.",
                )

    def _made(self, node: Node, kind: NodeType) -> Iterator[PonyStudioError]:
        try:
            given = node_arguments(node, kind, self._value_of, self._folders.resolve)
        except (BadInput, KeyError):  # told elsewhere, or what it is given is not known
            return
        extra = {"ctx": _HeadersOnly()} if kind.takes_context else {}
        try:
            returned = kind.function(**given, **extra)
        except PonyStudioError as error:
            yield _at(error, node.id, error.socket)
            return
        except Exception:  # a fault of the node's own: the run says whose
            return
        values = returned if isinstance(returned, tuple) else (returned,)
        for output, value in zip(kind.spec.outputs, values, strict=True):
            self._values[Link(node.id, output.name)] = value

    def _opened(self, node: Node, spec: NodeSpec) -> Iterator[PonyStudioError]:
        for socket in spec.inputs:
            recipe = self._values.get(node.inputs.get(socket.name, Link("", "")))
            if recipe is None or socket.type not in RECIPES:
                continue
            try:
                check_part(Path(recipe.path), recipe.part, recipe.options)
            except PonyStudioError as error:
                if (recipe.path, error.what) not in self._told:
                    self._told.add((recipe.path, error.what))
                    yield _at(error, node.id, socket.name)
            if isinstance(recipe, Clip):
                yield from self._prompts(node, spec, recipe)

    def _fitting(self, node: Node, spec: NodeSpec) -> Iterator[PonyStudioError]:
        """What a node is given that was made for another family; and whose its own outputs are."""
        given: dict[str, list[tuple[str, str]]] = {}
        for socket in spec.inputs:
            link = node.inputs.get(socket.name, Link("", ""))
            family = self._families.get(link, "")
            if recipe := self._values.get(link):
                family = recipe.family
            if family:
                given.setdefault(socket.type, []).append((socket.name, family))
        latents = [family for _, family in given.get("latent", [])]
        sampler = self._sampler(node)
        try:
            if sampler and self._rising(node):
                check_rising(sampler)
            for _, model in [*given.get("model", []), *given.get("guider", [])]:
                check_method(model, sampler, str(self._known(node, "scheduler")))
                for socket_name, family in given.get("conditioning", []):
                    check_prompt(model, family, socket_name)
                for family in latents:
                    check_latent(model, family)
                for socket_name, other in given.get("model", []):
                    check_kin(model, other, socket_name)
                for _, clip in given.get("clip", []):
                    check_text_encoder(model, clip)
                for _, vae in given.get("vae", []):
                    check_autoencoder(vae, model)
            for (_, one), (socket_name, other) in pairwise(given.get("latent", [])):
                check_latents(one, other, socket_name)
            for _, vae in given.get("vae", []):
                for family in latents:
                    check_autoencoder(vae, family)
            if steering := self._steering(node, spec):
                for _, family in given.get("conditioning", []):
                    check_control(
                        steering, family, vae="vae" in node.inputs, mask="mask" in node.inputs
                    )
                kind = node.params.get("kind")
                if isinstance(kind, str) and "kind" not in node.inputs:
                    number_of(kind, steering)
            for noun, type in ADAPTERS.items():
                for _, adapter in given.get(type, []):
                    for socket_name, prompt in given.get("conditioning", []):
                        check_adapter(noun, adapter, prompt, socket_name)
        except PonyStudioError as error:
            yield _at(error, node.id, error.socket)
        for output in spec.outputs:
            sources = MAKERS.get(output.type, ())
            made = [family for type in sources for _, family in given.get(type, [])]
            if made:
                self._families[Link(node.id, output.name)] = made[0]

    def _steering(self, node: Node, spec: NodeSpec) -> ControlSignature | None:
        """What the ControlNet is that a node is given, as its file tells."""
        sockets = (socket.name for socket in spec.inputs if socket.type == ControlNet.part)
        links = (node.inputs.get(name, Link("", "")) for name in sockets)
        recipe = next((self._values[link] for link in links if link in self._values), None)
        return recognise(Path(recipe.path)).control if recipe else None

    def _sampler(self, node: Node) -> str:
        """The sampler of a node that samples, by its param or the node that chooses it; "" where it
        is not known."""
        link = node.inputs.get("sampler")
        chooser = self._graph.nodes.get(link.source) if link else None
        own = chooser is not None and chooser.type == "core.choose_sampler"
        said = self._known(chooser if chooser and own else node, "sampler")
        return said if said in SAMPLERS else ""

    def _rising(self, node: Node) -> bool:
        """Whether a node is given noise levels of which it is known that they rise."""
        rising, source = False, self._source_of_levels(node)
        while source is not None and source.type == TURNING:
            rising, source = not rising, self._source_of_levels(source)
        if source is None or source.type not in FALLING:
            return False
        # With a denoise of 0 there are none.
        share = self._known(source, "denoise") if source.type == "core.make_sigmas" else 1
        return rising and isinstance(share, int | float) and share > 0

    def _source_of_levels(self, node: Node) -> Node | None:
        link = node.inputs.get("sigmas")
        return self._graph.nodes.get(link.source) if link else None

    def _prompts(self, node: Node, spec: NodeSpec, clip: Clip | None) -> Iterator[PonyStudioError]:
        """What is wrong with the textual inversions that the prompts of a node name; None for a
        text encoder that is not known, perhaps since its file is not there."""
        self._read.add(node.id)
        for param in spec.params:
            text = self._known(node, param.name) if param.prompt else None
            if "embedding:" not in str(text):
                continue
            said = self._known(node, "dialect")
            dialect = said if said in DIALECTS else DIALECTS[0]
            names, missing = look_up(str(text), dialect, self._embeddings(clip))
            for unknown in missing:
                yield _at(unknown, node.id, param.name)
            try:
                for name in names:
                    # Whoever takes one out of a picture looks at its numbers.
                    if name in self._embedding_files and not name.lower().endswith(PICTURES):
                        # Imports numpy, which nothing else here does.
                        from ponystudio.library.formats.number_check import check_numbers

                        check_numbers(self._folders.resolve("embeddings", name))
            except PonyStudioError as error:
                yield _at(error, node.id, param.name)

    def _checked(self, node: Node, kind: NodeType) -> Iterator[PonyStudioError]:
        """What is wrong with params together, where none of those is known only in a run."""
        if kind.check is None:
            return
        values = {name: self._known(node, name) for name in signature(kind.check).parameters}
        if None in values.values():
            return
        try:
            specs = kind.spec.param_by_name
            kind.check(**{name: coerce(specs[name], value) for name, value in values.items()})
        except PonyStudioError as error:
            yield _at(error, node.id, error.socket)

    def _value_of(self, link: Link) -> Any:
        """Raises KeyError for what only a run knows."""
        source = self._graph.nodes[link.source]
        return self._known(source, "value") if source.type in CONSTANTS else self._values[link]

    def _known(self, node: Node, param: str) -> Any:
        return known_value(self._graph.nodes, self._packs.catalog, node, param)

    def _embeddings(self, clip: Clip | None) -> EmbeddingNames:
        """Those there are, and those that the LoRAs of a text encoder bring, or any of those of the
        graph where that is not known."""
        files = [lora.path for lora in clip.loras] if clip else self._loras
        words = tuple(word for path in files for word in self._bundled(Path(path)))
        if words not in self._embedding_names:
            names = [*self._embedding_files, *words]
            self._embedding_names[words] = EmbeddingNames(names, lambda _: [])
        return self._embedding_names[words]

    @cached_property
    def _loras(self) -> list[str]:
        """Those of all text encoders."""
        clips = [value for value in self._values.values() if isinstance(value, Clip)]
        return [*dict.fromkeys(lora.path for clip in clips for lora in clip.loras)]

    @cached_property
    def _embedding_files(self) -> dict[str, None]:
        """Their names in order."""
        return dict.fromkeys(self._folders.names("embeddings"))


class _HeadersOnly:
    """What a node that makes recipes is handed: contents are told apart by nobody here."""

    @property
    def models(self) -> _HeadersOnly:
        return self

    def content(self, path: Path) -> str:
        return str(path)

    def note(self, text: str) -> None:
        """Notes are of a run."""


def _makes_recipes(spec: NodeSpec) -> bool:
    outputs, inputs = ({item.type for item in side} for side in (spec.outputs, spec.inputs))
    return spec.pack == OWN_PACK and bool(outputs) and outputs | inputs <= {*RECIPES}


def _at(error: PonyStudioError, node: str, socket: str) -> PonyStudioError:
    """The error as one that was found before a run; the file that it was found in goes into the
    sentence."""
    what = f"{error.where}: {error.what}" if error.where else error.what
    kind = type(error) if isinstance(error, BadInput) else WrongKind
    return kind(what, remedy=error.remedy, node=node, socket=socket)
