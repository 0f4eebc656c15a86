"""What would give another picture and say nothing, if it were taken word for word."""

from __future__ import annotations

import pytest

from helpers.foreign_graphs import api, sections, written_out
from ponystudio.diffusion.families import find_family

LOADER = ("CheckpointLoaderSimple", {"ckpt_name": "a.safetensors"})
PICTURE = ("LoadImage", {"image": "a.png"})
CONFIGURATIONS = (
    *("v1-inference.yaml", "v1-inference_clip_skip_2_fp16.yaml", "anything_v3.yaml"),
    *("v2-inference.yaml", "v2-inference-v_fp32.yaml", "mine.yaml"),
)


def flux(name, loader=None, clips=True, **more):
    """A FLUX model before a sampler."""
    nodes = {
        "n1": loader or ("UNETLoader", {"unet_name": name}),
        "n3": ("KSampler", {"model": "@1.0"}),
    }
    if clips:
        encoders = {"clip_name1": "l", "clip_name2": "t5", "type": "flux"}
        nodes["n2"] = ("DualCLIPLoader", encoders)
    return api(**{**nodes, **more})


BENT = (
    "ModelSamplingFlux",
    {"model": "@1.0", "max_shift": 1.15, "base_shift": 0.5, "width": 512, "height": 512},
)

CASES = {
    "the mask of a picture is where it is transparent": api(
        n1=PICTURE, n2=("SetLatentNoiseMask", {"mask": "@1.1"})
    ),
    "so is alpha alone, and no other channel": api(
        n1=("LoadImageMask", {"image": "a.png", "channel": "alpha"}),
        n2=("LoadImageMask", {"image": "a.png", "channel": "red"}),
        n3=("SetLatentNoiseMask", {"mask": "@1.0"}),
        n4=("SetLatentNoiseMask", {"mask": "@2.0"}),
    ),
    "FLUX dev has one shift": flux("flux1-dev.safetensors"),
    "in a checkpoint as well": flux(
        "", ("CheckpointLoaderSimple", {"ckpt_name": "flux1-dev-fp8.safetensors"}), clips=False
    ),
    "behind a LoRA as well": flux(
        "flux1-dev.safetensors",
        n7=("LoraLoaderModelOnly", {"model": "@1.0", "lora_name": "x", "strength_model": 1.0}),
        n3=("KSampler", {"model": "@7.0"}),
    ),
    "schnell bends nothing": flux("flux1-schnell.safetensors"),
    "one that is told another shift has that": flux(
        "flux1-dev.safetensors", n7=BENT, n3=("KSampler", {"model": "@7.0"})
    ),
    "one that is told in one branch has both": flux(
        "flux1-dev.safetensors", n7=BENT, n8=("KSampler", {"model": "@7.0"})
    ),
    "by its text encoders FLUX, and by no name": flux("mine.safetensors"),
    "FLUX.2 is another": flux("flux2_dev.safetensors", clips=False),
    "a scheduler keeps the last level but one": api(
        n1=LOADER,
        n4=("RandomNoise", {"noise_seed": 1}),
        n5=("CFGGuider", {"model": "@1.0", "cfg": 2.0}),
        n6=("KSamplerSelect", {"sampler_name": "dpm_2"}),
        n7=("BasicScheduler", {"model": "@1.0", "scheduler": "normal", "steps": 4}),
        n8=(
            "SamplerCustomAdvanced",
            {"noise": "@4.0", "guider": "@5.0", "sampler": "@6.0", "sigmas": "@7.0"},
        ),
    ),
    "a picture that is encoded with a grey hole, which grows": api(
        n1=LOADER,
        n2=PICTURE,
        n3=("VAEEncodeForInpaint", {"pixels": "@2.0", "mask": "@2.1", "vae": "@1.2"}),
        n4=(
            "VAEEncodeForInpaint",
            {"pixels": "@2.0", "mask": "@2.1", "vae": "@1.2", "grow_mask_by": 0},
        ),
    ),
    "one for a model that is shown the hole, which does not": api(
        n1=LOADER,
        n2=PICTURE,
        n6=("CLIPTextEncode", {"text": "x", "clip": "@1.1"}),
        n3=(
            "InpaintModelConditioning",
            {"positive": "@6.0", "negative": "@6.0", "pixels": "@2.0", "mask": "@2.1",
             "vae": "@1.2", "noise_mask": False},
        ),
    ),
    "the last layer but one": api(
        n1=LOADER,
        n2=("CLIPSetLastLayer", {"clip": "@1.1", "stop_at_clip_layer": -2}),
        n6=("CLIPTextEncode", {"clip": "@2.0", "text": "x"}),
        n7=("CLIPTextEncode", {"clip": "@1.1", "text": "y"}),
    ),
    "the last layer of all": api(
        n1=LOADER,
        n2=("CLIPSetLastLayer", {"clip": "@1.1", "stop_at_clip_layer": -1}),
        n6=("CLIPTextEncode", {"clip": "@2.0", "text": "x"}),
    ),
    "no prompt is not the empty one": api(
        n1=LOADER,
        n6=("CLIPTextEncode", {"text": "", "clip": "@1.1"}),
        n7=("ConditioningZeroOut", {"conditioning": "@6.0"}),
        n3=("KSampler", {"positive": "@6.0", "negative": "@7.0"}),
    ),
    "what a configuration says": api(
        **{
            f"n{i}": ("CheckpointLoader", {"config_name": name, "ckpt_name": "a.ckpt"})
            for i, name in enumerate(CONFIGURATIONS, 1)
        },
        **{
            f"n{10 + i}": ("CLIPTextEncode", {"text": "", "clip": f"@{i}.1"})
            for i in range(1, len(CONFIGURATIONS) + 1)
        },
    ),
    "noise of a graphics card": api(
        n1=LOADER,
        n3=("KSampler", {"model": "@1.0", "sampler_name": "dpmpp_2m_sde_gpu"}),
        n4=("KSampler", {"model": "@1.0", "sampler_name": "euler_ancestral"}),
        n5=("SamplerDPMPP_SDE", {"eta": 1.0, "s_noise": 1.0, "r": 0.5, "noise_device": "gpu"}),
        n6=("SamplerDPMPP_2M_SDE", {"solver_type": "midpoint", "noise_device": "cpu"}),
        n7=("KSampler", {"model": "@1.0", "sampler_name": "dpmpp_2m_sde"}),
    ),
}  # fmt: skip

WRITTEN_OUT = sections("""
## the mask of a picture is where it is transparent
invert_mask_1_mask: core.invert_mask mask<load_image_1.mask
load_image_1: core.load_image file='a.png'
mask_latent_2: core.mask_latent mask<invert_mask_1_mask.mask
## so is alpha alone, and no other channel
invert_mask_1_mask: core.invert_mask mask<load_mask_1.mask
load_mask_1: core.load_mask channel='alpha' file='a.png'
load_mask_2: core.load_mask channel='red' file='a.png'
mask_latent_3: core.mask_latent mask<invert_mask_1_mask.mask
mask_latent_4: core.mask_latent mask<load_mask_2.mask
## FLUX dev has one shift
load_clip_2: core.load_clip family='flux' files=[{'file': 'l', 'on': True}, {'file': 't5', 'on':
    True}]
load_model_1: core.load_model file='flux1-dev.safetensors'
sample_3: core.sample model<set_shift_1.model
set_shift_1: core.set_shift shift=3.158193 model<load_model_1.model
## in a checkpoint as well
load_checkpoint_1: core.load_checkpoint file='flux1-dev-fp8.safetensors'
sample_3: core.sample model<set_shift_1.model
set_shift_1: core.set_shift shift=3.158193 model<load_checkpoint_1.model
## behind a LoRA as well
apply_lora_7: core.apply_lora file='x' strength=1.0 model<set_shift_1.model
load_clip_2: core.load_clip family='flux' files=[{'file': 'l', 'on': True}, {'file': 't5', 'on':
    True}]
load_model_1: core.load_model file='flux1-dev.safetensors'
sample_3: core.sample model<apply_lora_7.model
set_shift_1: core.set_shift shift=3.158193 model<load_model_1.model
## schnell bends nothing
load_clip_2: core.load_clip family='flux' files=[{'file': 'l', 'on': True}, {'file': 't5', 'on':
    True}]
load_model_1: core.load_model file='flux1-schnell.safetensors'
sample_3: core.sample model<load_model_1.model
## one that is told another shift has that
load_clip_2: core.load_clip family='flux' files=[{'file': 'l', 'on': True}, {'file': 't5', 'on':
    True}]
load_model_1: core.load_model file='flux1-dev.safetensors'
sample_3: core.sample model<set_shift_7.model
set_shift_7: core.set_shift shift=1.877611 model<load_model_1.model
## one that is told in one branch has both
load_clip_2: core.load_clip family='flux' files=[{'file': 'l', 'on': True}, {'file': 't5', 'on':
    True}]
load_model_1: core.load_model file='flux1-dev.safetensors'
sample_3: core.sample model<set_shift_1.model
sample_8: core.sample model<set_shift_7.model
set_shift_1: core.set_shift shift=3.158193 model<load_model_1.model
set_shift_7: core.set_shift shift=1.877611 model<set_shift_1.model
## by its text encoders FLUX, and by no name
load_clip_2: core.load_clip family='flux' files=[{'file': 'l', 'on': True}, {'file': 't5', 'on':
    True}]
load_model_1: core.load_model file='mine.safetensors'
sample_3: core.sample model<set_shift_1.model
set_shift_1: core.set_shift shift=3.158193 model<load_model_1.model
! load_model_1: is taken for FLUX dev: its shift is 3.158193; schnell's is 1
## FLUX.2 is another
load_model_1: core.load_model file='flux2_dev.safetensors'
sample_3: core.sample model<load_model_1.model
## a scheduler keeps the last level but one
choose_sampler_6: core.choose_sampler sampler='dpm_2'
guide_5: core.guide cfg=2.0 model<load_checkpoint_1.model
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
make_sigmas_7: core.make_sigmas scheduler='normal' steps=4 model<load_checkpoint_1.model
random_noise_4: core.random_noise seed=1
sample_custom_8: core.sample_custom guider<guide_5.guider noise<random_noise_4.noise
    sampler<choose_sampler_6.sampler sigmas<make_sigmas_7.sigmas
## a picture that is encoded with a grey hole, which grows
fill_for_inpainting_3: core.fill_for_inpainting grow=6 image<load_image_2.image
    mask<invert_mask_2_mask.mask vae<load_checkpoint_1.vae
fill_for_inpainting_4: core.fill_for_inpainting grow=0 image<load_image_2.image
    mask<invert_mask_2_mask.mask vae<load_checkpoint_1.vae
invert_mask_2_mask: core.invert_mask mask<load_image_2.mask
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
load_image_2: core.load_image file='a.png'
## one for a model that is shown the hole, which does not
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_1.clip
inpaint_model_3: core.inpaint_model keep=False image<load_image_2.image
    mask<invert_mask_2_mask.mask negative<encode_prompt_6.conditioning
    positive<encode_prompt_6.conditioning vae<load_checkpoint_1.vae
invert_mask_2_mask: core.invert_mask mask<load_image_2.mask
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
load_image_2: core.load_image file='a.png'
## the last layer but one
encode_prompt_6: core.encode_prompt clip_skip=2 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_1.clip
encode_prompt_7: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text='y'
    clip<load_checkpoint_1.clip
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
## the last layer of all
encode_prompt_6: core.encode_prompt clip_skip=1 dialect='comfyui' empty='encode' text='x'
    clip<load_checkpoint_1.clip
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
! CLIPSetLastLayer 2: of SDXL and SD3 the last layer but one is read all the same
## no prompt is not the empty one
encode_prompt_6: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text=''
    clip<load_checkpoint_1.clip
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample negative<zero_prompt_7.conditioning positive<encode_prompt_6.conditioning
zero_prompt_7: core.zero_prompt conditioning<encode_prompt_6.conditioning
## what a configuration says
encode_prompt_11: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text=''
    clip<load_checkpoint_1.clip
encode_prompt_12: core.encode_prompt clip_skip=2 dialect='comfyui' empty='encode' text=''
    clip<load_checkpoint_2.clip
encode_prompt_13: core.encode_prompt clip_skip=2 dialect='comfyui' empty='encode' text=''
    clip<load_checkpoint_3.clip
encode_prompt_14: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text=''
    clip<load_checkpoint_4.clip
encode_prompt_15: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text=''
    clip<load_checkpoint_5.clip
encode_prompt_16: core.encode_prompt clip_skip=0 dialect='comfyui' empty='encode' text=''
    clip<load_checkpoint_6.clip
load_checkpoint_1: core.load_checkpoint file='a.ckpt'
load_checkpoint_2: core.load_checkpoint file='a.ckpt'
load_checkpoint_3: core.load_checkpoint file='a.ckpt'
load_checkpoint_4: core.load_checkpoint file='a.ckpt'
load_checkpoint_5: core.load_checkpoint file='a.ckpt' prediction='v'
load_checkpoint_6: core.load_checkpoint file='a.ckpt'
! load_checkpoint_6: its configuration 'mine.yaml' is not known: the file's own is taken
## noise of a graphics card
choose_sampler_5: core.choose_sampler eta=1.0 r=0.5 s_noise=1.0 sampler='dpmpp_sde_gpu'
choose_sampler_6: core.choose_sampler sampler='dpmpp_2m_sde' solver='midpoint'
load_checkpoint_1: core.load_checkpoint file='a.safetensors'
sample_3: core.sample sampler='dpmpp_2m_sde_gpu' model<load_checkpoint_1.model
sample_4: core.sample sampler='euler_ancestral' model<load_checkpoint_1.model
sample_7: core.sample sampler='dpmpp_2m_sde' model<load_checkpoint_1.model
! sample_3: between the steps of dpmpp_2m_sde_gpu ComfyUI draws noise on the device that it runs
    on: for a picture of an NVIDIA card set Noise source to nvidia
! sample_4: between the steps of euler_ancestral ComfyUI draws noise on the device that it runs
    on: for a picture of an NVIDIA card set Noise source to nvidia
! choose_sampler_5: between the steps of dpmpp_sde_gpu ComfyUI draws noise on the device that it
    runs on: for a picture of an NVIDIA card set Noise source to nvidia
""")


@pytest.mark.parametrize("name", CASES)
def test_what_it_comes_to(name):
    assert written_out(CASES[name]) == WRITTEN_OUT[name]


@pytest.mark.parametrize("name", ["sdxl", "sd2"])
def test_the_last_layer_but_one_is_what_these_read_anyway(name):
    assert find_family(name).clip_skip == 2
