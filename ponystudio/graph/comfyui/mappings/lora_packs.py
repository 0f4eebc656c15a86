"""LoRAs in rows: what rgthree, LoRA Manager, pysssss and Comfyroll load them with.

A stack is no node here but what its rows come to where it is applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature, signature
from ponystudio.graph.comfyui.mapping import (
    Builder,
    Carried,
    MappedOutput,
    NodeMapping,
    Outputs,
    file_name,
)
from ponystudio.graph.comfyui.mappings.loading import CHECKPOINT, LORA
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
from ponystudio.graph.model import Link
from ponystudio.system.file_names import WEIGHTS

# Rows of all stacks one behind the other; more are none that somebody made.
MOST_ROWS = 500
_NONE = ("", "None", "none", None)
_LORA_TAG = re.compile(r"<lora:([^<>:]{1,300}):([^<>:]{1,20})(?::([^<>:]{1,20}))?>")


@dataclass(frozen=True)
class AppliedLora:
    """A LoRA as it is applied: a file and its strengths, each a value or the wire that brings it;
    `on`: it is not switched off."""

    file: Any
    strength: Any = 1.0
    clip_strength: Any = 1.0
    on: bool = True


def apply_rows(
    node: SourceNode,
    builder: Builder,
    model: Any,
    clip: Any,
    rows: Sequence[AppliedLora],
    *,
    beside: str = "",
) -> tuple[MappedOutput | None, MappedOutput | None]:
    """The model and the text encoder with the rows applied: one stack, or a node a row where wires
    bring their values."""
    given, found = (
        value if isinstance(value, MappedOutput) else builder.output(value)
        for value in (model, clip)
    )
    if given is None:
        if rows:
            builder.tell(node, "it has no model, and its LoRAs are left out")
        return None, found
    beyond, given = given.perpendicular, replace(given, perpendicular=None)
    known = [_known(row, builder) for row in rows]
    if all(known):
        values: dict[str, Any] = {
            "model": given,
            "clip": found,
            "loras": [
                {
                    "on": row.on,
                    "file": row.file,
                    "strength": row.strength,
                    "clip_strength": row.clip_strength,
                }
                for row in known
                if row
            ],
        }
        id = builder.add(node, "core.apply_loras", values, beside=beside)
        model_out, clip_out = _outputs(id, found)
        return replace(model_out, perpendicular=beyond), clip_out
    last: tuple[MappedOutput | None, MappedOutput | None] = (given, found)
    for number, row in enumerate(rows):
        if row.on:
            values = {"model": last[0], "clip": last[1], "file": row.file}
            values |= {"strength": row.strength, "clip_strength": row.clip_strength}
            id = builder.add(node, "core.apply_lora", values, beside=f"{beside}{number + 1}")
            last = _outputs(id, found)
    return last[0] and replace(last[0], perpendicular=beyond), last[1]


def _outputs(id: str, clip: MappedOutput | None) -> tuple[MappedOutput, MappedOutput | None]:
    """Of a node that applies; a text encoder is handed on with the layer that was chosen."""
    skip = clip.clip_skip if clip else 0
    return MappedOutput(Link(id, "model")), clip and MappedOutput(Link(id, "clip"), skip)


def _known(row: AppliedLora, builder: Builder) -> AppliedLora | None:
    """The row with values alone; None where only a run says one."""
    file, strength = builder.constant(row.file), builder.constant(row.strength)
    clip = builder.constant(row.clip_strength)
    if file is None or strength is None or clip is None:
        return None
    return AppliedLora(file, _number(strength), _number(clip), row.on)


def _number(value: Any) -> Any:
    """A strength, which LoRA Manager writes as a text."""
    return float(value) if isinstance(value, str) else value


def stacked(node: SourceNode, builder: Builder, rows: Iterable[AppliedLora]) -> Carried | None:
    """A stack behind the one that it continues."""
    before = builder.carried(node.inputs.get("lora_stack")) or ()
    found = (*before, *rows)
    if len(found) > MOST_ROWS:
        builder.tell(node, f"more than {MOST_ROWS} LoRAs in a stack are left out")
        return None
    return Carried(found)


# --- Rows as each pack writes them ------------------------------------------------------------


def power_rows(node: SourceNode) -> Iterator[AppliedLora]:
    """rgthree's: objects among its values, or inputs of their own."""
    listed = node.inputs.get("widgets_values")
    said = [*listed] if isinstance(listed, list) else []
    said += [value for name, value in node.inputs.items() if name.startswith("lora_")]
    for row in said:
        if isinstance(row, Mapping) and row.get("lora") not in _NONE:
            strength = row.get("strength", 1.0)
            clip = row.get("strengthTwo")
            yield AppliedLora(
                file_name(row["lora"]),
                strength,
                strength if clip is None else clip,
                bool(row.get("on", True)),
            )


def numbered_rows(
    node: SourceNode,
    count: int,
    file: str,
    strength: str,
    clip: str,
    switch: str = "",
    on: Callable[[Any], bool] = bool,
) -> Iterator[AppliedLora]:
    """Rows whose values have the names of their columns, with {} for the row's number."""
    for row in range(1, count + 1):
        name = node.inputs.get(file.format(row))
        model_weight = node.inputs.get(strength.format(row), 1.0)
        clip_weight = node.inputs.get(clip.format(row), 1.0)
        switched = on(node.inputs.get(switch.format(row))) if switch else True
        if isinstance(name, Wire) or name not in _NONE:
            yield AppliedLora(file_name(name), model_weight, clip_weight, switched)


def manager_rows(node: SourceNode, builder: Builder) -> list[AppliedLora]:
    """LoRA Manager's: its list wins over the tags in its text."""
    said = list(node.inputs.get("widgets_values") or ())
    said += [node.inputs.get("loras"), node.inputs.get("text")]
    said.append(builder.constant(node.inputs.get("lora_syntax")))
    for value in said:
        listed = value.get("__value__") if isinstance(value, Mapping) else value
        if isinstance(listed, list) and any(isinstance(row, Mapping) for row in listed):
            return [_manager_row(row) for row in listed if isinstance(row, Mapping)]
    tags = [match for text in said if isinstance(text, str) for match in _LORA_TAG.finditer(text)]
    return [
        AppliedLora(_with_suffix(tag[1]), float(tag[2]), float(tag[3] or tag[2])) for tag in tags
    ]


def _manager_row(row: Mapping[str, Any]) -> AppliedLora:
    strength = row.get("strength", 1.0)
    clip = row.get("clipStrength")
    return AppliedLora(
        _with_suffix(str(row.get("name", ""))),
        strength,
        strength if clip is None else clip,
        bool(row.get("active", True)),
    )


def _with_suffix(name: str) -> str:
    """It calls files by their names without the suffix."""
    name = str(file_name(name.strip()))
    return name if name.lower().endswith(WEIGHTS) else f"{name}.safetensors"


# --- Nodes ------------------------------------------------------------------------------------


def power_loader(node: SourceNode, builder: Builder) -> Outputs:
    model, clip = node.inputs.get("model"), node.inputs.get("clip")
    return apply_rows(node, builder, model, clip, list(power_rows(node)))


def loader_stack(node: SourceNode, builder: Builder) -> Outputs:
    """rgthree's four rows, each with one strength."""
    model, clip = node.inputs.get("model"), node.inputs.get("clip")
    rows = numbered_rows(node, 4, "lora_0{}", "strength_0{}", "strength_0{}")
    return apply_rows(node, builder, model, clip, list(rows))


def manager_loader(node: SourceNode, builder: Builder) -> Outputs:
    """Its words that trigger LoRAs come from what it knows of them, not from the file."""
    model, clip = node.inputs.get("model"), node.inputs.get("clip")
    stack = builder.carried(node.inputs.get("lora_stack")) or ()
    rows = [*stack, *manager_rows(node, builder)]
    return [*apply_rows(node, builder, model, clip, rows), None, None]


def manager_stacker(node: SourceNode, builder: Builder) -> Outputs:
    return [stacked(node, builder, manager_rows(node, builder)), None, None]


def trigger_words(node: SourceNode, builder: Builder) -> Outputs:
    """The words that are switched on, as they were when the graph was saved."""
    said = list(node.inputs.get("widgets_values") or ())
    said += [node.inputs.get("toggle_trigger_words"), node.inputs.get("orinalMessage")]
    for name in ("trigger_words", "group_mode", "default_active", "allow_strength_adjustment"):
        node.inputs.get(name)
    text = next((value for value in reversed(said) if isinstance(value, str)), "")
    for value in said:
        listed = value.get("__value__") if isinstance(value, Mapping) else value
        if isinstance(listed, list) and any(isinstance(word, Mapping) for word in listed):
            words = [word for word in listed if isinstance(word, Mapping)]
            text = ", ".join(str(word.get("text", "")) for word in words if word.get("active"))
            break
    if not text:
        builder.tell(node, "its words are not in the file: write them into the text")
    return [MappedOutput(Link(builder.add(node, "core.text", {"value": text}), "text"))]


def comfyroll_stack(node: SourceNode, builder: Builder) -> Outputs:
    columns = ("lora_name_{}", "model_weight_{}", "clip_weight_{}", "switch_{}")
    return [stacked(node, builder, numbered_rows(node, 3, *columns, on=_is_on)), None]


def _is_on(value: Any) -> bool:
    return bool(value == "On")


def efficient_stack(node: SourceNode, builder: Builder) -> Outputs:
    """As many rows as it says, with one weight each or, `advanced`, with two."""
    advanced = node.inputs.get("input_mode") == "advanced"
    count = min(int(builder.constant(node.inputs.get("lora_count", 0))), 50)
    columns = ("model_str_{}", "clip_str_{}") if advanced else ("lora_wt_{}", "lora_wt_{}")
    rows = list(numbered_rows(node, count, "lora_name_{}", *columns))
    for name in node.inputs:  # those beyond, and of the other mode
        if name.startswith(("lora_name_", "lora_wt_", "model_str_", "clip_str_")):
            node.inputs.get(name)
    return [stacked(node, builder, rows)]


def apply_stack(node: SourceNode, builder: Builder) -> Outputs | None:
    model, clip = node.inputs.get("model"), node.inputs.get("clip")
    rows = builder.carried(node.inputs.get("lora_stack"))
    if rows is None and isinstance(node.inputs.get("lora_stack"), Wire):
        builder.tell(node, "its stack comes from nothing that is known here")
        return None
    return [*apply_rows(node, builder, model, clip, rows or ()), None]


def comfyroll_lora(node: SourceNode, builder: Builder) -> Outputs:
    """One LoRA with a switch."""
    model, clip = node.inputs.get("model"), node.inputs.get("clip")
    row = AppliedLora(
        file_name(node.inputs.get("lora_name")),
        node.inputs.get("strength_model", 1.0),
        node.inputs.get("strength_clip", 1.0),
        _is_on(node.inputs.get("switch", "On")),
    )
    rows = [] if row.file in _NONE else [row]
    return [*apply_rows(node, builder, model, clip, rows), None]


def pysssss_lora(node: SourceNode, builder: Builder) -> Outputs:
    """The core loader with a picture beside the name, which is shown and means nothing."""
    node.inputs.get("prompt")
    return [*LORA(node, builder), None]


def pysssss_checkpoint(node: SourceNode, builder: Builder) -> Outputs:
    node.inputs.get("prompt")
    return [*CHECKPOINT(node, builder), None]


_STACK_COLUMNS = ", ".join(
    f"switch_{row}, lora_name_{row}, model_weight_{row}, clip_weight_{row}" for row in (1, 2, 3)
)
_STACKER_COLUMNS = ", ".join(
    f"lora_name_{row}, lora_wt_{row}, model_str_{row}, clip_str_{row}" for row in range(1, 51)
)

MAPPINGS: dict[str, NodeMapping] = {
    "Power Lora Loader (rgthree)": power_loader,
    "Lora Loader Stack (rgthree)": loader_stack,
    "Lora Loader (LoraManager)": manager_loader,
    "LoRA Text Loader (LoraManager)": manager_loader,
    "Lora Stacker (LoraManager)": manager_stacker,
    "TriggerWord Toggle (LoraManager)": trigger_words,
    "LoraLoader|pysssss": pysssss_lora,
    "CheckpointLoader|pysssss": pysssss_checkpoint,
    "CR Load LoRA": comfyroll_lora,
    "CR LoRA Stack": comfyroll_stack,
    "CR Apply LoRA Stack": apply_stack,
    "LoRA Stacker": efficient_stack,
}

_APPLIED = "MODEL, CLIP"
SIGNATURES: dict[str, Signature] = {
    # Their values have their names within, or are told apart by what they are.
    "Power Lora Loader (rgthree)": signature("model, clip", "", _APPLIED),
    "Lora Loader (LoraManager)": signature(
        "model, clip, lora_stack", "", f"{_APPLIED}, trigger_words, loaded_loras"
    ),
    "LoRA Text Loader (LoraManager)": signature(
        "model, lora_syntax, clip, lora_stack", "", f"{_APPLIED}, trigger_words, loaded_loras"
    ),
    "Lora Stacker (LoraManager)": signature(
        "lora_stack", "", "LORA_STACK, trigger_words, active_loras"
    ),
    "TriggerWord Toggle (LoraManager)": signature("trigger_words", "", "filtered_trigger_words"),
    "Lora Loader Stack (rgthree)": signature(
        "model, clip", ", ".join(f"lora_0{row}, strength_0{row}" for row in (1, 2, 3, 4)), _APPLIED
    ),
    "LoraLoader|pysssss": signature(
        "model, clip", "lora_name, strength_model, strength_clip, prompt", f"{_APPLIED}, example"
    ),
    "CheckpointLoader|pysssss": signature("", "ckpt_name, prompt", "MODEL, CLIP, VAE, example"),
    "CR Load LoRA": signature(
        "model, clip",
        "switch, lora_name, strength_model, strength_clip",
        f"{_APPLIED}, show_help",
    ),
    "CR LoRA Stack": signature("lora_stack", _STACK_COLUMNS, "LORA_STACK, show_help"),
    "CR Apply LoRA Stack": signature("model, clip, lora_stack", "", f"{_APPLIED}, show_help"),
    "LoRA Stacker": signature(
        "lora_stack", f"input_mode, lora_count, {_STACKER_COLUMNS}", "LORA_STACK"
    ),
}
