"""Nodes that only wire others, and the graphs in which they are gone."""

from __future__ import annotations

import json
from random import Random

import pytest

from helpers.foreign_graphs import (
    UUID,
    api,
    mutate,
    sections,
    subgraph,
    ui,
    workflow,
    written_out,
)
from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.importer import import_document, is_comfyui

LOADER = ("CheckpointLoaderSimple", {"ckpt_name": "a.safetensors"})
OTHER = ("CheckpointLoaderSimple", {"ckpt_name": "b.safetensors"})
SMALL = ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1})
LARGE = ("EmptyLatentImage", {"width": 128, "height": 64, "batch_size": 1})
PORTS = "model:MODEL positive:CONDITIONING negative:CONDITIONING latent_image:LATENT"


def loader(id=4, name="a.safetensors", **more):
    return ui(id, "CheckpointLoaderSimple", [name], outs="MODEL CLIP VAE", **more)


def sampler(id=3, **more):
    return ui(id, "KSampler", [7, "fixed", 20], ins=PORTS, outs="LATENT", **more)


def decode(id=8, **more):
    return ui(id, "VAEDecode", ins="samples:LATENT vae:VAE", outs="IMAGE", **more)


def words(id, text):
    return ui(id, "CLIPTextEncode", [text], ins="clip:CLIP", outs="CONDITIONING")


def everywhere(id, ins="anything:*", type="Anything Everywhere", values=None, **rules):
    properties = {"ue_properties": {"version": "7.1", **rules}} if rules else {}
    return ui(id, type, values, ins=ins, properties=properties)


def placed(node, x, y=0):
    return {**node, "pos": [x, y], "size": [10, 10]}


def in_groups(**rules):
    """A sender and a sampler on the left, another on the right."""
    return workflow(
        placed(loader(), 500),
        placed(everywhere(30, **rules), 10),
        placed(sampler(), 20, 20),
        placed(sampler(6), 220),
        wires="4.0>30.0",
        groups=[
            {"title": "Left", "bounding": [0, 0, 100, 100]},
            {"title": "Right", "bounding": [200, 0, 100, 100]},
        ],
    )


def two_prompts(*sent, **more):
    return workflow(
        words(6, "good"), words(7, "bad"), *sent, sampler(), wires="6.0>30.0 7.0>30.1", **more
    )


def connectable(names):
    return {"ue_properties": {"widget_ue_connectable": names}}


CONTEXT = (
    "base_ctx:RGTHREE_CONTEXT model:MODEL clip:CLIP vae:VAE positive:CONDITIONING "
    "negative:CONDITIONING latent:LATENT images:IMAGE seed:INT"
)
GIVEN = "CONTEXT MODEL CLIP VAE POSITIVE NEGATIVE LATENT IMAGE SEED"
PIPED = {
    "n1": LOADER,
    "n6": ("CLIPTextEncode", {"text": "good", "clip": "@1.1"}),
    "n7": ("CLIPTextEncode", {"text": "bad", "clip": "@1.1"}),
    "n10": (
        "ToBasicPipe",
        {"model": "@1.0", "clip": "@1.1", "vae": "@1.2", "positive": "@6.0", "negative": "@7.0"},
    ),
    "n3": ("KSampler", {"model": "@11.0", "positive": "@11.3", "negative": "@11.4"}),
}


def chosen(type, inputs, **more):
    """One of two latents, chosen by a node of this type."""
    return api(
        n1=SMALL,
        n2=LARGE,
        n10=(type, inputs),
        n3=("KSampler", {"latent_image": "@10.0"}),
        **more,
    )


CASES = {
    # KJNodes, Easy-Use, reroutes
    "a name set and got": workflow(
        loader(),
        ui(20, "SetNode", ["the model"], ins="MODEL:MODEL", outs="*"),
        ui(21, "GetNode", ["the model"], outs="MODEL"),
        sampler(),
        wires="4.0>20.0 21.0>3.0",
    ),
    "a name set, and handed on": workflow(
        loader(),
        ui(20, "SetNode", ["m"], ins="MODEL:MODEL", outs="MODEL"),
        sampler(),
        wires="4.0>20.0 20.0>3.0",
    ),
    "a name of Easy-Use": workflow(
        loader(),
        ui(20, "easy setNode", ["m"], ins="MODEL:MODEL"),
        ui(21, "easy getNode", ["m"], outs="MODEL"),
        sampler(),
        wires="4.0>20.0 21.0>3.0",
    ),
    "a name set to another": workflow(
        loader(),
        ui(20, "SetNode", ["a"], ins="MODEL:MODEL"),
        ui(21, "GetNode", ["a"], outs="MODEL"),
        ui(22, "SetNode", ["b"], ins="MODEL:MODEL"),
        ui(23, "GetNode", ["b"], outs="MODEL"),
        sampler(),
        wires="4.0>20.0 21.0>22.0 23.0>3.0",
    ),
    "a name that is never set": workflow(
        ui(21, "GetNode", ["lost"], outs="MODEL"), sampler(), wires="21.0>3.0"
    ),
    "names in a circle": workflow(
        ui(20, "SetNode", ["a"], ins="MODEL:MODEL"),
        ui(21, "GetNode", ["a"], outs="MODEL"),
        sampler(),
        wires="21.0>20.0 21.0>3.0",
    ),
    "reroutes": workflow(
        loader(),
        ui(20, "Reroute", ins=":*", outs="*"),
        ui(21, "Reroute (rgthree)", ins=":*", outs="*"),
        ui(22, "ReroutePrimitive|pysssss", ins="value:*", outs="*"),
        sampler(),
        wires="4.0>20.0 20.0>21.0 21.0>22.0 22.0>3.0",
    ),
    "a reroute that is run": api(
        n4=LOADER,
        n5=("ReroutePrimitive|pysssss", {"value": "@4.0"}),
        n3=("KSampler", {"model": "@5.0"}),
    ),
    # Use Everywhere
    "everywhere: the links that were saved, and no others": workflow(
        loader(),
        everywhere(30),
        sampler(),
        decode(),
        decode(9),
        wires="4.2>30.0 3.0>8.0",
        extra={
            "ue_links": [
                {"downstream": 8, "downstream_slot": 1, "upstream": "4", "upstream_slot": 2,
                 "controller": 30, "type": "VAE"}
            ],
            "links_added_by_ue": [99],
        },
    ),
    "everywhere: by type": workflow(
        loader(),
        everywhere(30, "anything:VAE anything2:MODEL"),
        sampler(),
        decode(),
        decode(9),
        wires="4.2>30.0 4.0>30.1 3.0>8.0",
    ),
    "everywhere: three, whose types are those of what comes in": workflow(
        loader(),
        everywhere(30, "anything:* anything2:* anything3:*", "Anything Everywhere3"),
        words(6, "x"),
        sampler(),
        decode(),
        wires="4.2>30.0 4.0>30.1 4.1>30.2 3.0>8.0 6.0>3.1",
    ),
    "everywhere: prompts": two_prompts(
        everywhere(30, "c:CONDITIONING c2:CONDITIONING", "Prompts Everywhere")
    ),
    "everywhere: seeds": workflow(
        ui(30, "Seed Everywhere", [11, "fixed"], outs="INT"),
        ui(3, "KSampler", [7, "fixed", 20], ins="seed:INT= steps:INT="),
        ui(5, "RandomNoise", [3, "fixed"], ins="noise_seed:INT"),
    ),
    "everywhere: a pattern of titles, as before version 7": workflow(
        loader(),
        loader(5, "b.safetensors"),
        ui(30, "Anything Everywhere?", ["^Second", ".*", ".*"], ins="anything:*"),
        everywhere(31),
        sampler(title="First"),
        sampler(6, title="Second pass"),
        wires="5.0>30.0 4.0>31.0",
    ),
    "everywhere: all but a pattern of inputs": workflow(
        words(6, "x"),
        everywhere(30, input_regex="^neg", input_regex_invert=True),
        sampler(),
        wires="6.0>30.0",
    ),
    "everywhere: the higher priority wins": workflow(
        loader(),
        loader(5, "b.safetensors"),
        everywhere(30),
        everywhere(31, priority=50),
        sampler(),
        wires="4.0>30.0 5.0>31.0",
    ),
    "everywhere: of two alike none wins": workflow(
        loader(),
        loader(5, "b.safetensors"),
        everywhere(30),
        everywhere(31),
        sampler(),
        wires="4.0>30.0 5.0>31.0",
    ),
    "everywhere: its own group": in_groups(group_restricted=1),
    "everywhere: all other groups": in_groups(group_restricted=2),
    "everywhere: groups by a pattern": in_groups(group_regex="^R"),
    "everywhere: its own colour": workflow(
        loader(),
        {**everywhere(30, color_restricted=1), "color": "#223"},
        sampler(color="#223"),
        sampler(6),
        wires="4.0>30.0",
    ),
    "everywhere: values that may be sent": workflow(
        ui(4, "PrimitiveInt", [9], outs="INT"),
        everywhere(30),
        ui(3, "KSampler", [7, "fixed", 20], ins="steps:INT=",
           properties=connectable({"steps": True})),
        ui(5, "KSampler", [8, "fixed", 30], ins="steps:INT=", properties=connectable({})),
        wires="4.0>30.0",
        extra={"frontendVersion": "1.25.3"},
    ),
    "everywhere: inputs that refuse": workflow(
        loader(),
        everywhere(30),
        sampler(properties={"ue_properties": {"input_ue_unconnectable": {"model": True}}}),
        sampler(5, properties={"rejects_ue_links": True}),
        wires="4.0>30.0",
    ),
    "everywhere: two of a type by their names": two_prompts(
        everywhere(30, "positive:* negative:*", version="7.1")
    ),
    "everywhere: a bypassed one sends nothing": workflow(
        loader(), {**everywhere(30), "mode": 4}, sampler(), wires="4.0>30.0"
    ),
    "everywhere: to inputs of any type": workflow(
        loader(),
        everywhere(30, send_to_any=True),
        ui(3, "Odd", ins="x:* y:MODEL z:CLIP"),
        wires="4.0>30.0",
    ),
    "everywhere: a pattern that would take for ever": workflow(
        loader(),
        everywhere(30, title_regex="(a+)+$"),
        sampler(title="a" * 60),
        wires="4.0>30.0",
    ),
    "everywhere: in a subgraph": workflow(
        loader(),
        ui(7, UUID.format(1), ins="m:MODEL", outs="LATENT"),
        decode(),
        wires="4.0>7.0 7.0>8.0",
        definitions={
            "subgraphs": [
                subgraph(everywhere(30, "anything:MODEL"), sampler(),
                         wires="-10.0>30.0 3.0>-20.0", ins="m:MODEL", outs="latent:LATENT")
            ]
        },
    ),
    "everywhere: a subgraph that sends": workflow(
        ui(7, UUID.format(1), outs="MODEL",
           properties={"ue_convert": True, "ue_properties": {"version": "7.2"}}),
        sampler(),
        definitions={"subgraphs": [subgraph(loader(), wires="4.0>-20.0", outs="m:MODEL")]},
    ),
    "everywhere: as it is run": api(
        n4=LOADER,
        n30=("Anything Everywhere3", {"MODEL": "@4.0", "CLIP": "@4.1"}),
        n3=("KSampler", {"model": "@4.0"}),
    ),
    # rgthree
    "context: a chain": workflow(
        loader(),
        ui(10, "Context (rgthree)", ins=CONTEXT, outs=GIVEN),
        ui(11, "Context (rgthree)", ins=CONTEXT, outs=GIVEN),
        words(6, "x"),
        sampler(),
        decode(),
        wires="4.0>10.1 4.1>10.2 4.2>10.3 10.0>11.0 10.2>6.0 6.0>11.4 11.1>3.0 11.4>3.1 "
        "3.0>8.0 11.3>8.1",
    ),
    "context: what is wired wins over what it is based on": api(
        n1=LOADER,
        n2=OTHER,
        n10=("Context (rgthree)", {"model": "@1.0", "clip": "@1.1"}),
        n11=("Context (rgthree)", {"base_ctx": "@10.0", "model": "@2.0"}),
        n3=("KSampler", {"model": "@11.1"}),
        n6=("CLIPTextEncode", {"text": "x", "clip": "@11.2"}),
    ),
    "context: what is muted does not": workflow(
        loader(),
        loader(5, "b.safetensors", mode=2),
        ui(10, "Context (rgthree)", ins=CONTEXT, outs=GIVEN),
        ui(11, "Context (rgthree)", ins=CONTEXT, outs=GIVEN),
        sampler(),
        wires="4.0>10.1 10.0>11.0 5.0>11.1 11.1>3.0",
    ),
    "context: values, and those that a smaller one hands on": api(
        n1=LOADER,
        n10=(
            "Context Big (rgthree)",
            {"model": "@1.0", "steps": 20, "cfg": 6.5, "sampler": "euler", "scheduler": "karras"},
        ),
        n11=("Context (rgthree)", {"base_ctx": "@10.0", "seed": 5}),
        n12=("Context Big (rgthree)", {"base_ctx": "@11.0"}),
        n3=(
            "KSampler",
            {"model": "@12.1", "seed": "@12.8", "steps": "@12.9", "cfg": "@12.11",
             "sampler_name": "@12.13", "scheduler": "@12.14"},
        ),
    ),
    "context: the value of a primitive": workflow(
        ui(9, "PrimitiveNode", [5, "fixed"], outs="INT"),
        ui(10, "Context (rgthree)", ins=CONTEXT, outs=GIVEN),
        ui(3, "KSampler", [7, "fixed"], ins="seed:INT="),
        wires="9.0>10.8 10.8>3.0",
    ),
    "context: the first that holds anything": api(
        n1=LOADER,
        n9=("Context (rgthree)", {}),
        n10=("Context (rgthree)", {"model": "@1.0"}),
        n11=("Context Switch (rgthree)", {"ctx_01": "@9.0", "ctx_02": "@10.0"}),
        n3=("KSampler", {"model": "@11.1"}),
    ),
    "context: merged, of which the later wins": api(
        n1=LOADER,
        n2=OTHER,
        n9=("Context (rgthree)", {"model": "@1.0", "vae": "@1.2"}),
        n10=("Context (rgthree)", {"model": "@2.0"}),
        n11=("Context Merge (rgthree)", {"ctx_01": "@9.0", "ctx_02": "@10.0"}),
        n12=("Context (rgthree)", {"base_ctx": "@11.0"}),
        n3=("KSampler", {"model": "@12.1"}),
        n8=("VAEDecode", {"samples": "@3.0", "vae": "@11.3"}),
    ),
    "context: taken by a node that is not known": api(
        n1=LOADER,
        n10=("Context (rgthree)", {"model": "@1.0", "vae": "@1.2"}),
        n11=("Context (rgthree)", {"base_ctx": "@10.0", "seed": 5}),
        n12=("Odd", {"ctx": "@11.0"}),
        n3=("KSampler", {"model": "@11.1", "seed": "@11.8"}),
    ),
    "context: in a circle": api(
        n10=("Context (rgthree)", {"base_ctx": "@11.0", "seed": 4}),
        n11=("Context (rgthree)", {"base_ctx": "@10.0"}),
        n12=("Odd", {"ctx": "@11.0"}),
        n3=("KSampler", {"seed": "@11.8"}),
    ),
    "context: given by a node that is not known": api(
        n10=("Odd", {}),
        n11=("Context (rgthree)", {"base_ctx": "@10.0", "seed": 5}),
        n3=("KSampler", {"model": "@11.1"}),
    ),
    "any switch: past a muted node": workflow(
        loader(),
        loader(5, "b.safetensors", mode=2),
        ui(10, "Any Switch (rgthree)", ins="any_01:MODEL any_02:MODEL any_03:MODEL", outs="MODEL"),
        sampler(),
        wires="5.0>10.0 4.0>10.1 10.0>3.0",
    ),
    "any switch: past an empty context": api(
        n2=SMALL,
        n9=("Context (rgthree)", {}),
        n10=("Any Switch (rgthree)", {"any_01": "@9.0", "any_02": "@9.1", "any_03": "@2.0"}),
        n3=("KSampler", {"latent_image": "@10.0"}),
    ),
    # Impact, Efficiency, Comfyroll
    "pipe: put in and taken out": api(**PIPED, n11=("FromBasicPipe", {"basic_pipe": "@10.0"})),
    "pipe: handed on while it is opened": api(
        **{**PIPED, "n3": ("KSampler", {"model": "@12.1", "positive": "@11.3"})},
        n12=("FromBasicPipe_v2", {"basic_pipe": "@10.0"}),
        n11=("FromBasicPipe", {"basic_pipe": "@12.0"}),
    ),
    "pipe: with another prompt": api(
        **PIPED,
        n2=("CLIPTextEncode", {"text": "new", "clip": "@1.1"}),
        n12=("EditBasicPipe", {"basic_pipe": "@10.0", "positive": "@2.0"}),
        n11=("FromBasicPipe", {"basic_pipe": "@12.0"}),
    ),
    "pipe: to a detailer, which is not known": api(
        **PIPED,
        n13=("UltralyticsDetectorProvider", {"model_name": "bbox/face.pt"}),
        n12=(
            "BasicPipeToDetailerPipe",
            {"basic_pipe": "@10.0", "bbox_detector": "@13.0", "wildcard": "w",
             "Select to add LoRA": "x"},
        ),
        n14=("FaceDetailerPipe", {"detailer_pipe": "@12.0"}),
        n11=("FromDetailerPipe", {"detailer_pipe": "@12.0"}),
    ),
    "pipe: of a node that is not known": api(
        n10=("Odd", {}),
        n11=("FromBasicPipe", {"basic_pipe": "@10.0"}),
        n3=("KSampler", {"model": "@11.0"}),
    ),
    "pipe: of SDXL and its refiner": api(
        n1=LOADER,
        n2=OTHER,
        n10=("Pack SDXL Tuple", {"base_clip": "@1.1", "refiner_model": "@2.0"}),
        n11=("Unpack SDXL Tuple", {"sdxl_tuple": "@10.0"}),
        n3=("KSampler", {"model": "@11.4"}),
        n6=("CLIPTextEncode", {"text": "", "clip": "@11.1"}),
    ),
    "pipe: Comfyroll's": api(
        n1=LOADER,
        n10=("CR Module Pipe Loader", {"model": "@1.0", "vae": "@1.2", "seed": 4}),
        n12=("CR Module Output", {"pipe": "@10.0", "seed": 9}),
        n11=("CR Module Input", {"pipe": "@12.0"}),
        n3=("KSampler", {"model": "@11.1", "seed": "@11.9"}),
    ),
    "pipe: of any things": api(
        n1=LOADER,
        n10=("CR 8 Channel In", {"ch1": "@1.0", "ch8": "@1.2"}),
        n11=("CR 8 Channel Out", {"pipe": "@10.0"}),
        n12=("CR Data Bus In", {"any2": "@11.1", "any3": 9}),
        n13=("CR Data Bus Out", {"pipe": "@12.0"}),
        n3=("KSampler", {"model": "@13.2", "seed": "@13.3"}),
        n8=("VAEDecode", {"samples": "@3.0", "vae": "@11.8"}),
    ),
    "switch: by its number": api(
        n1=SMALL,
        n2=LARGE,
        n10=("ImpactSwitch", {"select": 2, "sel_mode": False, "input1": "@1.0", "input2": "@2.0"}),
        n3=("KSampler", {"latent_image": "@10.0", "steps": "@10.2"}),
    ),
    "switch: by its number, in the editor": workflow(
        ui(1, "EmptyLatentImage", [64, 64, 1], outs="LATENT"),
        ui(2, "EmptyLatentImage", [128, 64, 1], outs="LATENT"),
        ui(10, "ImpactSwitch", [1, True], ins="input1:LATENT input2:LATENT input3:*",
           outs="LATENT STRING INT"),
        ui(3, "KSampler", [7], ins=PORTS),
        wires="1.0>10.0 2.0>10.1 10.0>3.3",
    ),
    "switch: by a constant": chosen(
        "ImpactSwitch",
        {"select": "@9.0", "input1": "@1.0", "input2": "@2.0"},
        n9=("PrimitiveInt", {"value": 2}),
    ),
    "switch: by what only a run tells": chosen(
        "ImpactSwitch",
        {"select": "@9.0", "input1": "@1.0", "input2": "@2.0"},
        n9=("Odd", {}),
    ),
    "switch: to an input that is not wired": chosen(
        "ImpactSwitch", {"select": 3, "input1": "@1.0", "input2": "@2.0"}
    ),
    "switch: Comfyroll's": chosen(
        "CR Latent Input Switch", {"Input": 2, "latent1": "@1.0", "latent2": "@2.0"}
    ),
    "switch: Comfyroll's of two things, in the editor": workflow(
        loader(),
        loader(5, "b.safetensors"),
        ui(10, "CR Switch Model and CLIP", [2],
           ins="model1:MODEL clip1:CLIP model2:MODEL clip2:CLIP", outs="MODEL CLIP STRING"),
        sampler(),
        words(6, "x"),
        wires="4.0>10.0 4.1>10.1 5.0>10.2 5.1>10.3 10.0>3.0 10.1>6.0",
    ),
    "switch: Comfyroll's of texts": api(
        n10=("CR Text Input Switch", {"Input": 1, "text1": "a pony", "text2": "a horse"}),
        n6=("CLIPTextEncode", {"text": "@10.0"}),
    ),
    "switch: by a word": chosen(
        "CR Img2Img Process Switch", {"Input": "img2img", "txt2img": "@1.0", "img2img": "@2.0"}
    ),
    "switch: yes or no": chosen(
        "ImpactConditionalBranch",
        {"cond": "@9.0", "tt_value": "@1.0", "ff_value": "@2.0"},
        n9=("PrimitiveBoolean", {"value": False}),
    ),
    # What is there for the editor alone
    "notes and handles": workflow(
        ui(1, "Fast Groups Muter (rgthree)", title="Parts", outs="OPT_CONNECTION"),
        ui(2, "Fast Groups Bypasser (rgthree)"),
        ui(3, "Mute / Bypass Repeater (rgthree)", ins="x:*", outs="OPT_CONNECTION"),
        ui(4, "Bookmark (rgthree)", ["1", 1.0]),
        ui(5, "Label (rgthree)", title="Big words"),
        ui(6, "Note Plus (mtb)", ["<p>hi</p>", ""]),
        ui(7, "Note", ["plain"]),
        loader(8),
        wires="8.0>3.0",
    ),
    "two pictures compared": workflow(
        ui(1, "LoadImage", ["a.png", "image"], outs="IMAGE MASK"),
        ui(2, "LoadImage", ["b.png", "image"], outs="IMAGE MASK"),
        ui(3, "Image Comparer (rgthree)", [[{"name": "A"}]], ins="image_a:IMAGE image_b:IMAGE"),
        wires="1.0>3.0 2.0>3.1",
    ),
    "one picture compared, as it is run": api(
        n1=("LoadImage", {"image": "a.png"}),
        n3=("Image Comparer (rgthree)", {"image_a": "@1.0", "rgthree_comparer": {"images": []}}),
    ),
}  # fmt: skip

WRITTEN_OUT = sections("""
## a name set and got
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## a name set, and handed on
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## a name of Easy-Use
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## a name set to another
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## a name that is never set
sample_3: core.sample seed=7 steps=20
## names in a circle
sample_3: core.sample seed=7 steps=20
## reroutes
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## a reroute that is run
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample model<load_checkpoint_4.model
## everywhere: the links that were saved, and no others
decode_latent_8: core.decode_latent latent<sample_3.latent vae<load_checkpoint_4.vae
decode_latent_9: core.decode_latent
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20
## everywhere: by type
decode_latent_8: core.decode_latent latent<sample_3.latent vae<load_checkpoint_4.vae
decode_latent_9: core.decode_latent vae<load_checkpoint_4.vae
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## everywhere: three, whose types are those of what comes in
decode_latent_8: core.decode_latent latent<sample_3.latent vae<load_checkpoint_4.vae
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_4.clip
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
    positive<encode_prompt_6.conditioning
## everywhere: prompts
encode_prompt_6: core.encode_prompt dialect='comfyui' empty='encode' text='good'
encode_prompt_7: core.encode_prompt dialect='comfyui' empty='encode' text='bad'
sample_3: core.sample seed=7 steps=20 negative<encode_prompt_7.conditioning
    positive<encode_prompt_6.conditioning
## everywhere: seeds
random_noise_5: core.random_noise seed<seed_30.int
sample_3: core.sample steps=20 seed<seed_30.int
seed_30: core.seed value=11
## everywhere: a pattern of titles, as before version 7
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
load_checkpoint_5: core.load_checkpoint file='b.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
sample_6: core.sample seed=7 steps=20 model<load_checkpoint_5.model
## everywhere: all but a pattern of inputs
encode_prompt_6: core.encode_prompt dialect='comfyui' empty='encode' text='x'
sample_3: core.sample seed=7 steps=20 positive<encode_prompt_6.conditioning
## everywhere: the higher priority wins
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
load_checkpoint_5: core.load_checkpoint file='b.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_5.model
## everywhere: of two alike none wins
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
load_checkpoint_5: core.load_checkpoint file='b.safetensors'
sample_3: core.sample seed=7 steps=20
! KSampler 3: model is sent something by 30 and 31 alike, and gets nothing
## everywhere: its own group
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
sample_6: core.sample seed=7 steps=20
## everywhere: all other groups
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20
sample_6: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## everywhere: groups by a pattern
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20
sample_6: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## everywhere: its own colour
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
sample_6: core.sample seed=7 steps=20
## everywhere: values that may be sent
int_4: core.int value=9
sample_3: core.sample seed=7 steps<int_4.int
sample_5: core.sample seed=8 steps=30
## everywhere: inputs that refuse
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20
sample_5: core.sample seed=7 steps=20
## everywhere: two of a type by their names
encode_prompt_6: core.encode_prompt dialect='comfyui' empty='encode' text='good'
encode_prompt_7: core.encode_prompt dialect='comfyui' empty='encode' text='bad'
sample_3: core.sample seed=7 steps=20 negative<encode_prompt_7.conditioning
    positive<encode_prompt_6.conditioning
## everywhere: a bypassed one sends nothing
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20
## everywhere: to inputs of any type
Odd_3: comfyui.Odd x<load_checkpoint_4.model y<load_checkpoint_4.model
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
## everywhere: a pattern that would take for ever
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20
! Anything Everywhere 30: its title '(a+)+$' is no pattern that is read here: wire by hand what
    it sends
## everywhere: in a subgraph
decode_latent_8: core.decode_latent latent<sample_7_3.latent
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_7_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## everywhere: a subgraph that sends
load_checkpoint_7_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_7_4.model
## everywhere: as it is run
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample model<load_checkpoint_4.model
## context: a chain
decode_latent_8: core.decode_latent latent<sample_3.latent vae<load_checkpoint_4.vae
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_4.clip
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
    positive<encode_prompt_6.conditioning
## context: what is wired wins over what it is based on
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_1.clip
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
load_checkpoint_2: core.load_checkpoint file='b.safetensors'
sample_3: core.sample model<load_checkpoint_2.model
## context: what is muted does not
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
load_checkpoint_5: core.load_checkpoint muted file='b.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## context: values, and those that a smaller one hands on
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample cfg=6.5 sampler='euler' scheduler='karras' seed=5 steps=20
    model<load_checkpoint_1.model
## context: the value of a primitive
sample_3: core.sample seed=5
## context: the first that holds anything
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample model<load_checkpoint_1.model
## context: merged, of which the later wins
decode_latent_8: core.decode_latent latent<sample_3.latent vae<load_checkpoint_1.vae
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
load_checkpoint_2: core.load_checkpoint file='b.safetensors'
sample_3: core.sample model<load_checkpoint_2.model
## context: taken by a node that is not known
Context__rgthree__10: comfyui.Context (rgthree) model<load_checkpoint_1.model
    vae<load_checkpoint_1.vae
Context__rgthree__11: comfyui.Context (rgthree) seed=5 base_ctx<Context__rgthree__10.output 0
Odd_12: comfyui.Odd ctx<Context__rgthree__11.output 0
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=5 model<load_checkpoint_1.model
## context: in a circle
Context__rgthree__10: comfyui.Context (rgthree) seed=4 base_ctx<Context__rgthree__11.output 0
Context__rgthree__11: comfyui.Context (rgthree)
Odd_12: comfyui.Odd ctx<Context__rgthree__11.output 0
sample_3: core.sample
! Context__rgthree__11: its wires go in a circle
! Context__rgthree__11: nothing comes along the wire to base_ctx
! sample_3: nothing comes along the wire to seed
## context: given by a node that is not known
Context__rgthree__11: comfyui.Context (rgthree) seed=5 base_ctx<Odd_10.output 0
Odd_10: comfyui.Odd
sample_3: core.sample model<Context__rgthree__11.output 1
! Context__rgthree__11: what base_ctx brings is known only when it runs
## any switch: past a muted node
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
load_checkpoint_5: core.load_checkpoint muted file='b.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_4.model
## any switch: past an empty context
empty_latent_2: core.empty_latent batch=1 height=64 width=64
sample_3: core.sample latent<empty_latent_2.latent
## pipe: put in and taken out
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='good'
    clip<load_checkpoint_1.clip
encode_prompt_7: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='bad'
    clip<load_checkpoint_1.clip
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample model<load_checkpoint_1.model negative<encode_prompt_7.conditioning
    positive<encode_prompt_6.conditioning
## pipe: handed on while it is opened
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='good'
    clip<load_checkpoint_1.clip
encode_prompt_7: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='bad'
    clip<load_checkpoint_1.clip
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample model<load_checkpoint_1.model positive<encode_prompt_6.conditioning
## pipe: with another prompt
encode_prompt_2: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='new'
    clip<load_checkpoint_1.clip
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='good'
    clip<load_checkpoint_1.clip
encode_prompt_7: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='bad'
    clip<load_checkpoint_1.clip
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample model<load_checkpoint_1.model negative<encode_prompt_7.conditioning
    positive<encode_prompt_2.conditioning
## pipe: to a detailer, which is not known
BasicPipeToDetailerPipe_12: comfyui.BasicPipeToDetailerPipe Select to add LoRA='x' wildcard='w'
    basic_pipe<ToBasicPipe_10.output 0
    bbox_detector<UltralyticsDetectorProvider_13.BBOX_DETECTOR
FaceDetailerPipe_14: comfyui.FaceDetailerPipe
    detailer_pipe<BasicPipeToDetailerPipe_12.detailer_pipe
ToBasicPipe_10: comfyui.ToBasicPipe clip<load_checkpoint_1.clip model<load_checkpoint_1.model
    negative<encode_prompt_7.conditioning positive<encode_prompt_6.conditioning
    vae<load_checkpoint_1.vae
UltralyticsDetectorProvider_13: comfyui.UltralyticsDetectorProvider model_name='bbox/face.pt'
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='good'
    clip<load_checkpoint_1.clip
encode_prompt_7: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='bad'
    clip<load_checkpoint_1.clip
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample model<load_checkpoint_1.model negative<encode_prompt_7.conditioning
    positive<encode_prompt_6.conditioning
## pipe: of a node that is not known
FromBasicPipe_11: comfyui.FromBasicPipe basic_pipe<Odd_10.output 0
Odd_10: comfyui.Odd
sample_3: core.sample model<FromBasicPipe_11.output 0
! FromBasicPipe_11: what basic_pipe brings is known only when it runs
## pipe: of SDXL and its refiner
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text=''
    clip<load_checkpoint_1.clip
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
load_checkpoint_2: core.load_checkpoint file='b.safetensors'
sample_3: core.sample model<load_checkpoint_2.model
## pipe: Comfyroll's
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=9 model<load_checkpoint_1.model
## pipe: of any things
decode_latent_8: core.decode_latent latent<sample_3.latent vae<load_checkpoint_1.vae
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample seed=9 model<load_checkpoint_1.model
## switch: by its number
empty_latent_1: core.empty_latent batch=1 height=64 width=64
empty_latent_2: core.empty_latent batch=1 height=64 width=128
sample_3: core.sample steps=2 latent<empty_latent_2.latent
## switch: by its number, in the editor
empty_latent_1: core.empty_latent batch=1 height=64 width=64
empty_latent_2: core.empty_latent batch=1 height=64 width=128
sample_3: core.sample seed=7 latent<empty_latent_1.latent
## switch: by a constant
empty_latent_1: core.empty_latent batch=1 height=64 width=64
empty_latent_2: core.empty_latent batch=1 height=64 width=128
int_9: core.int value=2
sample_3: core.sample latent<empty_latent_2.latent
## switch: by what only a run tells
ImpactSwitch_10: comfyui.ImpactSwitch input1<empty_latent_1.latent input2<empty_latent_2.latent
    select<Odd_9.output 0
Odd_9: comfyui.Odd
empty_latent_1: core.empty_latent batch=1 height=64 width=64
empty_latent_2: core.empty_latent batch=1 height=64 width=128
sample_3: core.sample latent<ImpactSwitch_10.selected_value
! ImpactSwitch_10: which of its inputs select chooses is known only when it runs
## switch: to an input that is not wired
empty_latent_1: core.empty_latent batch=1 height=64 width=64
empty_latent_2: core.empty_latent batch=1 height=64 width=128
sample_3: core.sample
! sample_3: nothing comes along the wire to latent
## switch: Comfyroll's
empty_latent_1: core.empty_latent batch=1 height=64 width=64
empty_latent_2: core.empty_latent batch=1 height=64 width=128
sample_3: core.sample latent<empty_latent_2.latent
## switch: Comfyroll's of two things, in the editor
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_5.clip
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
load_checkpoint_5: core.load_checkpoint file='b.safetensors'
sample_3: core.sample seed=7 steps=20 model<load_checkpoint_5.model
## switch: Comfyroll's of texts
encode_prompt_6: core.encode_prompt dialect='comfyui' empty='encode' text='a pony'
## switch: by a word
empty_latent_1: core.empty_latent batch=1 height=64 width=64
empty_latent_2: core.empty_latent batch=1 height=64 width=128
sample_3: core.sample latent<empty_latent_2.latent
## switch: yes or no
bool_9: core.bool value=False
empty_latent_1: core.empty_latent batch=1 height=64 width=64
empty_latent_2: core.empty_latent batch=1 height=64 width=128
sample_3: core.sample latent<empty_latent_2.latent
## notes and handles
load_checkpoint_8: core.load_checkpoint file='a.safetensors'
note 'Parts (Fast Groups Muter (rgthree))'
note 'Fast Groups Bypasser (rgthree)'
note 'Mute / Bypass Repeater (rgthree)'
note 'Bookmark (rgthree)'
note 'Big words'
note '<p>hi</p>'
note 'plain'
## two pictures compared
load_image_1: core.load_image file='a.png'
load_image_2: core.load_image file='b.png'
preview_image_3_a: core.preview_image image<load_image_1.image
preview_image_3_b: core.preview_image image<load_image_2.image
## one picture compared, as it is run
load_image_1: core.load_image file='a.png'
preview_image_3_a: core.preview_image image<load_image_1.image
""")


@pytest.mark.parametrize("name", CASES)
def test_what_only_wires_is_gone(name):
    assert written_out(CASES[name]) == WRITTEN_OUT[name]


def test_a_wire_bends_where_a_node_that_is_gone_stood():
    through = (
        ui(10, "Context (rgthree)", ins=CONTEXT, outs=GIVEN),
        ui(11, "Any Switch (rgthree)", ins="any_01:MODEL", outs="MODEL"),
    )
    document = workflow(
        placed(loader(), 0),
        *(placed(node, 400 * place, 500) for place, node in enumerate(through, 1)),
        placed(sampler(), 1600),
        wires="4.0>10.1 10.1>11.0 11.0>3.0",
    )
    graph = import_document(document).graph
    assert graph.nodes["sample_3"].inputs["model"].source == "load_checkpoint_4"
    dots = graph.view["nodes"]["sample_3"]["dots"]["model"]
    assert len(dots) == 2
    assert dots[0][0] < dots[1][0]


def test_long_rows_of_contexts_take_the_time_of_their_number():
    row = {f"n{i}": ("Context (rgthree)", {"base_ctx": f"@{i - 1}.0"}) for i in range(3, 3000)}
    document = api(
        n1=LOADER,
        n2=("Context (rgthree)", {"model": "@1.0"}),
        **row,
        n5000=("KSampler", {"model": "@2999.1"}),
        n5001=("Odd", {"ctx": "@2999.0"}),
    )
    imported = import_document(document)
    assert imported.graph.nodes["sample_5000"].inputs["model"].source == "load_checkpoint_1"
    assert len(imported.placeholders) == 2999
    assert imported.total == len(document)


def test_mutations_come_to_a_graph_or_are_refused():
    texts, rng, refused = [json.dumps(case) for case in CASES.values()], Random("wires"), 0
    for _ in range(1500):
        document = json.loads(rng.choice(texts))
        for _ in range(rng.choice((1, 2, 4))):
            mutate(document, rng)
        try:
            if is_comfyui(document):
                import_document(document)
        except GraphFileError:
            refused += 1
    assert 0 < refused < 1000
