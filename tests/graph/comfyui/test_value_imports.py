"""Values and wires of ComfyUI's in all the ways they are said, and the graphs that they come to."""

from __future__ import annotations

import json

import pytest

from helpers.foreign_graphs import api, sections, ui, workflow, written_out
from ponystudio.pictures.graph_opening import import_text

PORTS = "model:MODEL positive:CONDITIONING negative:CONDITIONING latent_image:LATENT"
PROMPT = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a pony", "clip": ["4", 1]}},
}
ALL = [7, "fixed", 20, 8.0, "euler", "normal", 0.5]


def sampler(values, **more):
    return workflow(ui(3, "KSampler", values, ins=PORTS, outs="LATENT", **more))


def wired(links, **more):
    """A loader and a prompt, with the link between them as it is written."""
    return {
        **workflow(
            ui(4, "CheckpointLoaderSimple", ["a"], outs="MODEL CLIP VAE"),
            ui(6, "CLIPTextEncode", ["x"], ins="clip:CLIP"),
            wires="4.1>6.0",
        ),
        **({"links": links} if links else {}),
        **more,
    }


LINK = {"id": 1, "origin_id": 4, "origin_slot": 1, "target_id": 6, "target_slot": 0}
REROUTE = {"id": 2, "pos": [5, 6], "linkIds": [1]}

CASES = {
    "all": sampler(ALL),
    "too few: the old behaviour": sampler([7, "randomize", 20, 8.0, "euler", "normal"]),
    "too many": sampler([*ALL, "shown", None]),
    "null behind the seed": sampler([7, None, *ALL[2:]]),
    "false behind the seed": sampler([7, False, *ALL[2:]]),
    "nothing behind the seed": sampler([7, *ALL[2:]]),
    "null": sampler(None),
    "by name": sampler(
        {"seed": 7, "control_after_generate": "fixed", "steps": 20, "sampler_name": "sample_euler"}
    ),
    "named ones win": sampler(
        ALL, widgets_values_named={"steps": 30, "control_after_generate": "randomize"}
    ),
    "a value that is an input keeps its place": workflow(
        ui(5, "PrimitiveInt", [9], outs="INT"),
        ui(3, "KSampler", ALL, ins=f"{PORTS} seed:INT="),
        wires="5.0>3.4",
    ),
    "a primitive for several": workflow(
        ui(9, "PrimitiveNode", [512, "fixed"], outs="INT"),
        ui(5, "EmptyLatentImage", [64, 64, 2], ins="width:INT= height:INT="),
        ui(7, "EmptyImage", [8, 8, 1, 255], ins="width:INT="),
        wires="9.0>5.0 9.0>5.1 9.0>7.0",
    ),
    "a primitive for a text": workflow(
        ui(1, "PrimitiveNode", ["deep", "fixed"], outs="STRING"),
        ui(2, "StringConcatenate", ["a", "b", ", "], ins="string_a:STRING="),
        wires="1.0>2.0",
    ),
    "forced inputs own no place": workflow(
        ui(5, "RandomNoise", [3, "fixed"], outs="NOISE"),
        ui(1, "SamplerCustom", [True, 4, "fixed", 2.0], ins="model:MODEL sampler:SAMPLER"),
        ui(2, "KSamplerSelect", ["sample_dpmpp_2m"], outs="SAMPLER"),
        wires="2.0>1.1",
    ),
    "the upload button owns one, and a path is written backwards": workflow(
        ui(1, "LoadImage", ["in\\a.png [input]", "image"], outs="IMAGE MASK")
    ),
    "old loaders say less": workflow(
        ui(1, "DualCLIPLoader", ["l.safetensors", "g.safetensors", "sdxl"]),
        ui(2, "CLIPLoader", ["t5\\xxl.safetensors", "sd3"]),
        ui(3, "VAEEncodeForInpaint", [], ins="pixels:IMAGE vae:VAE mask:MASK"),
        ui(4, "DualCFGGuider", [8.0, 2.0], ins="model:MODEL"),
        ui(5, "CLIPVisionEncode", []),
    ),
    "values within values": workflow(
        ui(1, "Sized Node", {"model": "big", "model.size_preset": "2K"})
    ),
    "lists": api(n1=("Odd", {"sizes": {"__value__": [1, 2]}, "plain": [3, 4]})),
    "a request to a server": {"prompt": PROMPT, "client_id": "x", "extra_data": {"a": 1}},
    "keys that are no nodes": {
        **PROMPT,
        "extra": {"ds": {}},
        "version": 0.4,
        "8": {**PROMPT["6"], "is_changed": ["x"], "_meta": {"title": "t"}},
    },
    "ids as texts": workflow(
        ui("4", "CheckpointLoaderSimple", ["a"], outs="MODEL CLIP VAE"),
        ui("six", "CLIPTextEncode", ["x"], ins="clip:CLIP"),
        wires="4.1>six.0",
    ),
    "slots as texts": wired([[1, "4", "1", "6", "0", "CLIP"]]),
    "links as objects": wired([LINK], version=1),
    "links as objects, rerouted": wired(
        [{**LINK, "parentId": 2}], version=1, reroutes=[REROUTE]
    ),
    "native reroutes of 0.4": wired(
        None, extra={"reroutes": [REROUTE], "linkExtensions": [{"id": 1, "parentId": 2}]}
    ),
}  # fmt: skip

WRITTEN_OUT = sections("""
## all
sample_3: core.sample cfg=8.0 denoise=0.5 sampler='euler' scheduler='normal' seed=7 steps=20
## too few: the old behaviour
sample_3: core.sample cfg=8.0 sampler='euler' scheduler='normal' seed=7 steps=20
## too many
sample_3: core.sample cfg=8.0 denoise=0.5 sampler='euler' scheduler='normal' seed=7 steps=20
## null behind the seed
sample_3: core.sample cfg=8.0 denoise=0.5 sampler='euler' scheduler='normal' seed=7 steps=20
## false behind the seed
sample_3: core.sample cfg=8.0 denoise=0.5 sampler='euler' scheduler='normal' seed=7 steps=20
## nothing behind the seed
sample_3: core.sample cfg=8.0 denoise=0.5 sampler='euler' scheduler='normal' seed=7 steps=20
## null
sample_3: core.sample
## by name
sample_3: core.sample sampler='euler' seed=7 steps=20
## named ones win
sample_3: core.sample cfg=8.0 denoise=0.5 sampler='euler' scheduler='normal' seed=7 steps=30
## a value that is an input keeps its place
int_5: core.int value=9
sample_3: core.sample cfg=8.0 denoise=0.5 sampler='euler' scheduler='normal' steps=20
    seed<int_5.int
## a primitive for several
empty_image_7: core.empty_image batch=1 colour='#0000ff' height=8 width=512
empty_latent_5: core.empty_latent batch=2 height=512 width=512
## a primitive for a text
join_texts_2: core.join_texts a='deep' b='b' separator=', ' skip_empty=False
## forced inputs own no place
choose_sampler_2: core.choose_sampler sampler='dpmpp_2m'
guide_1_guider: core.guide cfg=2.0
random_noise_1_noise: core.random_noise off=False seed=4
random_noise_5: core.random_noise seed=3
sample_custom_1: core.sample_custom guider<guide_1_guider.guider
    noise<random_noise_1_noise.noise sampler<choose_sampler_2.sampler
## the upload button owns one, and a path is written backwards
load_image_1: core.load_image file='in/a.png'
## old loaders say less
encode_vision_5: core.encode_vision
fill_for_inpainting_3: core.fill_for_inpainting grow=6
guide_dual_4: core.guide_dual cfg=8.0 cfg_middle=2.0
load_clip_1: core.load_clip family='sdxl' files=[{'file': 'l.safetensors', 'on': True}, {'file':
    'g.safetensors', 'on': True}]
load_clip_2: core.load_clip family='sd3' files=[{'file': 't5/xxl.safetensors', 'on': True}]
## values within values
Sized_Node_1: comfyui.Sized Node model='big' model.size_preset='2K'
## lists
Odd_1: comfyui.Odd plain=[3, 4] sizes=[1, 2]
## a request to a server
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_checkpoint_4.clip
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
## keys that are no nodes
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_checkpoint_4.clip
encode_prompt_8: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='a pony'
    clip<load_checkpoint_4.clip
load_checkpoint_4: core.load_checkpoint file='a.safetensors'
## ids as texts
encode_prompt_six: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_4.clip
load_checkpoint_4: core.load_checkpoint file='a'
## slots as texts
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_4.clip
load_checkpoint_4: core.load_checkpoint file='a'
## links as objects
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_4.clip
load_checkpoint_4: core.load_checkpoint file='a'
## links as objects, rerouted
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_4.clip
load_checkpoint_4: core.load_checkpoint file='a'
## native reroutes of 0.4
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_4.clip
load_checkpoint_4: core.load_checkpoint file='a'
""")


@pytest.mark.parametrize("name", CASES)
def test_values_come_to(name):
    assert written_out(CASES[name]) == WRITTEN_OUT[name]


def test_a_document_in_a_text_and_one_with_no_numbers():
    said = json.dumps(CASES["ids as texts"])
    assert import_text(json.dumps(said)).graph.nodes.keys() == import_text(said).graph.nodes.keys()
    odd = '{"1": {"class_type": "Odd", "inputs": {"a": NaN, "b": -Infinity, "c": 1}}}'
    (node,) = import_text(odd).graph.nodes.values()
    assert node.params == {"c": 1}
