"""Nodes that hand on what they are given: contexts and pipes, switches, reroutes.

None has a node here. What an output of theirs leads to is what an input is wired to; what comes in
one wire as a bundle is taken out of it again by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature, signature
from ponystudio.graph.comfyui.mapping import Builder, Carried, MappedOutput, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire

# What comes out of such a node; None is nothing.
Handed = MappedOutput | Carried | None


@dataclass(frozen=True)
class Bundle:
    """What a context or a pipe holds, by name."""

    outputs: Mapping[str, MappedOutput | Carried]


def handed_on(node: SourceNode, builder: Builder, name: str) -> Handed:
    """Where an input's wire leads, or its plain value."""
    value = node.inputs.get(name)
    if not isinstance(value, Wire):
        return None if value is None else Carried(value)
    carried = builder.carried(value)
    return builder.output(value) if carried is None else Carried(carried)


def _is_off(handed: Handed, builder: Builder) -> bool:
    return isinstance(handed, MappedOutput) and builder.is_muted(handed)


def _opened(handed: Handed) -> Bundle | None:
    """The bundle that comes out; None where it is none, or of a node that is not known."""
    found = handed.value if isinstance(handed, Carried) else None
    return found if isinstance(found, Bundle) else None


@dataclass(frozen=True)
class Bundler:
    """Puts values into a bundle, takes them out of one, or both: `inputs` are the names of those
    that go in, theirs → that in the bundle; `base` is the input that brings a bundle, whose values
    those win over; `outputs` are the names of what comes out, in their order, "" for the bundle.
    One that has a `base` alone is not known without it."""

    outputs: tuple[str, ...]
    inputs: Mapping[str, str] = field(default_factory=dict)
    base: str = ""
    # Inputs that mean nothing to it.
    without: tuple[str, ...] = ()

    def __call__(self, node: SourceNode, builder: Builder) -> Outputs | None:
        values: dict[str, MappedOutput | Carried] = {}
        base = handed_on(node, builder, self.base) if self.base else None
        if base is not None:
            if (bundle := _opened(base)) is None:
                _say_unknown(node, builder, f"what {self.base} brings")
                return None
            values.update(bundle.outputs)
        elif not self.inputs:
            _say_unknown(node, builder, f"what {self.base} brings")
            return None
        for theirs, name in self.inputs.items():
            found = handed_on(node, builder, theirs)
            if found is not None and (name not in values or not _is_off(found, builder)):
                values[name] = found
        for name in self.without:
            node.inputs.get(name)
        whole = Carried(Bundle(values))
        return [values.get(name) if name else whole for name in self.outputs]


def _say_unknown(node: SourceNode, builder: Builder, what: str) -> None:
    builder.tell(node, f"{what} is known only when it runs")


@dataclass(frozen=True)
class ContextSwitch:
    """The first of several contexts that holds anything or, `merged`, the values of all, of which
    later ones win; beside it the values of these names."""

    names: tuple[str, ...]
    merged: bool = False

    def __call__(self, node: SourceNode, builder: Builder) -> Outputs | None:
        given = list(_given(node, builder, "ctx_"))
        bundles = [_opened(found) for found in (given if self.merged else given[:1])]
        known = [bundle for bundle in bundles if bundle]
        if len(known) < len(bundles):
            _say_unknown(node, builder, "what one of its contexts holds")
            return None
        values = dict(chain.from_iterable(bundle.outputs.items() for bundle in known))
        return [Carried(Bundle(values)), *(values.get(name) for name in self.names)]


def _numbered(node: SourceNode, start: str) -> list[str]:
    """The names of its inputs that begin so, by the number behind."""
    names = [name for name in node.inputs if name.startswith(start)]
    return sorted(names, key=lambda name: (len(name), name))


def _given(node: SourceNode, builder: Builder, start: str) -> Iterator[MappedOutput | Carried]:
    """What its numbered inputs bring that is neither nothing nor an empty bundle, when it runs."""
    for name in _numbered(node, start):
        found = handed_on(node, builder, name)
        bundle = _opened(found)
        if found is None or _is_off(found, builder) or (bundle and not bundle.outputs):
            continue
        yield found


def first_given(node: SourceNode, builder: Builder) -> Outputs:
    """The first of its inputs that brings anything."""
    given = list(_given(node, builder, "any_"))
    return given[:1]


@dataclass(frozen=True)
class Switch:
    """Hands on the inputs that its `selector` chooses, one for each output. Without a value it
    means the first choice; a value that is none of them means the last."""

    selector: str
    choices: Mapping[Any, tuple[str, ...]]

    def __call__(self, node: SourceNode, builder: Builder) -> Outputs | None:
        wanted = builder.constant(node.inputs.get(self.selector, next(iter(self.choices))))
        names = list(chain.from_iterable(self.choices.values()))
        found = {name: handed_on(node, builder, name) for name in names}
        if not isinstance(wanted, str | int | float):
            _say_unknown(node, builder, f"which of its inputs {self.selector} chooses")
            return None
        chosen = self.choices.get(wanted) or list(self.choices.values())[-1]
        return [found[name] for name in chosen]


def by_number(selector: str, start: str, first: int = 1) -> NodeMapping:
    """A switch that grows: with as many inputs as are wired, whose names begin alike. Beside what
    it hands on it gives the input's name and number."""

    def mapped(node: SourceNode, builder: Builder) -> Outputs | None:
        wanted = builder.constant(node.inputs.get(selector, first))
        found = {name: handed_on(node, builder, name) for name in _numbered(node, start)}
        node.inputs.get("sel_mode")  # whether it is chosen before a run or in it
        if isinstance(wanted, bool) or not isinstance(wanted, int):
            _say_unknown(node, builder, f"which of its inputs {selector} chooses")
            return None
        name = f"{start}{wanted}"
        if builder.is_used(node, 1):
            builder.tell(node, f"the label of {name} is taken for its name")
        return [found.get(name), Carried(name), Carried(wanted)]

    return mapped


def passed_on(*names: str) -> NodeMapping:
    """Each output is the input of that name."""

    def mapped(node: SourceNode, builder: Builder) -> Outputs:
        return [handed_on(node, builder, name) for name in names]

    return mapped


def only_wires(node: SourceNode, _: Builder) -> Outputs:
    """Use Everywhere, in the form that is run: what it wired is wired there."""
    for name in node.inputs:
        node.inputs.get(name)
    return []


def _same(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name for name in names}


def _either(*kinds: str, count: int = 2) -> Switch:
    """Comfyroll's: `Input` is a number, behind which the last is meant."""
    numbers = range(1, count + 1)
    return Switch("Input", {i: tuple(f"{kind}{i}" for kind in kinds) for i in numbers})


def _if(selector: str, yes: str, no: str) -> Switch:
    return Switch(selector, {True: (yes,), False: (no,)})


_CONTEXT = ("model", "clip", "vae", "positive", "negative", "latent", "images", "seed")
_BIG_CONTEXT = (
    *_CONTEXT,
    *("steps", "step_refiner", "cfg", "ckpt_name", "sampler", "scheduler"),
    *("clip_width", "clip_height", "text_pos_g", "text_pos_l", "text_neg_g", "text_neg_l"),
    *("mask", "control_net"),
)
_BASIC = ("model", "clip", "vae", "positive", "negative")
_DETECTORS = ("bbox_detector", "sam_model_opt", "segm_detector_opt", "detailer_hook")
_DETAILER = (*_BASIC, *_DETECTORS)
_DETAILER_IN = {**_same(_DETECTORS), "wildcard": "wildcard"}
_PICKERS = ("Select to add LoRA", "Select to add Wildcard")
_SDXL = tuple(
    f"{which}_{what}"
    for which in ("base", "refiner")
    for what in ("model", "clip", "positive", "negative")
)
_MODULE = ("model", "pos", "neg", "latent", "vae", "clip", "controlnet", "image", "seed")
_BUS = tuple(f"any{i}" for i in range(1, 5))
_CHANNELS = tuple(f"ch{i}" for i in range(1, 9))
_PICTURE = ("image", "width", "height", "upscale_factor")

MAPPINGS: dict[str, NodeMapping] = {
    # rgthree
    "Context (rgthree)": Bundler(("", *_CONTEXT), _same(_CONTEXT), "base_ctx"),
    "Context Big (rgthree)": Bundler(("", *_BIG_CONTEXT), _same(_BIG_CONTEXT), "base_ctx"),
    "Context Switch (rgthree)": ContextSwitch(_CONTEXT),
    "Context Switch Big (rgthree)": ContextSwitch(_BIG_CONTEXT),
    "Context Merge (rgthree)": ContextSwitch(_CONTEXT, merged=True),
    "Context Merge Big (rgthree)": ContextSwitch(_BIG_CONTEXT, merged=True),
    "Any Switch (rgthree)": first_given,
    # pysssss; in the editor's form it is gone with the other reroutes
    "ReroutePrimitive|pysssss": passed_on("value"),
    # Use Everywhere
    **dict.fromkeys(
        (
            *("Anything Everywhere", "Anything Everywhere?", "Anything Everywhere3"),
            "Prompts Everywhere",
        ),
        only_wires,
    ),
    # Impact
    "ToBasicPipe": Bundler(("",), _same(_BASIC)),
    "FromBasicPipe": Bundler(_BASIC, base="basic_pipe"),
    "FromBasicPipe_v2": Bundler(("", *_BASIC), base="basic_pipe"),
    "EditBasicPipe": Bundler(("",), _same(_BASIC), "basic_pipe"),
    "ToDetailerPipe": Bundler(("",), {**_same(_BASIC), **_DETAILER_IN}, without=_PICKERS),
    "FromDetailerPipe": Bundler(_DETAILER, base="detailer_pipe"),
    "FromDetailerPipe_v2": Bundler(("", *_DETAILER), base="detailer_pipe"),
    "BasicPipeToDetailerPipe": Bundler(("",), _DETAILER_IN, "basic_pipe", _PICKERS),
    "DetailerPipeToBasicPipe": Bundler(("",), base="detailer_pipe"),
    **dict.fromkeys(("ImpactSwitch", "LatentSwitch", "SEGSSwitch"), by_number("select", "input")),
    "ImpactConditionalBranch": _if("cond", "tt_value", "ff_value"),
    # Efficiency
    "Pack SDXL Tuple": Bundler(("",), _same(_SDXL)),
    "Unpack SDXL Tuple": Bundler(_SDXL, base="sdxl_tuple"),
    # Comfyroll
    "CR Image Input Switch": _either("image"),
    "CR Image Input Switch (4 way)": _either("image", count=4),
    "CR Latent Input Switch": _either("latent"),
    "CR Conditioning Input Switch": _either("conditioning"),
    "CR Clip Input Switch": _either("clip"),
    "CR Model Input Switch": _either("model"),
    "CR ControlNet Input Switch": _either("control_net"),
    "CR VAE Input Switch": _either("VAE"),
    "CR Text Input Switch": _either("text"),
    "CR Text Input Switch (4 way)": _either("text", count=4),
    "CR Switch Model and CLIP": _either("model", "clip"),
    "CR Pipe Switch": _either("pipe"),
    "CR Img2Img Process Switch": Switch(
        "Input", {"txt2img": ("txt2img",), "img2img": ("img2img",)}
    ),
    "CR Hires Fix Process Switch": Switch(
        "Input", {"latent_upscale": ("latent_upscale",), "image_upscale": ("image_upscale",)}
    ),
    "CR Batch Process Switch": Switch(
        "Input", {"image": ("image",), "image batch": ("image_batch",)}
    ),
    "CR Module Pipe Loader": Bundler(("",), _same(_MODULE)),
    "CR Module Input": Bundler(("", *_MODULE), base="pipe"),
    "CR Module Output": Bundler(("",), _same(_MODULE), "pipe"),
    "CR Image Pipe In": Bundler(("",), _same(_PICTURE)),
    "CR Image Pipe Edit": Bundler(("",), _same(_PICTURE), "pipe"),
    "CR Image Pipe Out": Bundler(("", *_PICTURE), base="pipe"),
    "CR Data Bus In": Bundler(("",), _same(_BUS), "pipe"),
    "CR Data Bus Out": Bundler(("", *_BUS), base="pipe"),
    "CR 8 Channel In": Bundler(("",), _same(_CHANNELS), "pipe"),
    "CR 8 Channel Out": Bundler(("", *_CHANNELS), base="pipe"),
    # Easy-Use, Crystools and the core's own
    "easy ifElse": _if("boolean", "on_true", "on_false"),
    "easy anythingIndexSwitch": by_number("index", "value", first=0),
    **{
        f"Switch {kind} [Crystools]": _if("boolean", "on_true", "on_false")
        for kind in ("any", "latent", "conditioning", "image", "mask", "string")
    },
    "ComfySwitchNode": _if("switch", "on_true", "on_false"),
}

_PICKED = "selected_value, selected_label, selected_index"
_WILDCARD = f"wildcard, {', '.join(_PICKERS)}"
SIGNATURES: dict[str, Signature] = {
    **{
        name: signature("input1", "select, sel_mode", _PICKED)
        for name in ("ImpactSwitch", "LatentSwitch", "SEGSSwitch")
    },
    "ImpactConditionalBranch": signature("tt_value, ff_value", "cond"),
    "ToDetailerPipe": signature("", _WILDCARD, "detailer_pipe"),
    "BasicPipeToDetailerPipe": signature("basic_pipe", _WILDCARD, "detailer_pipe"),
    **{
        name: signature("", "Input")
        for name in MAPPINGS
        if name.startswith("CR ") and "Switch" in name
    },
    "CR Module Pipe Loader": signature("", "seed+", "pipe"),
    "CR Module Output": signature("", "seed+", "pipe"),
    **{
        name: signature("", "width, height, upscale_factor", "pipe")
        for name in ("CR Image Pipe In", "CR Image Pipe Edit")
    },
    "easy ifElse": signature("on_true, on_false", "boolean"),
    "easy anythingIndexSwitch": signature("", "index"),
    **{name: signature("", "boolean") for name in MAPPINGS if name.endswith("[Crystools]")},
    "ComfySwitchNode": signature("on_false, on_true", "switch", "output"),
}
