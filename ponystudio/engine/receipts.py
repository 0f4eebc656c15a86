"""What a saved picture says about how it was made: its graph, a receipt, A1111's parameters."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ponystudio import __version__
from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.diffusion.sampling.names import A1111_SCHEDULES, SAMPLER_SPECS
from ponystudio.errors import Cancelled, PonyStudioError
from ponystudio.graph.coercion import coerce
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.formats.a1111_infotext import infotext
from ponystudio.graph.formats.embedded_metadata import GRAPH, PARAMETERS, RECEIPT
from ponystudio.graph.model import Graph
from ponystudio.graph.result_keys import Environment
from ponystudio.graph.topology import ancestors
from ponystudio.library.formats.content_id import Identity, content_id, hashes, identity
from ponystudio.library.model_folders import ModelFolders

# Kinds of files that are no models, and are not named by hash.
INPUT_KINDS = ("input", "latents")
# Seconds in which a cancel is seen while hashes are waited for.
CANCEL_CHECK_SECONDS = 0.1


class Receipts:
    """Makes the text fields of the pictures of one run.

    `written` is the graph as the user has it, `running` what of it runs. The full hashes of model
    files are made in the background from the start, for a picture is done only later. A run that
    is cancelled does not wait for them.
    """

    def __init__(
        self,
        written: Graph,
        running: Graph,
        catalog: Mapping[str, NodeSpec],
        folders: ModelFolders,
        environment: Environment,
        sha256: Callable[[Path], str],
        cancel: threading.Event,
    ) -> None:
        self._running, self._catalog, self._environment = running, catalog, environment
        self._written, self._folders = written, folders
        self._sha256_of, self._cancel = sha256, cancel
        self._sha256: dict[str, str] = {}
        self._autov3: dict[str, str] = {}
        self._hashing: threading.Thread | None = None
        self._seconds: dict[str, float] = {}

    def start(self, steps: Iterable[str]) -> None:
        """Begin with the files that these nodes depend on."""
        files = self._files(ancestors(self._running, steps))
        if files:
            self._hashing = threading.Thread(
                target=self._hash, args=(files,), name="hashes", daemon=True
            )
            self._hashing.start()

    def finish(self) -> None:
        """Wait for the hashes. Raises Cancelled."""
        while self._hashing is not None and self._hashing.is_alive():
            if self._cancel.is_set():
                raise Cancelled("Cancelled.")
            self._hashing.join(CANCEL_CHECK_SECONDS)

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
                name: {"kind": kind, "content": content_id(path), **self._hash_of(name)}
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
            hashes={**self._sha256, **self._autov3},
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
        for name, (kind, _) in found.items():
            models[name] = {**models.get(name, {}), "kind": kind, **self._hash_of(name)}
        return graph_format.dumps(replace(self._written, models=models), self._catalog)

    def _hash_of(self, name: str) -> dict[str, str]:
        return {"sha256": self._sha256[name]} if name in self._sha256 else {}

    def _hash(self, files: Mapping[str, tuple[str, Path]]) -> None:
        for name, (kind, path) in files.items():
            try:
                if path.is_file():
                    self._sha256[name] = self._sha256_of(path)
                if kind == "loras":
                    self._autov3[name] = _autov3(path, identity(path))
            except (OSError, PonyStudioError):
                continue  # the node that reads the file will say what is wrong with it
            except sqlite3.Error:
                return  # the engine was closed after a cancel: nobody waits for this

    def _files(self, ids: Iterable[str]) -> dict[str, tuple[str, Path]]:
        """Model files by the name that the graph gives them: kind and path."""
        return {
            name: (spec.kind, self._folders.resolve(spec.kind, name))
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


@lru_cache(maxsize=256)
def _autov3(path: Path, _: Identity) -> str:
    """By which other tools know a LoRA: of its tensors alone, since trainers edit the header."""
    return hashes(path).get("autov3", "")
