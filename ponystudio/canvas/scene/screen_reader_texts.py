"""The graph in words, for tooltips and for those who hear it."""

from __future__ import annotations

from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.scene import card_layout, card_status
from ponystudio.canvas.scene.items import FocusRef, Hit, NodeItem, SocketRef, WireKey
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.qt.i18n import tr


def focused(scene: GraphScene, focus: FocusRef | None) -> str:
    """What the keyboard is on."""
    if focus is None:
        return ""
    if focus.kind == "wire":
        return wire(scene, focus.wire) if focus.wire else ""
    item = scene.store.node_items.get(focus.node)
    if item is None:
        return ""
    if focus.kind == "node":
        return node(scene, item)
    if focus.kind == "param":
        return param(scene, item, focus.name)
    is_output = focus.kind == "output"
    kind = card_layout.socket_type(item.spec, focus.name, is_output)
    return socket(scene, SocketRef(item.id, focus.name, is_output, kind))


def node(scene: GraphScene, item: NodeItem) -> str:
    """ "Sample, Step 13 of 20"."""
    shown = card_status.status(item.node, item.spec, scene.document.states[item.id])
    return ", ".join(part for part in (item.title, shown.text, shown.right) if part)


def param(scene: GraphScene, item: NodeItem, name: str) -> str:
    """ "steps, 20, Sample"."""
    spec = item.spec.param_by_name.get(name) if item.spec else None
    field = scene.sync.field(spec) if spec else None
    if spec is None or field is None:
        return f"{name.replace('_', ' ')}, {item.title}"
    ctx = FieldContext.of(scene.document, item.id, spec, scene.services)
    return f"{field.accessible_text(ctx)}, {item.title}"


def socket(scene: GraphScene, ref: SocketRef) -> str:
    """ "Input latent of Sample, Latent, from Empty latent"."""
    item = scene.store.node_items[ref.node]
    side = tr("Output") if ref.is_output else tr("Input")
    of = tr("%1 of %2").replace("%1", ref.name.replace("_", " "))
    return f"{side} {of.replace('%2', item.title)}, {type_title(ref.type)}, {_ends(scene, ref)}"


def _ends(scene: GraphScene, ref: SocketRef) -> str:
    """What a socket is connected to."""
    if ref.is_output:
        wires = (scene.store.wire_items[key] for key in scene.store.wires_of.get(ref.node, ()))
        count = sum((item.source, item.output) == (ref.node, ref.name) for item in wires)
        if count > 1:
            return tr("%1 wires").replace("%1", str(count))
        return tr("one wire") if count else tr("not connected")
    found = scene.store.wire_items.get((ref.node, ref.name))
    if found is None:
        return tr("not connected")
    return tr("from %1").replace("%1", scene.store.node_items[found.source].title)


def wire(scene: GraphScene, key: WireKey) -> str:
    """ "Wire from Sample, latent, to Decode, latent"."""
    item = scene.store.wire_items.get(key)
    if item is None:
        return ""
    source, target = scene.store.node_items[item.source], scene.store.node_items[item.target]
    text = tr("Wire from %1, to %2")
    return text.replace("%1", f"{source.title}, {item.output}").replace(
        "%2", f"{target.title}, {item.input}"
    )


def tooltip(scene: GraphScene, hit: Hit) -> str:
    """What to say where the pointer rests; "" for nothing."""
    item = scene.store.node_items.get(hit.node)
    if hit.part == "socket" and hit.socket and item:
        return _socket_tip(item, hit.socket)
    if hit.part == "run":
        return tr("Run to here")
    if hit.part == "more":
        return tr("More")
    if hit.part == "header" and item:
        first = (item.spec.help if item.spec else "").strip().split("\n\n")[0]
        lines = (item.title, " ".join(first.split()), *scene.document.states[item.id].notes)
        return "\n".join(line for line in lines if line)
    if hit.part == "status" and item:
        return _status_tip(scene, item)
    if hit.part == "picture" and item and scene.document.states[item.id].picture:
        return tr("Double-click to look at it")
    return ""


def type_title(type: str) -> str:
    """A socket type as people read it: "Latent", "Yes / no"."""
    known = {
        "vae": "VAE",
        "clip": "CLIP",
        "controlnet": "ControlNet",
        "int": tr("Integer"),
        "float": tr("Number"),
        "bool": tr("Yes / no"),
        "any": tr("Anything"),
    }
    return known.get(type, type.removesuffix("[]").replace("_", " ").capitalize())


def _socket_tip(item: NodeItem, ref: SocketRef) -> str:
    spec = item.spec
    helped = ""
    if spec and not ref.is_output:
        if found := spec.input_by_name.get(ref.name):
            helped = found.help
        elif param := spec.param_by_name.get(ref.name):
            helped = param.help
    first = f"{ref.name.replace('_', ' ')}: {type_title(ref.type)}"
    return "\n".join(part for part in (first, helped) if part)


def _status_tip(scene: GraphScene, item: NodeItem) -> str:
    state = scene.document.states[item.id]
    lines = [card_status.status(item.node, item.spec, state).text]
    problems = [state.problem] if state.problem and state.phase == "failed" else []
    for problem in (*problems, *state.faults):
        lines += [part for part in (problem.what, problem.remedy) if part and part not in lines]
    if state.offer:
        lines += [state.offer.title, state.offer.text]
    lines += [f"{name}: {what}" for name, what in state.outputs]
    return "\n".join(dict.fromkeys((*lines, *state.notes)))
