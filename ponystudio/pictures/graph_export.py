"""A graph as texts that other programs read, and what cannot be said in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ponystudio import __version__
from ponystudio.api.spec import NodeSpec
from ponystudio.errors import NothingToRun
from ponystudio.graph.comfyui.exporting import exporter
from ponystudio.graph.comfyui.importer import Remark
from ponystudio.graph.formats.python_script import python_script
from ponystudio.graph.generation.infotext_writer import infotext
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.model_facts import hashes_of
from ponystudio.graph.placeholder import stands_for
from ponystudio.graph.topology import ancestors, effective, known_value, order

Catalog = Mapping[str, NodeSpec]
# Those of models, by the names of their files.
Families = Mapping[str, str]


@dataclass(frozen=True)
class ExportedText:
    text: str
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class TextExport:
    """One way to write a graph: `title` says for whom, `suffix` is the end of its file's name;
    `write` takes the graph, the catalog, what the graph is called, and the families of its
    models, as far as their files are there."""

    title: str
    suffix: str
    write: Callable[[Graph, Catalog, str, Families], ExportedText]


def _workflow(graph: Graph, catalog: Catalog, _name: str, families: Families) -> ExportedText:
    exported = exporter.export_workflow(graph, catalog, families)
    return ExportedText(_json(exported.document), exported.remarks)


def _prompt(graph: Graph, catalog: Catalog, _name: str, families: Families) -> ExportedText:
    exported = exporter.export_prompt(graph, catalog, families)
    return ExportedText(_json(exported.document), exported.remarks)


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _script(graph: Graph, catalog: Catalog, name: str, _: Families) -> ExportedText:
    remarks = tuple(
        Remark(id, f"{stands_for(node) or node.type} is not known here, and cannot run")
        for id, node in effective(graph, catalog).nodes.items()
        if node.type not in catalog
    )
    return ExportedText(python_script(graph, catalog, title=name), remarks)


def _infotext(graph: Graph, catalog: Catalog, _name: str, _: Families) -> ExportedText:
    """Of the first picture that is saved, else shown. Raises NothingToRun for none."""
    running = effective(graph, catalog)
    saving = [id for type in _SAVING for id in running.nodes if running.nodes[id].type == type]
    texts = {
        id: text
        for id in saving
        if (text := infotext(
            running,
            id,
            size=_size(running, catalog, running.nodes[id]),
            catalog=catalog,
            hashes=_hashes(graph),
            version=f"PonyStudio {__version__}",
        ))
    }  # fmt: skip
    if not texts:
        raise NothingToRun(
            "No picture that is sampled is saved or shown in this graph: there is nothing to say"
            " of one.",
            remedy="Wire one to Save image.",
        )
    first, text = next(iter(texts.items()))
    remarks = [Remark("", f"it is of the picture of {first} alone")] if len(texts) > 1 else []
    for id in order(running, ancestors(running, [first])):
        node = running.nodes[id]
        if node.type not in _SAID:
            spec = catalog.get(node.type)
            remarks.append(Remark(id, f"{spec.title if spec else node.type} has no words there"))
    return ExportedText(f"{text}\n", tuple(remarks))


_SAVING = ("core.save_image", "core.preview_image")
# What the text says, each in its way.
_SAID = frozenset(
    f"core.{name}"
    for name in (
        *("save_image", "preview_image", "decode_latent", "load_checkpoint", "load_vae"),
        *("load_model", "load_clip", "apply_lora", "apply_loras", "encode_prompt", "sample"),
        *("sample_steps", "sample_custom", "choose_sampler", "make_sigmas", "random_noise"),
        *("guide", "guide_one", "empty_latent", "scale_latent", "scale_latent_by"),
        *("encode_image", "upscale_image", "load_upscaler", "scale_image", "scale_image_by"),
        *("a1111_rules", "apply_hypernetwork", "set_guidance", "set_shift"),
        *("int", "float", "bool", "text", "seed", "load_image", "mask_latent"),
    )
)


def _hashes(graph: Graph) -> dict[str, str]:
    """Those of model files that the graph says, by which sites find such files."""
    found: dict[str, str] = {}
    for key, facts in graph.models.items():
        if not isinstance(facts, Mapping):
            continue
        kind, hashes = facts.get("kind"), hashes_of(facts)
        ways = ("autov3",) if kind == "loras" else ("sha256", "autov2")
        if known := [hashes[way] for way in ways if way in hashes]:
            found.setdefault(key.removeprefix(f"{kind}/"), known[0])
    return found


def _size(graph: Graph, catalog: Catalog, node: Node) -> tuple[int, int]:
    """Of the picture, as far as it is known before a run; 512 for what is not."""
    factor = 1.0
    for there in _along(graph, node):
        sides = [known_value(graph.nodes, catalog, there, name) for name in ("width", "height")]
        if all(isinstance(side, int) and side > 0 for side in sides):
            width, height = (round(side * factor) for side in sides)
            return width, height
        by = known_value(graph.nodes, catalog, there, "factor")
        if isinstance(by, int | float) and "scale" in there.type:
            factor *= by
    return round(512 * factor), round(512 * factor)


def _along(graph: Graph, node: Node) -> Iterator[Node]:
    """From a picture to what it was made of."""
    seen: set[str] = set()
    found: Node | None = node
    while found and found.id not in seen:
        seen.add(found.id)
        yield found
        link = found.inputs.get("image") or found.inputs.get("latent")
        found = graph.nodes.get(link.source) if link else None


# In the order of a menu.
TEXT_EXPORTS: Mapping[str, TextExport] = {
    "comfyui": TextExport("ComfyUI workflow", ".json", _workflow),
    "comfyui-api": TextExport("ComfyUI prompt (API)", ".json", _prompt),
    "infotext": TextExport("A1111 text", ".txt", _infotext),
    "python": TextExport("Python script", ".py", _script),
}
# What is drawn of a graph (`canvas/painting/graph_picture.py`).
PICTURE = "picture"
EXPORTS = (*TEXT_EXPORTS, PICTURE)
