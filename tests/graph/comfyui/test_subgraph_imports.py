"""Subgraphs and group nodes of ComfyUI's, whose values are promoted in many ways, written out."""

from __future__ import annotations

import pytest

from helpers.foreign_graphs import UUID, api, sections, subgraph, ui, workflow, written_out
from ponystudio.graph.comfyui.importer import import_document


def clips(id=11, name="l.safetensors"):
    return ui(id, "CLIPLoader", [name, "sdxl"], outs="CLIP")


def decode():
    return ui(8, "VAEDecode", ins="samples:LATENT")


def words(**more):
    return ui(
        5, "CLIPTextEncode", ["inside"], ins="clip:CLIP text:STRING=", outs="CONDITIONING", **more
    )


def inner():
    """A prompt and a sampler, of which the text and the text encoder come from outside."""
    return subgraph(
        words(),
        ui(12, "KSampler", [1, "fixed", 20], ins="positive:CONDITIONING", outs="LATENT"),
        wires="-10.0>5.1 -10.1>5.0 5.0>12.0 12.0>-20.0",
        ins="text:STRING clip:CLIP",
        outs="latent:LATENT",
    )


def seeded():
    """The same with its seed from outside."""
    return subgraph(
        words(),
        ui(12, "KSampler", [1, "fixed", 20], ins="positive:CONDITIONING seed:INT=", outs="LATENT"),
        wires="-10.0>5.1 -10.2>5.0 5.0>12.0 -10.1>12.1 12.0>-20.0",
        ins="text:STRING seed:INT clip:CLIP",
        outs="latent:LATENT",
    )


PROXIES = [["-1", "text"], ["12", "seed"], ["12", "control_after_generate"]]
PORTS = "text:STRING clip:CLIP"


def placed(values, proxies=None, *, ins=PORTS, wires="11.0>7.1 7.0>8.0", of=None, **more):
    """An instance between a loader and a decoder."""
    properties = {} if proxies is None else {"proxyWidgets": proxies}
    properties |= more.pop("properties", {})
    return workflow(
        ui(7, UUID.format(1), values, ins=ins, outs="LATENT", properties=properties, **more),
        clips(),
        decode(),
        wires=wires,
        definitions={"subgraphs": [of or inner()]},
    )


def nested(values, proxies, *, inside=None, within=False):
    """A subgraph in a subgraph, whose inputs stand in another order."""
    instance = ui(3, UUID.format(1), ins=PORTS, outs="LATENT", properties=inside or {})
    outer = subgraph(
        instance,
        wires="-10.1>3.0 -10.0>3.1 3.0>-20.0",
        ins="clip:CLIP words:STRING",
        outs="latent:LATENT",
        id=2,
    )
    every = [{**outer, "definitions": {"subgraphs": [inner()]}}] if within else [inner(), outer]
    return workflow(
        ui(7, UUID.format(2), values, ins="words:STRING clip:CLIP", outs="LATENT",
           properties={"proxyWidgets": proxies}),
        clips(),
        decode(),
        wires="11.0>7.1 7.0>8.0",
        definitions={"subgraphs": every},
    )  # fmt: skip


def passing(mode):
    """An instance that a latent goes through."""
    scale = ui(2, "LatentUpscaleBy", ["bilinear", 2.0], ins="samples:LATENT", outs="LATENT")
    definition = subgraph(
        scale, wires="-10.0>2.0 2.0>-20.0", ins="latent:LATENT", outs="latent:LATENT"
    )
    return workflow(
        ui(1, "EmptyLatentImage", [64, 64, 1], outs="LATENT"),
        ui(7, UUID.format(1), ins="latent:LATENT", outs="LATENT", mode=mode),
        decode(),
        wires="1.0>7.0 7.0>8.0",
        definitions={"subgraphs": [definition]},
    )


def named(*, also_inside):
    """A name that is set outside, and got inside, where it may be set as well."""
    nodes = [
        ui(1, "GetNode", ["clips"], outs="CLIP"),
        ui(5, "CLIPTextEncode", ["x"], ins="clip:CLIP", outs="CONDITIONING"),
    ]
    wires = "1.0>5.0 5.0>-20.0"
    if also_inside:
        nodes += [ui(20, "SetNode", ["clips"], ins="CLIP:CLIP"), clips(21, "own.safetensors")]
        wires += " 21.0>20.0"
    return workflow(
        ui(20, "SetNode", ["clips"], ins="CLIP:CLIP"),
        clips(),
        ui(7, UUID.format(1), outs="CONDITIONING"),
        ui(8, "ConditioningZeroOut", ins="conditioning:CONDITIONING"),
        wires="11.0>20.0 7.0>8.0",
        definitions={"subgraphs": [subgraph(*nodes, wires=wires, outs="c:CONDITIONING")]},
    )


def grouped(type, **config):
    """A group node whose reroute, threshold and composite take what comes from outside."""
    group = {
        "nodes": [
            ui(0, "EmptyImage", [512, 512, 1, 255], outs="IMAGE"),
            ui(1, "Reroute", ins=":*", outs="*"),
            ui(2, "ThresholdMask", [0.5], ins="mask:MASK", outs="MASK"),
            ui(3, "ImageCompositeMasked", [0, 0, True],
               ins="destination:IMAGE source:IMAGE mask:MASK", outs="IMAGE"),
        ],
        "links": [
            [None, 1, 1, 0, 50, "MASK"],
            [1, 0, 2, 0, 66, "MASK"],
            [None, 0, 3, 0, 50, "IMAGE"],
            [0, 0, 3, 1, 62, "IMAGE"],
            [2, 0, 3, 2, 64, "MASK"],
        ],
        "external": [],
        "config": config,
    }  # fmt: skip
    shown = "picture" if config else "destination"
    return workflow(
        ui(50, "LoadImage", ["a.png", "image"], outs="IMAGE MASK"),
        ui(68, type, [256, 128, 1, 16777215, 0.25, 8, 16, False],
           ins=f"MASK:MASK {shown}:IMAGE", outs="IMAGE"),
        ui(9, "SaveImage", ["x"], ins="images:IMAGE"),
        wires="50.1>68.0 50.0>68.1 68.0>9.0",
        extra={"groupNodes": {"Hole": group}},
    )  # fmt: skip


SHARED = {
    "nodes": [
        ui(0, "Reroute", ins=":*", outs="MODEL"),
        ui(1, "KSampler", [1, "fixed", 20], ins="model:MODEL", outs="LATENT"),
        ui(2, "KSampler", [2, "fixed", 30], ins="model:MODEL latent_image:LATENT", outs="LATENT"),
    ],
    "links": [
        [None, 0, 0, 0, 4, "MODEL"],
        [0, 0, 1, 0, 9, "MODEL"],
        [0, 0, 2, 0, 9, "MODEL"],
        [1, 0, 2, 1, 8, "LATENT"],
    ],
    "external": [],
    "config": {},
}
ALIKE = {
    "nodes": [
        ui(0, "CLIPTextEncode", ["a"], ins="clip:CLIP", outs="CONDITIONING"),
        ui(1, "CLIPTextEncode", ["b"], ins="clip:CLIP", outs="CONDITIONING", title="Negative"),
    ],
    "links": [],
    "external": [],
    "config": {},
}
OUTWARD = {
    "nodes": [
        ui(0, "EmptyLatentImage", [64, 64, 1], outs="LATENT"),
        ui(1, "KSampler", [1, "fixed"], ins="latent_image:LATENT", outs="LATENT"),
    ],
    "links": [[0, 0, 1, 0, 1, "LATENT"]],
    "external": [[{"index": 0}, 0, "LATENT"]],
    "config": {},
}

CASES = {
    "as many values as proxies": placed(["a pony", 7, "fixed"], PROXIES),
    "as many values as proxies, of which null is the inner one": placed([None, 7, None], PROXIES),
    "as many values as inputs among the proxies": placed(["a pony"], PROXIES),
    "no values: the inner ones hold": placed([], PROXIES),
    "no proxies and no values": placed([]),
    "inputs with a widget alone": placed(["a pony"], ins="text:STRING= clip:CLIP"),
    "inputs with a widget alone, one of which is a seed": placed(
        ["a pony", 3, "randomize"],
        ins="text:STRING= seed:INT= clip:CLIP",
        wires="11.0>7.2 7.0>8.0",
        of=seeded(),
    ),
    "named values": placed([], PROXIES, widgets_values_named={"text": "named", "12: seed": 9}),
    "names with the ids of their nodes": placed(
        ["a pony", 7], [["-1", "5: text"], ["12", "12: seed"]]
    ),
    "a proxy that names nothing": placed(["a pony", 7], [["-1", "text"], ["99", "nothing"]]),
    "proxies as a text, one of them told apart": placed(
        ["a pony", 7], '[["-1", "text"], ["12", "seed", "of two"]]'
    ),
    "a quarantine": placed(
        ["a pony"],
        PROXIES,
        properties={
            "proxyWidgetErrorQuarantine": [{"originalEntry": ["99", "x"], "hostValue": 3}],
            "previewExposures": [],
        },
    ),
    "inputs in another order": placed(
        ["a pony"], PROXIES, ins="clip:CLIP text:STRING", wires="11.0>7.0 7.0>8.0"
    ),
    "a wire wins over a promoted value": workflow(
        ui(7, UUID.format(1), ["unused", 7, "fixed"], ins=PORTS, outs="LATENT",
           properties={"proxyWidgets": PROXIES}),
        ui(1, "PrimitiveNode", ["from outside"], outs="STRING"),
        decode(),
        wires="1.0>7.0 7.0>8.0",
        definitions={"subgraphs": [inner()]},
    ),
    "one twice": workflow(
        ui(1, UUID.format(1), ["one"], ins=PORTS, outs="LATENT",
           properties={"proxyWidgets": PROXIES}),
        ui(2, UUID.format(1), ["two"], ins=PORTS, outs="LATENT",
           properties={"proxyWidgets": PROXIES}),
        ui(3, "LatentAdd", ins="samples1:LATENT samples2:LATENT"),
        wires="1.0>3.0 2.0>3.1",
        definitions={"subgraphs": [inner()]},
    ),
    "one in another": nested(["deep"], [["-1", "words"]]),
    "one in another, defined within": nested(["deep"], [["-1", "words"]], within=True),
    "a value promoted through two": nested(
        [5], [["3", "12: seed"]], inside={"proxyWidgets": [["12", "seed"]]}
    ),
    "muted": placed(["a pony"], PROXIES, mode=2),
    "bypassed": placed(["a pony"], PROXIES, mode=4),
    "muted, in the way of a latent": passing(2),
    "bypassed, in the way of a latent": passing(4),
    "a name that is set outside": named(also_inside=False),
    "a name that is set outside and inside": named(also_inside=True),
    "a group": grouped("workflow/Hole"),
    "a group in the other spelling": grouped("workflow>Hole"),
    "a group with hidden values and other names": grouped(
        "workflow>Hole",
        **{
            "0": {"input": {"width": {"visible": False}}},
            "3": {"input": {"destination": {"name": "picture"}, "x": {"visible": False}}},
        },
    ),
    "a group with a reroute for two": workflow(
        ui(4, "CheckpointLoaderSimple", ["a"], outs="MODEL CLIP VAE"),
        ui(10, "workflow>Two", [7, "randomize", 21, 8, "randomize", 31], ins="MODEL:MODEL",
           outs="LATENT"),
        decode(),
        wires="4.0>10.0 10.0>8.0",
        extra={"groupNodes": {"Two": SHARED}},
    ),
    "a group with two inputs of one name": workflow(
        clips(1, "one"),
        clips(2, "two"),
        ui(10, "workflow>Both", ["x", "y"], ins="clip:CLIP Negative~clip:CLIP",
           outs="CONDITIONING CONDITIONING"),
        ui(3, "ConditioningCombine", ins="conditioning_1:CONDITIONING conditioning_2:CONDITIONING"),
        wires="1.0>10.0 2.0>10.1 10.0>3.0 10.1>3.1",
        extra={"groupNodes": {"Both": ALIKE}},
    ),
    "a group with an output that is used inside as well": workflow(
        ui(10, "workflow>Out", [32, 32, 2, 5, "fixed"], outs="LATENT LATENT"),
        ui(1, "LatentAdd", ins="samples1:LATENT samples2:LATENT"),
        wires="10.0>1.0 10.1>1.1",
        extra={"groupNodes": {"Out": OUTWARD}},
    ),
    "a group as it is run": api(
        **{
            "n50": ("LoadImage", {"image": "a.png"}),
            "n68:0": (
                "EmptyImage", {"width": 256, "height": 128, "batch_size": 1, "color": 16777215}
            ),
            "n68:2": ("ThresholdMask", {"value": 0.25, "mask": "@50.1"}),
            "n68:3": (
                "ImageCompositeMasked",
                {"x": 8, "y": 16, "resize_source": False, "destination": "@50.0",
                 "source": "@68:0.0", "mask": "@68:2.0"},
            ),
            "n9": ("SaveImage", {"filename_prefix": "x", "images": "@68:3.0"}),
        }
    ),
}  # fmt: skip

WRITTEN_OUT = sections("""
## as many values as proxies
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=7 steps=20 positive<encode_prompt_7_5.conditioning
## as many values as proxies, of which null is the inner one
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='inside'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=7 steps=20 positive<encode_prompt_7_5.conditioning
## as many values as inputs among the proxies
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=1 steps=20 positive<encode_prompt_7_5.conditioning
## no values: the inner ones hold
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='inside'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=1 steps=20 positive<encode_prompt_7_5.conditioning
## no proxies and no values
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='inside'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=1 steps=20 positive<encode_prompt_7_5.conditioning
## inputs with a widget alone
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=1 steps=20 positive<encode_prompt_7_5.conditioning
## inputs with a widget alone, one of which is a seed
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=3 steps=20 positive<encode_prompt_7_5.conditioning
## named values
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='named'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=9 steps=20 positive<encode_prompt_7_5.conditioning
## names with the ids of their nodes
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=7 steps=20 positive<encode_prompt_7_5.conditioning
## a proxy that names nothing
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=1 steps=20 positive<encode_prompt_7_5.conditioning
## proxies as a text, one of them told apart
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=7 steps=20 positive<encode_prompt_7_5.conditioning
## a quarantine
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=1 steps=20 positive<encode_prompt_7_5.conditioning
## inputs in another order
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample seed=1 steps=20 positive<encode_prompt_7_5.conditioning
## a wire wins over a promoted value
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt dialect='comfyui' empty='encode' text='from outside'
sample_7_12: core.sample seed=7 steps=20 positive<encode_prompt_7_5.conditioning
## one twice
add_latents_3: core.add_latents latent<sample_1_12.latent other<sample_2_12.latent
encode_prompt_1_5: core.encode_prompt dialect='comfyui' empty='encode' text='one'
encode_prompt_2_5: core.encode_prompt dialect='comfyui' empty='encode' text='two'
sample_1_12: core.sample seed=1 steps=20 positive<encode_prompt_1_5.conditioning
sample_2_12: core.sample seed=1 steps=20 positive<encode_prompt_2_5.conditioning
## one in another
decode_latent_8: core.decode_latent latent<sample_7_3_12.latent
encode_prompt_7_3_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='deep'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_3_12: core.sample seed=1 steps=20 positive<encode_prompt_7_3_5.conditioning
## one in another, defined within
decode_latent_8: core.decode_latent latent<sample_7_3_12.latent
encode_prompt_7_3_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='deep'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_3_12: core.sample seed=1 steps=20 positive<encode_prompt_7_3_5.conditioning
## a value promoted through two
decode_latent_8: core.decode_latent latent<sample_7_3_12.latent
encode_prompt_7_3_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode'
    text='inside' clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_3_12: core.sample seed=5 steps=20 positive<encode_prompt_7_3_5.conditioning
## muted
decode_latent_8: core.decode_latent latent<sample_7_12.latent
encode_prompt_7_5: core.encode_prompt muted clip_skip=0 dialect='comfyui' empty='encode' text='a
    pony' clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample muted seed=1 steps=20 positive<encode_prompt_7_5.conditioning
## bypassed
decode_latent_8: core.decode_latent
encode_prompt_7_5: core.encode_prompt bypassed clip_skip=0 dialect='comfyui' empty='encode'
    text='a pony' clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
sample_7_12: core.sample bypassed seed=1 steps=20 positive<encode_prompt_7_5.conditioning
## muted, in the way of a latent
decode_latent_8: core.decode_latent latent<scale_latent_by_7_2.latent
empty_latent_1: core.empty_latent batch=1 height=64 width=64
scale_latent_by_7_2: core.scale_latent_by muted factor=2.0 method='bilinear'
    latent<empty_latent_1.latent
## bypassed, in the way of a latent
decode_latent_8: core.decode_latent latent<empty_latent_1.latent
empty_latent_1: core.empty_latent batch=1 height=64 width=64
scale_latent_by_7_2: core.scale_latent_by bypassed factor=2.0 method='bilinear'
    latent<empty_latent_1.latent
## a name that is set outside
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_clip_11.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
zero_prompt_8: core.zero_prompt conditioning<encode_prompt_7_5.conditioning
## a name that is set outside and inside
encode_prompt_7_5: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_clip_7_21.clip
load_clip_11: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}]
load_clip_7_21: core.load_clip family='sdxl' files=[{'file': 'own.safetensors', 'on': True}]
zero_prompt_8: core.zero_prompt conditioning<encode_prompt_7_5.conditioning
## a group
composite_image_68_3: core.composite_image resize=False x=8 y=16 image<load_image_50.image
    mask<threshold_mask_68_2.mask source<empty_image_68_0.image
empty_image_68_0: core.empty_image batch=1 colour='#ffffff' height=128 width=256
invert_mask_50_mask: core.invert_mask mask<load_image_50.mask
load_image_50: core.load_image file='a.png'
save_image_9: core.save_image prefix='x' image<composite_image_68_3.image
threshold_mask_68_2: core.threshold_mask value=0.25 mask<invert_mask_50_mask.mask
## a group in the other spelling
composite_image_68_3: core.composite_image resize=False x=8 y=16 image<load_image_50.image
    mask<threshold_mask_68_2.mask source<empty_image_68_0.image
empty_image_68_0: core.empty_image batch=1 colour='#ffffff' height=128 width=256
invert_mask_50_mask: core.invert_mask mask<load_image_50.mask
load_image_50: core.load_image file='a.png'
save_image_9: core.save_image prefix='x' image<composite_image_68_3.image
threshold_mask_68_2: core.threshold_mask value=0.25 mask<invert_mask_50_mask.mask
## a group with hidden values and other names
composite_image_68_3: core.composite_image resize=False x=8 y=16 image<load_image_50.image
    mask<threshold_mask_68_2.mask source<empty_image_68_0.image
empty_image_68_0: core.empty_image batch=1 colour='#ffffff' height=128 width=256
invert_mask_50_mask: core.invert_mask mask<load_image_50.mask
load_image_50: core.load_image file='a.png'
save_image_9: core.save_image prefix='x' image<composite_image_68_3.image
threshold_mask_68_2: core.threshold_mask value=0.25 mask<invert_mask_50_mask.mask
## a group with a reroute for two
decode_latent_8: core.decode_latent latent<sample_10_2.latent
load_checkpoint_4: core.load_checkpoint file='a'
sample_10_1: core.sample seed=7 steps=21 model<load_checkpoint_4.model
sample_10_2: core.sample seed=8 steps=31 latent<sample_10_1.latent model<load_checkpoint_4.model
## a group with two inputs of one name
combine_prompts_3: core.combine_prompts first<encode_prompt_10_0.conditioning
    second<encode_prompt_10_1.conditioning
encode_prompt_10_0: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_clip_1.clip
encode_prompt_10_1: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='y'
    clip<load_clip_2.clip
load_clip_1: core.load_clip family='sdxl' files=[{'file': 'one', 'on': True}]
load_clip_2: core.load_clip family='sdxl' files=[{'file': 'two', 'on': True}]
## a group with an output that is used inside as well
add_latents_1: core.add_latents latent<empty_latent_10_0.latent other<sample_10_1.latent
empty_latent_10_0: core.empty_latent batch=2 height=32 width=32
sample_10_1: core.sample seed=5 latent<empty_latent_10_0.latent
## a group as it is run
composite_image_68_3: core.composite_image resize=False x=8 y=16 image<load_image_50.image
    mask<threshold_mask_68_2.mask source<empty_image_68_0.image
empty_image_68_0: core.empty_image batch=1 colour='#ffffff' height=128 width=256
invert_mask_50_mask: core.invert_mask mask<load_image_50.mask
load_image_50: core.load_image file='a.png'
save_image_9: core.save_image prefix='x' image<composite_image_68_3.image
threshold_mask_68_2: core.threshold_mask value=0.25 mask<invert_mask_50_mask.mask
""")


@pytest.mark.parametrize("name", CASES)
def test_what_is_inside_comes_to(name):
    assert written_out(CASES[name]) == WRITTEN_OUT[name]


def test_a_group_is_the_same_in_both_forms():
    assert WRITTEN_OUT["a group as it is run"] == WRITTEN_OUT["a group"]


def test_what_an_instance_says_beyond_its_values_is_kept():
    document = CASES["a quarantine"]
    kept = import_document(document).graph.extra["comfyui"]["workflow"]["nodes"][0]["properties"]
    assert kept == document["nodes"][0]["properties"]
