"""What the worker says of a run, in the words of the window.

What cards show is short, and never cut. The command line's remedies speak of settings here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import cast

from ponystudio.api.spec import NodeSpec
from ponystudio.engine.protocol import run_events
from ponystudio.engine.protocol.run_events import CACHED, RUNS, UP_TO_DATE, NodePlan
from ponystudio.graph.model import Graph
from ponystudio.graph.placeholder import stands_for
from ponystudio.graph.result_keys import CODE_CHANGED, NEVER_RUN, VERSION_CHANGED
from ponystudio.graph.topology import effective
from ponystudio.qt.i18n import tr
from ponystudio.qt.notification import Row
from ponystudio.studio.documents.editable_graph import Tier

# Longer names of nodes would have to be cut on a card.
LONGEST = 18
_CHANGED = " changed"


def plan_texts(
    plans: Mapping[str, NodePlan], graph: Graph, catalog: Mapping[str, NodeSpec]
) -> dict[str, tuple[Tier, str]]:
    """For every node that was told of, but not for those that nothing needs to run: where its
    result lies, or why it will run."""
    running = effective(graph, catalog)
    words: dict[str, tuple[Tier, str]] = {}
    roots: dict[str, str] = {}
    for id, plan in plans.items():  # in the order of the run
        if plan.status == CACHED:
            words[id] = cast(Tier, plan.detail), ""
        elif plan.status == UP_TO_DATE:
            words[id] = "disk", ""
        elif plan.status == RUNS:
            node = running.nodes.get(id)
            sources = node.sources if node else ()
            spec = catalog.get(node.type) if node else None
            root = next((roots[source] for source in sources if source in roots), "")
            own, reason = _reason(plan.detail, spec)
            if root and not own:
                reason = tr("Will run: after {node}").format(node=title(graph, catalog, root))
            roots[id] = root if root and not own else id
            words[id] = "", reason
    return words


def reason_text(text: str, spec: NodeSpec | None) -> str:
    """Why a node is running, as the worker says it when it begins."""
    return _reason(text, spec)[1]


def title(graph: Graph, catalog: Mapping[str, NodeSpec], id: str) -> str:
    """What a node is called on its card, if that is short, else what its kind is called."""
    node = graph.nodes.get(id)
    if node is None:
        return id
    spec = catalog.get(node.type)
    if node.title and (len(node.title) <= LONGEST or spec is None):
        return node.title
    return spec.title if spec else stands_for(node) or node.id


def duration(seconds: float) -> str:
    """ "0.41 s", "6.4 s", "5 s" from ten on in whole seconds, "2 min 05 s", "1 h 02 min"."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def rough_duration(seconds: float) -> str:
    """The same where it is a guess: without tenths."""
    return duration(max(1.0, float(round(seconds)))).replace(".0 s", " s")


def size(count: float) -> str:
    """Bytes as "2.9 GB" or "64 KB"."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def memory(count: float) -> str:
    """Bytes of a memory as "2.9 GB" or "0.9 GB"; small ones as `size`."""
    return f"{count / 2**30:.1f} GB" if count >= 0.1 * 2**30 else size(count)


def fallback_rows(taken: Sequence[str]) -> list[Row]:
    """Every fallback in its order, with what it freed; `taken` is `Runner.fallbacks`."""
    order = (
        ("forgot cached results", tr("Forget results that can be made again")),
        ("took idle weights off the device", tr("Move idle models off the device")),
        ("works in smaller pieces", tr("Work in smaller pieces")),
        ("keeps fewer blocks of the weights", tr("Read the model block by block")),
        ("runs on the CPU", tr("Run this node on the CPU")),
    )
    rows: list[Row] = []
    for action, words in order:
        done = next((text for text in reversed(taken) if text.startswith(action)), None)
        freed = "" if done is None else done[len(action) :].strip(" ()")
        rows.append(("spare" if done is None else "done", words, freed))
    return rows


def is_fallback(action: str) -> bool:
    """Whether it is one of the fallbacks; results that can no longer be kept on disk are none."""
    return not action.startswith("results are no longer")


def remedy_in_window(remedy: str) -> str:
    """A remedy that speaks of settings in place of options."""
    if "--" not in remedy:
        return remedy
    for pattern, text in (
        (
            r"name a folder of models with --models DIR",
            tr("add a folder of models in the settings"),
        ),
        (
            r"name the folder above, with --models (.+?)\.?$",
            tr("add the folder above, {0}, in the settings."),
        ),
        (r"use --device ([\w:]+)", tr("choose {0} in the settings")),
    ):
        remedy = re.sub(pattern, partial(_with_case, text), remedy, flags=re.IGNORECASE)
    return remedy


def _reason(text: str, spec: NodeSpec | None) -> tuple[bool, str]:
    """(whether the reason is the node's own and worth more than a cause above it, in words)."""
    known = {
        run_events.SAVES: (True, tr("Result was not kept")),
        run_events.READS_LINKED_FILE: (True, tr("Always runs")),
        run_events.NOT_KEPT: (True, tr("Result was not kept")),
        NEVER_RUN: (True, tr("Not run yet")),
    }
    if text in known:
        return known[text]
    parts = [part for part in _parts(text) if not part.startswith("upstream:")]
    if not parts:
        return False, tr("Will run: input changed")
    if CODE_CHANGED in parts or VERSION_CHANGED in parts:
        return True, tr("Node was updated")
    changed = [part.removesuffix(_CHANGED) for part in parts if part.endswith(_CHANGED)]
    if len(changed) == len(parts):
        return True, _changed(changed, spec)
    if len(parts) > 1:
        return True, tr("{n} things changed").format(n=len(parts))
    _, _, what = parts[0].partition(":")
    if what:
        return True, tr("File has changed")
    first, _, verb = parts[0].rpartition(" ")
    return True, f"{_named(first, spec)} {verb}" if verb in ("linked", "unlinked") else parts[0]


def _changed(names: list[str], spec: NodeSpec | None) -> str:
    titles = [_named(name, spec) for name in names]
    if len(titles) == 1:
        return tr("{name} changed").format(name=titles[0])
    if len(titles) == 2 and sum(map(len, titles)) <= LONGEST:
        rest = titles[1][:1].lower() + titles[1][1:]
        return tr("{one} and {other} changed").format(one=titles[0], other=rest)
    return tr("{n} settings changed").format(n=len(titles))


def _named(name: str, spec: NodeSpec | None) -> str:
    param = spec.param_by_name.get(name) if spec else None
    text = (param.title if param and param.title else name).replace("_", " ")
    return text[:1].upper() + text[1:]


def _parts(text: str) -> Iterable[str]:
    """The reasons, of which those about files and the graph above hold colons and commas."""
    found: list[str] = []
    for piece in text.split(", "):
        upstream = found and found[-1].startswith("upstream:")
        if upstream and not piece.startswith("upstream:"):
            found[-1] += f", {piece}"
        else:
            found.append(piece)
    return found


def _with_case(text: str, found: re.Match[str]) -> str:
    text = text.format(*found.groups())
    return text[:1].upper() + text[1:] if found[0][:1].isupper() else text
