"""Runs the steps of a plan, one after the other, on the thread that calls it."""

from __future__ import annotations

import errno
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ponystudio.api import Image, Latent, Mask, NodeType
from ponystudio.api.node import socket_type
from ponystudio.engine.cache.result_cache import WRITE_FROM
from ponystudio.engine.cache.tensor_walk import all_finite, tensors_of, versions
from ponystudio.engine.memory.oom_fallbacks import FailedAttempt, Fallback
from ponystudio.engine.node_context import RunContext
from ponystudio.engine.plan import Keys, Step
from ponystudio.engine.protocol.run_events import NodeFinished, NodeStarted, Output
from ponystudio.engine.run_services import RunServices
from ponystudio.errors import (
    Cancelled,
    ChangedInput,
    NodeFailed,
    NotANumber,
    PonyStudioError,
    RunError,
)
from ponystudio.graph.atomic_write import write_error
from ponystudio.graph.coercion import node_arguments
from ponystudio.graph.model import Link


class Execution:
    """One run of one plan, whose needed results are pinned already and are let go of at its end.

    `rekey` gives its keys again when a fallback was needed, and when all files are read. Until then
    results stay in memory.
    """

    def __init__(
        self, types: Mapping[str, NodeType], services: RunServices, rekey: Callable[[Keys], Keys]
    ) -> None:
        self._types, self._services, self._rekey = types, services, rekey
        self._plan, self._emit, self._results = services.plan, services.emit, services.results
        self._keys = self._plan.keys
        self._pinned = Counter(self._plan.needed)
        self._values: dict[Link, tuple[Any, str]] = {}
        # Steps that have run, and what they wrote, as long as their keys may change.
        self._unsettled: list[tuple[Step, list[Path]]] = []
        self._uses = Counter(
            link for step in self._plan.steps for link in step.node.inputs.values()
        )

    def run(self) -> None:
        """Run every step. Raises RunError or Cancelled."""
        services, scope = self._services, self._services.request.scope
        reads = {*self._plan.inputs.reading, *self._plan.inputs.prompting}
        past = services.history.of(scope)
        try:
            self._report_unneeded(scope)
            for step in self._plan.steps:
                if services.cancel.is_set():
                    raise Cancelled("Cancelled.")
                services.observer.between_nodes()
                self._emit(NodeStarted(step.node.id, self._plan.why(step, past)))
                start = time.perf_counter()
                outputs, context = self._run(step)
                seconds = time.perf_counter() - start
                if step.node.id in reads or context.models.opened:
                    services.files.check_unchanged(step.node.id)
                services.receipts.record_seconds(step.node.id, seconds)
                # What a network made is dear: to make it again, weights must be loaded again.
                self._store(step, outputs, max(seconds, WRITE_FROM * bool(context.models.opened)))
                self._unsettled.append((step, context.written))
                if not services.files.uncertain:
                    self._record()
                self._emit(NodeFinished(step.node.id, False, round(seconds, 4)))
                services.observer.on_result(step, outputs, seconds)
        finally:
            self._results.unpin(self._pinned.elements())

    def settle(self) -> dict[str, str]:
        """All files are read: what the run has made is known by that now, and kept.

        What was known by something else until now, in short.
        """
        before, self._keys = self._keys, self._rekey(self._keys)
        self._results.settle(before.leading_to(self._keys))
        self._record()
        after = self._keys.short
        return {key: after[id] for id, key in before.short.items() if key != after[id]}

    def forget(self) -> None:
        """A file was changed: nothing that is known by what it held is kept."""
        for step in self._plan.steps:
            for key in self._keys.outputs[step.node.id].values():
                self._results.drop(key)

    def _record(self) -> None:
        services, scope = self._services, self._services.request.scope
        for step, written in self._unsettled:
            id = step.node.id
            services.history.record(scope, id, self._keys.nodes[id])
            if step.spec.effects:
                identity = self._keys.identity(id) + services.request.metadata.suffix
                services.saved_outputs.record(scope, id, identity, written)
        self._unsettled.clear()

    def _report_unneeded(self, scope: str) -> None:
        """Say of the nodes that need not run where what they give is."""
        for id, tier in self._plan.cached.items():
            self._emit(NodeFinished(id, tier, 0.0))
        for id in self._plan.unchanged:
            for path in self._services.saved_outputs.files(scope, id):
                self._emit(Output(id, str(path), unchanged=True))
            self._emit(NodeFinished(id, "disk", 0.0))

    def _run(self, step: Step) -> tuple[dict[str, Any], RunContext]:
        """The node's outputs, by the first fallback for which the memory suffices."""
        kind, choice = self._types[step.spec.id], self._services.choice
        fallbacks, digest = self._services.fallbacks, step.key.digest
        context: RunContext | None = None

        def run(fallback: Fallback) -> tuple[dict[str, Any], RunContext]:
            nonlocal context
            device = torch.device("cpu") if fallback.on_cpu else choice.device
            context = RunContext(
                step.node.id, self._services, device, choice.dtype, frugal=fallback.frugal
            )
            return self._call(step, kind, context), context

        def failed() -> FailedAttempt:
            opened = context.models.opened if context else ()
            return FailedAttempt(kind.takes_context, frozenset(opened))

        known = fallbacks.known.get(digest)
        try:
            result = fallbacks.attempt(
                step.node.id,
                digest,
                run,
                failed,
                denoiser_on_cpu=self._services.request.denoiser_on_cpu,
            )
        except (Exception, SystemExit) as error:  # a node is anybody's code, as a pack is
            raise _as_run_error(error, step, kind) from error
        if fallbacks.known.get(digest) != known:
            self._keys = self._rekey(self._keys)
        return result

    def _call(self, step: Step, kind: NodeType, context: RunContext) -> dict[str, Any]:
        arguments = node_arguments(step.node, kind, self._value, self._services.files.path)
        extra = {"ctx": context} if kind.takes_context else {}
        try:
            with (
                self._unchanged(step, arguments),
                torch.no_grad(),
                self._services.allocation_limit.enforced(),
            ):
                returned = kind.function(**arguments, **extra)
            outputs = _outputs(step, returned)
            _check_pictures(step, outputs)
            _check_numbers(step, outputs)
        except NotANumber as error:
            raise context.models.blamed(error) from error
        return outputs

    @contextmanager
    def _unchanged(self, step: Step, arguments: Mapping[str, Any]) -> Iterator[None]:
        """Raises ChangedInput, also in place of an error, if within it arguments are changed.

        What was changed is forgotten, even when the user cancels in the middle.
        """
        before = {name: versions(value) for name, value in arguments.items()}
        try:
            yield
        finally:
            changed = [name for name, value in arguments.items() if versions(value) != before[name]]
            for name in changed:
                self._results.forget_changed(arguments[name])
            if changed and not isinstance(sys.exception(), Cancelled):
                raise ChangedInput(
                    f"{step.spec.id} changed what it was given instead of making a new value.",
                    node=step.node.id,
                    socket=changed[0],
                    remedy="Use the node in another version, or tell its author.",
                )

    def _value(self, link: Link) -> Any:
        """From an earlier step, or from the cache, where it is pinned."""
        if link in self._values:
            return self._values[link][0]
        return self._results.get(self._plan.keys.of(link.source, link.output))

    def _store(self, step: Step, outputs: Mapping[str, Any], seconds: float) -> None:
        """Cache the outputs, hold them for later steps, let go of what no later step reads."""
        for name, value in outputs.items():
            link, key = Link(step.node.id, name), self._keys.of(step.node.id, name)
            if step.cacheable:
                self._results.put(key, value, seconds, on_disk=not self._services.files.uncertain)
            if self._uses[link]:
                self._values[link] = value, key
                if step.cacheable and self._results.pin([key]):
                    self._pinned[key] += 1
        done = Counter(step.node.inputs.values())
        self._uses.subtract(done)
        for link in done:
            if not self._uses[link]:
                _, key = self._values.pop(
                    link, (None, self._plan.keys.of(link.source, link.output))
                )
                if self._pinned[key]:
                    self._pinned[key] -= 1
                    self._results.unpin([key])


def _outputs(step: Step, returned: Any) -> dict[str, Any]:
    """What a node returned, by output. Raises NodeFailed if it is not what it declared."""
    names = list(step.spec.output_by_name)
    if not names:
        return {}
    values = returned if isinstance(returned, tuple) else (returned,)
    if len(values) != len(names):
        raise NodeFailed(
            f"{step.spec.id} returned {len(values)} values and declares {len(names)}.",
            node=step.node.id,
            remedy="Tell the author of the node.",
        )
    for output, value in zip(step.spec.outputs, values, strict=True):
        passed_on = step.spec.input_by_name.get(output.name)
        if value is None and passed_on and passed_on.optional:
            continue  # it was given none itself
        if not _has_type(value, output.type):
            raise NodeFailed(
                f"{step.spec.id} declares {output.name} as {output.type} and returned "
                f"{type(value).__name__}.",
                node=step.node.id,
                socket=output.name,
                remedy=_fault_of_pack(step),
            )
    return dict(zip(names, values, strict=True))


def _has_type(value: Any, type_name: str) -> bool:
    """Whether a value may leave a socket of this type; a float's is given no int, nor a bool."""
    if plain := _PLAIN_TYPES.get(type_name):
        return type(value) is plain
    return type_name == "any" or any(socket_type(kind) == type_name for kind in type(value).__mro__)


def _fault_of_pack(step: Step) -> str:
    return f"This is a fault in the node pack {step.spec.pack or 'that it comes from'}."


def _source_line(error: BaseException, kind: NodeType) -> str:
    """Where in its pack's own source a node failed: " (prints.py, line 12)"."""
    pack = kind.function.__module__.partition(".")[0]
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == pack:
            return f" ({Path(frame.f_code.co_filename).name}, line {line})"
    return ""


def _check_pictures(step: Step, outputs: Mapping[str, Any]) -> None:
    """Raise NodeFailed for a batch of none, or pictures without a pixel: no node can take those."""
    for name, value in outputs.items():
        if isinstance(value, Image | Mask | Latent) and not all(
            tensor.numel() for tensor in tensors_of(value)
        ):
            raise NodeFailed(
                f"{step.spec.title} gave no picture: its {name} is empty.",
                node=step.node.id,
                socket=name,
                remedy="Choose other settings, or give it pictures that suit them.",
            )


def _check_numbers(step: Step, outputs: Mapping[str, Any]) -> None:
    for name, value in outputs.items():
        if not all_finite(value):
            raise NotANumber(
                "The result holds values that are no numbers.",
                node=step.node.id,
                socket=name,
                remedy="Choose the dtype fp32, or other settings or another model.",
            )


def _as_run_error(error: Exception | SystemExit, step: Step, kind: NodeType) -> RunError:
    """The error as one of a run, with the node's id."""
    id = step.node.id
    socket = error.socket if isinstance(error, PonyStudioError) else ""
    place = f"{id}.{socket}" if socket else id
    if isinstance(error, RunError):
        if not error.node:
            error.node, error.where = id, f"{place}: {error.where}" if error.where else place
        return error
    if isinstance(error, PonyStudioError):  # bad input that shows only now
        where = f"{place}: {error.where}" if error.where and error.where != place else place
        return NodeFailed(error.what, node=id, socket=socket, where=where, remedy=error.remedy)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        full = write_error(error, Path(error.filename or "."))
        full.node, full.where = id, f"{id}: {full.where}"
        assert isinstance(full, RunError)
        return full
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return NodeFailed(
        f"{step.spec.title} failed{_source_line(error, kind)}: {text}.",
        node=id,
        remedy=_fault_of_pack(step),
    )


_PLAIN_TYPES = {"int": int, "float": float, "text": str, "bool": bool}
