"""What a saved picture says about how it was made: its graph, a receipt, A1111's parameters."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ponystudio import __version__
from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.diffusion.sampling.names import A1111_SCHEDULES, SAMPLER_SPECS
from ponystudio.engine.run_files import RunFiles, until, wait_for
from ponystudio.errors import Cancelled, PonyStudioError
from ponystudio.graph.coercion import coerce
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.formats.a1111_infotext import infotext
from ponystudio.graph.formats.embedded_metadata import GRAPH, PARAMETERS, RECEIPT
from ponystudio.graph.model import Graph
from ponystudio.graph.result_keys import Environment
from ponystudio.graph.topology import ancestors
from ponystudio.library.formats.content_id import (
    Heard,
    Identity,
    Remembered,
    hashes,
    identity,
)

# Kinds of files that are no models, and are not named by hash.
INPUT_KINDS = ("input", "latents")


class Receipts:
    """Makes the text fields of the pictures of one run.

    `written` is the graph as the user has it, `running` what of it runs. Hashes of model files that
    are not known yet are made in the background from the start, for a picture is done only later. A
    run that is cancelled does not wait for them.
    """

    def __init__(
        self,
        written: Graph,
        running: Graph,
        catalog: Mapping[str, NodeSpec],
        files: RunFiles,
        environment: Environment,
        cancel: threading.Event,
    ) -> None:
        self._running, self._catalog, self._environment = running, catalog, environment
        self._written, self._run_files, self._cancel = written, files, cancel
        self._autov3: dict[str, str] = {}
        self._hashing: threading.Thread | None = None
        self._seconds: dict[str, float] = {}

    def start(self, steps: Iterable[str]) -> None:
        """Begin with the files that these nodes depend on."""
        files = self._files(ancestors(self._running, steps))
        loras = {name: path for name, (kind, path) in files.items() if kind == "loras"}
        if loras:
            self._hashing = threading.Thread(
                target=self._hash, args=(loras,), name="hashes of LoRAs", daemon=True
            )
            self._hashing.start()

    def finish(self) -> None:
        """Wait for the hashes. Raises Cancelled."""
        self._run_files.wait(self._cancel)
        wait_for(self._hashing, self._cancel)

    def record_seconds(self, node: str, seconds: float) -> None:
        """How long a node of this run took."""
        self._seconds[node] = round(seconds, 4)

    def fields(self, node: str, size: tuple[int, int], batch: tuple[int, int]) -> dict[str, str]:
        """The fields of a picture of `size` that `node` writes; `batch` is its index and count."""
        self.finish()
        ids = ancestors(self._running, [node])
        files = self._files(ids)
        receipt = {
            "ponystudio": __version__,
            "node": node,
            "batch": {"index": batch[0], "size": batch[1]},
            "seeds": self._seeds(ids),
            # Of those that ran; the results of the others were there already.
            "seconds": {id: self._seconds[id] for id in sorted(ids) if id in self._seconds},
            "models": {
                name: {"kind": kind, **self._content_of(path), **self._hash_of(path)}
                for name, (kind, path) in sorted(files.items())
            },
            "environment": {
                "device": self._environment.device,
                "dtype": self._environment.dtype,
                "torch": self._environment.torch,
                "attention": self._environment.attention,
                "code": dict(self._environment.fingerprints),
            },
        }
        parameters = infotext(
            self._running,
            node,
            size=size,
            catalog=self._catalog,
            hashes={**self._sha256(files), **self._autov3},
            samplers={spec.name: spec.a1111_name for spec in SAMPLER_SPECS},
            schedules=A1111_SCHEDULES,
            batch=batch,
            version=f"PonyStudio {__version__}",
        )
        fields = {GRAPH: self.graph_text(files), RECEIPT: json.dumps(receipt, ensure_ascii=False)}
        return {**fields, PARAMETERS: parameters} if parameters else fields

    def graph_text(self, files: Mapping[str, tuple[str, Path]] | None = None) -> str:
        """The graph file, with what is known of its models."""
        self.finish()
        found = self._files(self._running.nodes) if files is None else files
        models: dict[str, Any] = dict(self._written.models)
        for name, (kind, path) in found.items():
            models[name] = {**models.get(name, {}), "kind": kind, **self._hash_of(path)}
        return graph_format.dumps(replace(self._written, models=models), self._catalog)

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

    def _hash(self, loras: Mapping[str, Path]) -> None:
        for name, path in loras.items():
            own = self._run_files.held(path).files.own
            try:
                if own is not None and (found := _autov3(path, own, until(self._cancel))):
                    self._autov3[name] = found
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

    def _seeds(self, ids: Iterable[str]) -> dict[str, int]:
        return {
            f"{id}.{param.name}": value
            for id in sorted(ids)
            for param, value in self._params([id])
            if param.type == "seed"
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
