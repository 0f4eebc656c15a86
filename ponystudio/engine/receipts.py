"""What a saved picture says about how it was made: its graph, a receipt, A1111's parameters,
ComfyUI's documents, and that a model made it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ponystudio import __version__
from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.engine.run_files import RunFiles, until, wait_for
from ponystudio.errors import Cancelled, PonyStudioError
from ponystudio.graph.coercion import coerce
from ponystudio.graph.comfyui.exporting.exporter import export_prompt, export_workflow
from ponystudio.graph.digital_source import source_type
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.formats.embedded_metadata import GRAPH, PARAMETERS, PROMPT, RECEIPT, WORKFLOW
from ponystudio.graph.formats.metadata_policy import NOTHING, USUAL, WITHOUT_PROMPTS, MetadataPolicy
from ponystudio.graph.formats.without_prompts import without_prompts
from ponystudio.graph.generation.infotext_writer import infotext
from ponystudio.graph.model import Graph
from ponystudio.graph.result_keys import Environment
from ponystudio.graph.topology import ancestors, known_value
from ponystudio.library.formats.content_id import (
    Heard,
    Identity,
    Remembered,
    hashes,
    identity,
)
from ponystudio.library.recognition.model_notes import said_of
from ponystudio.library.recognition.recognise import recognise

# Kinds of files that are no models, and are not named by hash.
INPUT_KINDS = ("input", "latents")
# Params by which noise differs between programs and devices.
NOISE_PARAMS = ("noise", "rules")
# Letters of a licence: its name, or the first words of its text.
LONGEST_LICENCE = 200


class PictureMetadata(NamedTuple):
    """What goes into a file beside the pixels: texts by name, and where the picture comes from."""

    fields: Mapping[str, str]
    source_type: str = ""


@dataclass(frozen=True)
class _ModelFacts:
    """What of a model's file is not its content: how others know it, and under which terms."""

    autov3: str = ""
    licence: str = ""


class Receipts:
    """Makes what the pictures of one run carry.

    `written` is the graph as the user has it, `running` what of it runs, `versions` what it runs
    on. Hashes of model files that are not known yet are made in the background from the start, for
    a picture is done only later. A run that is cancelled does not wait for them.
    """

    def __init__(
        self,
        written: Graph,
        running: Graph,
        catalog: Mapping[str, NodeSpec],
        files: RunFiles,
        environment: Environment,
        cancel: threading.Event,
        policy: MetadataPolicy = USUAL,
        versions: Mapping[str, Any] | None = None,
    ) -> None:
        self._running, self._catalog, self._environment = running, catalog, environment
        self._written, self._run_files, self._cancel = written, files, cancel
        self._policy, self._versions = policy, versions or {}
        self._facts: dict[str, _ModelFacts] = {}
        # By what may be said: the same for all pictures.
        self._documents: dict[str, Mapping[str, str]] = {}
        self._finding: threading.Thread | None = None
        self._seconds: dict[str, float] = {}

    def start(self, steps: Iterable[str]) -> None:
        """Begin with the files that these nodes depend on."""
        files = self._files(ancestors(self._running, steps))
        if files and self._policy.texts != NOTHING:
            self._finding = threading.Thread(
                target=self._find_facts, args=(files,), name="facts of models", daemon=True
            )
            self._finding.start()

    def finish(self) -> None:
        """Wait for the hashes. Raises Cancelled."""
        self._run_files.wait(self._cancel)
        wait_for(self._finding, self._cancel)

    def record_seconds(self, node: str, seconds: float) -> None:
        """How long a node of this run took."""
        self._seconds[node] = round(seconds, 4)

    def metadata(
        self, node: str, size: tuple[int, int], batch: tuple[int, int], policy: MetadataPolicy
    ) -> PictureMetadata:
        """Of a picture of `size` that `node` writes; `batch` is its index and count."""
        origin = source_type(self._running, self._catalog, node) if policy.disclosed else ""
        if policy.texts == NOTHING:
            return PictureMetadata({}, origin)
        self.finish()
        files = self._files(ancestors(self._running, [node]))
        fields = {
            GRAPH: self._graph_text(files, policy.texts),
            RECEIPT: json.dumps(self._receipt(node, files, batch, policy), ensure_ascii=False),
        }
        if parameters := self._parameters(node, files, size, batch, policy):
            fields[PARAMETERS] = parameters
        return PictureMetadata({**fields, **self._comfyui(policy.texts)}, origin)

    def graph_text(self) -> str:
        """The graph file, with what is known of its models, for what is saved and is no picture;
        "" if nothing is to be carried."""
        if self._policy.texts == NOTHING:
            return ""
        self.finish()
        return self._graph_text(self._files(self._running.nodes), self._policy.texts)

    def _graph_text(self, files: Mapping[str, tuple[str, Path]], texts: str) -> str:
        models: dict[str, Any] = dict(self._written.models)
        for name, (kind, path) in files.items():
            models[name] = {**models.get(name, {}), "kind": kind, **self._hash_of(path)}
        graph = replace(self._written, models=models)
        if texts == WITHOUT_PROMPTS:
            graph = without_prompts(graph, self._catalog)
        return graph_format.dumps(graph, self._catalog)

    def _comfyui(self, texts: str) -> Mapping[str, str]:
        """The graph as ComfyUI writes it into pictures: what ran, and as it is drawn."""
        if texts not in self._documents:
            graph = self._written
            if texts == WITHOUT_PROMPTS:
                graph = without_prompts(graph, self._catalog)
            self._documents[texts] = {
                name: json.dumps(export(graph, self._catalog).document, default=dict)
                for name, export in ((PROMPT, export_prompt), (WORKFLOW, export_workflow))
            }
        return self._documents[texts]

    def _receipt(
        self,
        node: str,
        files: Mapping[str, tuple[str, Path]],
        batch: tuple[int, int],
        policy: MetadataPolicy,
    ) -> dict[str, Any]:
        ids = ancestors(self._running, [node])
        receipt: dict[str, Any] = {
            "ponystudio": __version__,
            "node": node,
            "batch": {"index": batch[0], "size": batch[1]},
            "seeds": self._values(ids, lambda param: param.type == "seed"),
            "noise": self._values(ids, lambda param: param.name in NOISE_PARAMS),
            # Of those that ran; the results of the others were there already.
            "seconds": {id: self._seconds[id] for id in sorted(ids) if id in self._seconds},
            "models": {
                name: {"kind": kind, **self._content_of(path), **self._known_of(name, path)}
                for name, (kind, path) in sorted(files.items())
            },
            "environment": {
                "device": self._environment.device,
                "dtype": self._environment.dtype,
                "torch": self._environment.torch,
                "attention": self._environment.attention,
                "code": dict(self._environment.fingerprints),
            },
            "versions": dict(self._versions),
        }
        if policy.texts == WITHOUT_PROMPTS:
            receipt["left_out"] = "prompts"
        return receipt

    def _parameters(
        self,
        node: str,
        files: Mapping[str, tuple[str, Path]],
        size: tuple[int, int],
        batch: tuple[int, int],
        policy: MetadataPolicy,
    ) -> str:
        graph = self._running
        if policy.texts == WITHOUT_PROMPTS:
            graph = without_prompts(graph, self._catalog)
        return infotext(
            graph,
            node,
            size=size,
            catalog=self._catalog,
            hashes={**self._sha256(files), **self._autov3()},
            embeddings=self._embeddings(ancestors(self._running, [node])),
            batch=batch,
            version=f"PonyStudio {__version__}",
        )

    def _content_of(self, path: Path) -> dict[str, str]:
        content = self._run_files.known(path)
        return {"content": content.id} if content.read else {}

    def _hash_of(self, path: Path) -> dict[str, str]:
        """Nothing of a folder, nor of a file that was changed before it was read to its end."""
        sha256 = self._run_files.known(path).sha256
        return {"sha256": sha256} if sha256 else {}

    def _sha256(self, files: Mapping[str, tuple[str, Path]]) -> dict[str, str]:
        found = {name: self._run_files.known(path).sha256 for name, (_, path) in files.items()}
        return {name: sha256 for name, sha256 in found.items() if sha256}

    def _known_of(self, name: str, path: Path) -> dict[str, str]:
        """Its hashes, as others know it, and its licence."""
        known, facts = self._hash_of(path), self._facts.get(name, _ModelFacts())
        if sha256 := known.get("sha256"):
            known["autov2"] = sha256[:10]
        if facts.autov3:
            known["autov3"] = facts.autov3
        if facts.licence:
            known["licence"] = facts.licence
        return known

    def _autov3(self) -> dict[str, str]:
        return {name: facts.autov3 for name, facts in self._facts.items() if facts.autov3}

    def _embeddings(self, ids: Iterable[str]) -> dict[str, str]:
        """The SHA-256 of the textual inversions that prompts call, by their names."""
        found: dict[str, str] = {}
        for id in ids:
            node = self._running.nodes[id]
            for param in self._catalog[node.type].params:
                if not param.prompt:
                    continue
                text, dialect = (
                    str(known_value(self._running.nodes, self._catalog, node, name) or "")
                    for name in (param.name, "dialect")
                )
                for name, path in self._run_files.called(text, dialect).items():
                    found[name] = self._run_files.known(path).sha256
        return {name: sha256 for name, sha256 in sorted(found.items()) if sha256}

    def _find_facts(self, files: Mapping[str, tuple[str, Path]]) -> None:
        for name, (kind, path) in files.items():
            own = self._run_files.held(path).files.own
            if own is None:
                continue
            try:
                autov3 = _autov3(path, own, until(self._cancel)) if kind == "loras" else ""
                self._facts[name] = _ModelFacts(autov3, _licence(path))
            except Cancelled:
                return
            except PonyStudioError:
                continue  # the node that reads the file will say what is wrong with it

    def _files(self, ids: Iterable[str]) -> dict[str, tuple[str, Path]]:
        """Model files by the name that the graph gives them: kind and path."""
        return {
            name: (spec.kind, self._run_files.path(spec.kind, name))
            for param, value in self._params(ids)
            for spec, name in _files_of_param(param, value)
            if spec.kind not in INPUT_KINDS
        }

    def _values(self, ids: Iterable[str], wanted: Callable[[ParamSpec], bool]) -> dict[str, Any]:
        return {
            f"{id}.{param.name}": value
            for id in sorted(ids)
            for param, value in self._params([id])
            if wanted(param)
        }

    def _params(self, ids: Iterable[str]) -> Iterator[tuple[ParamSpec, Any]]:
        """The params of these nodes that no wire feeds, with their values."""
        for id in ids:
            node = self._running.nodes[id]
            for param in self._catalog[node.type].params:
                if param.name not in node.inputs:
                    yield param, coerce(param, node.params.get(param.name, param.default))


def _files_of_param(param: ParamSpec, value: Any) -> Iterator[tuple[ParamSpec, str]]:
    """The files that a param names, itself or in rows that are on: whose spec, and the name."""
    if param.type == "file":
        yield param, value
    elif param.type == "rows":
        for row in value:
            if row["on"]:
                for column in param.fields:
                    yield from _files_of_param(column, row[column.name])


_known_autov3: Remembered[str] = Remembered()


def _autov3(path: Path, own: Identity, heard: Heard) -> str:
    """By which other tools know a LoRA: of its tensors alone, since trainers edit the header; "" of
    one that is no longer the file of this identity."""

    def find() -> str:
        found = hashes(path, heard).get("autov3", "")
        return found if identity(path) == own else ""

    return _known_autov3.of((own,), find)


def _licence(path: Path) -> str:
    """What its header or the notes beside it say of the terms, in a line."""
    text = said_of(path, recognise(path).metadata).licence
    return " ".join(text[: 4 * LONGEST_LICENCE].split())[:LONGEST_LICENCE]
