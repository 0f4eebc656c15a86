"""What other programs write of how a picture was made, and pictures that carry it as they do."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

INFOTEXT = (
    "a pony, (smile:1.1) <lora:ink:0.7>\nNegative prompt: blurry, text\n"
    "Steps: 25, Sampler: Euler a, Schedule type: Karras, CFG scale: 6.5, Seed: 77, Size: 512x768, "
    "Model hash: 9f31c2d07a, Model: starter, RNG: CPU, "
    'Lora hashes: "ink: 7a20e4c91f3b", Version: v1.10.1'
)
SDCPP = (
    "a pony\nNegative prompt: blurry\nSteps: 25, CFG scale: 6.5, Guidance: 3.5, Seed: 77, "
    "Size: 512x768, Model: starter.safetensors, RNG: cuda, Sampler: euler_a karras, "
    "Version: stable-diffusion.cpp"
)
FOOOCUS: dict[str, Any] = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "starter",
    "base_model_hash": "9f31c2d07a",
    "clip_skip": 2,
    "full_negative_prompt": ["blurry, text"],
    "full_prompt": ["a pony [big]", "a pony, sharp"],
    "guidance_scale": 6.5,
    "loras": [["ink", 0.7, "7a20e4c91f"]],
    "metadata_scheme": "fooocus",
    "negative_prompt": "",
    "performance": "Speed",
    "prompt": "a pony",
    "refiner_model": "None",
    "refiner_switch": 0.5,
    "resolution": "(512, 768)",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "77",
    "sharpness": 2,
    "steps": 25,
    "styles": "['Fooocus V2']",
    "vae": "Default (model)",
    "version": "Fooocus v2.5.5",
}
FOOOCUS_TEXT = (
    "a pony\nNegative prompt: blurry\nSteps: 25, Sampler: DPM++ 2M SDE Karras, Seed: 77, "
    'Size: 512x768, CFG scale: 6.5, Sharpness: 2, ADM Guidance: "(1.5, 0.8, 0.3)", '
    "Model: starter, Model hash: 9f31c2d07a, Performance: Speed, "
    'Lora hashes: "ink: 7a20e4c91f", Lora weights: "ink: 0.7", Version: Fooocus v2.5.5'
)
SWARM: dict[str, Any] = {
    "sui_image_params": {
        "prompt": "a pony <lora:ink:0.7> <segment:face> smile",
        "negativeprompt": "blurry",
        "model": "starter.safetensors",
        "seed": 77,
        "steps": 25,
        "cfgscale": 6.5,
        "sampler": "euler_ancestral",
        "scheduler": "karras",
        "width": 512,
        "height": 768,
        "loras": ["ink"],
        "loraweights": ["0.7"],
        "automaticvae": True,
        "swarm_version": "0.9.8.1",
    },
    "sui_extra_data": {"date": "2026-11-01"},
    "sui_models": [
        {"name": "starter.safetensors", "param": "model", "hash": "0x" + "9f31c2d07a55" + "0" * 52}
    ],
}
INVOKE: dict[str, Any] = {
    "generation_mode": "txt2img",
    "positive_prompt": "a pony++ (small hat)1.3 <bad-hands>",
    "negative_prompt": "blurry-",
    "width": 512,
    "height": 768,
    "seed": 77,
    "rand_device": "cpu",
    "cfg_scale": 6.5,
    "steps": 25,
    "scheduler": "euler_k",
    "model": {"key": "k", "hash": "blake3:1", "name": "starter", "base": "sd-1", "type": "main"},
    "loras": [{"model": {"name": "ink"}, "weight": 0.7}],
    "app_version": "5.6.0",
}
INVOKE_OLD: dict[str, Any] = {
    "model": "stable diffusion",
    "model_weights": "starter",
    "app_id": "invoke-ai/InvokeAI",
    "app_version": "2.3.5",
    "image": {
        "prompt": [{"prompt": "a pony++ [blurry]", "weight": 1.0}],
        "steps": 25,
        "cfg_scale": 6.5,
        "width": 512,
        "height": 768,
        "seed": 77,
        "type": "txt2img",
        "sampler": "k_euler",
    },
}
DREAM = '"a pony [blurry]" -s 25 -S 77 -W 512 -H 768 -C 6.5 -A k_euler'
NOVEL: dict[str, Any] = {
    "prompt": "a {pony}, 1.3::hat::",
    "uc": "[blurry]",
    "steps": 25,
    "scale": 6.5,
    "seed": 77,
    "sampler": "k_euler_ancestral",
    "noise_schedule": "karras",
    "width": 512,
    "height": 768,
    "cfg_rescale": 0.2,
    "request_type": "PromptGenerateRequest",
}
NOVEL_FIELDS = {
    "Title": "AI generated image",
    "Description": "a {pony}",
    "Software": "NovelAI",
    "Source": "Stable Diffusion XL C1E1DE52",
    "Comment": json.dumps(NOVEL),
}
COMFYUI_PROMPT = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "starter.safetensors"}},
    "5": {"class_type": "EmptyLatentImage",
          "inputs": {"width": 512, "height": 768, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a pony", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
    "3": {"class_type": "KSampler",
          "inputs": {"seed": 77, "steps": 25, "cfg": 6.5, "sampler_name": "euler",
                     "scheduler": "karras", "denoise": 1.0, "model": ["4", 0],
                     "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
}  # fmt: skip
COMFYUI_WORKFLOW = {
    "nodes": [
        {"id": 4, "type": "CheckpointLoaderSimple", "pos": [0, 0],
         "widgets_values": ["starter.safetensors"], "inputs": [],
         "outputs": [{"name": "MODEL", "type": "MODEL"}, {"name": "CLIP", "type": "CLIP"},
                     {"name": "VAE", "type": "VAE"}]},
        {"id": 5, "type": "EmptyLatentImage", "pos": [0, 300], "widgets_values": [512, 512, 1],
         "inputs": [], "outputs": [{"name": "LATENT", "type": "LATENT"}]},
        *(
            {"id": id, "type": "CLIPTextEncode", "pos": [400, 200 * (id - 6)],
             "widgets_values": [text], "inputs": [{"name": "clip", "type": "CLIP", "link": id}],
             "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING"}]}
            for id, text in ((6, "a {pony|horse}"), (7, "blurry"))
        ),
        {"id": 3, "type": "KSampler", "pos": [800, 0],
         "widgets_values": [1, "randomize", 25, 6.5, "euler", "karras", 1.0],
         "inputs": [{"name": "model", "type": "MODEL", "link": 1},
                    {"name": "positive", "type": "CONDITIONING", "link": 2},
                    {"name": "negative", "type": "CONDITIONING", "link": 3},
                    {"name": "latent_image", "type": "LATENT", "link": 4}],
         "outputs": [{"name": "LATENT", "type": "LATENT"}]},
    ],
    "links": [[6, 4, 1, 6, 0, "CLIP"], [7, 4, 1, 7, 0, "CLIP"], [1, 4, 0, 3, 0, "MODEL"],
              [2, 6, 0, 3, 1, "CONDITIONING"], [3, 7, 0, 3, 2, "CONDITIONING"],
              [4, 5, 0, 3, 3, "LATENT"]],
}  # fmt: skip
CIVITAI: dict[str, Any] = {
    "id": 1,
    "url": "https://image.example/1",
    "hash": "U1",
    "width": 512,
    "height": 768,
    "baseModel": "SD 1.5",
    "modelVersionIds": [5],
    "meta": {
        "prompt": "a pony",
        "negativePrompt": "blurry",
        "cfgScale": 6.5,
        "steps": 25,
        "sampler": "Euler a",
        "seed": 77,
        "clipSkip": 1,
        "Size": "512x768",
        "Model": "starter",
        "RNG": "CPU",
        "hashes": {"model": "9f31c2d07a"},
        "resources": [
            {"type": "model", "name": "starter", "hash": "9f31c2d07a"},
            {"type": "lora", "name": "ink", "weight": 0.7, "hash": "7a20e4c91f"},
        ],
    },
}
SIDECAR: dict[str, Any] = {
    "id": 5,
    "modelId": 4,
    "name": "v1",
    "baseModel": "SD 1.5",
    "trainedWords": ["ink", "lines"],
    "model": {"name": "Ink", "type": "LORA"},
    "files": [
        {"name": "ink.safetensors", "primary": True, "hashes": {"SHA256": "AB" * 32}},
    ],
    "images": [{"url": "https://image.example/2", "meta": None}, CIVITAI],
}
# The texts by which each writer's pictures are told, as PNG has them.
WRITERS: Mapping[str, Mapping[str, str]] = {
    "A1111": {"parameters": INFOTEXT},
    "stable-diffusion.cpp": {"parameters": SDCPP},
    "Fooocus": {"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"},
    "Fooocus as A1111": {"parameters": FOOOCUS_TEXT, "fooocus_scheme": "a1111"},
    "SwarmUI": {"parameters": json.dumps(SWARM)},
    "InvokeAI": {"invokeai_metadata": json.dumps(INVOKE)},
    "InvokeAI 2": {"sd-metadata": json.dumps(INVOKE_OLD)},
    "InvokeAI 1": {"Dream": DREAM},
    "NovelAI": NOVEL_FIELDS,
    "ComfyUI": {"prompt": json.dumps(COMFYUI_PROMPT), "workflow": json.dumps(COMFYUI_WORKFLOW)},
}
_EXIF_IFD, _COMMENT, _NOTE, _MODEL = 0x8769, 0x9286, 0x927C, 0x0110


def noise(mode: str = "RGB", size: tuple[int, int] = (72, 64)) -> Image.Image:
    """The same each time, and not all of one colour, so that no lowest bit is told beforehand."""
    numbers = np.random.default_rng(7).integers(0, 256, (size[1], size[0], len(mode)), np.uint8)
    return Image.fromarray(numbers, mode)


def png(fields: Mapping[str, str], kind: str = "tEXt") -> bytes:
    """With a chunk of that kind for each field."""
    info = PngInfo()
    for name, text in fields.items():
        if kind == "iTXt":
            info.add_itxt(name, text, zip=True)
        else:
            info.add_text(name, text, zip=kind == "zTXt")
    return _saved(noise(), "PNG", pnginfo=info)


def with_exif(format: str, fields: Mapping[str, str], charset: str = "UNICODE") -> bytes:
    """With what a writer has in EXIF; `charset`: of its comment, "UNICODE little" is the other
    order of bytes, "" none."""
    exif = Image.Exif()
    tag = _MODEL
    for name, text in fields.items():
        if name in ("prompt", "workflow"):
            exif[tag] = f"{name}:{text}"
            tag -= 1
    if "fooocus_scheme" in fields:  # Fooocus writes both into the first table, as plain ASCII
        exif[_COMMENT], exif[_NOTE] = fields["parameters"], fields["fooocus_scheme"]
    elif comment := _comment(fields):
        exif.get_ifd(_EXIF_IFD)[_COMMENT] = _encoded(comment, charset)
    if "Software" in fields:
        exif[0x0131] = fields["Software"]
    return _saved(noise(), format, exif=exif.tobytes())


def _comment(fields: Mapping[str, str]) -> str:
    """The one text of a writer that has but one: NovelAI's is all of its fields."""
    if "Comment" in fields:
        return json.dumps(dict(fields))
    return next((text for name, text in fields.items() if name not in ("prompt", "workflow")), "")


def _encoded(text: str, charset: str) -> bytes:
    return {
        "UNICODE": b"UNICODE\0" + text.encode("utf-16-be"),
        "UNICODE little": b"UNICODE\0" + text.encode("utf-16-le"),
        "ASCII": b"ASCII\0\0\0" + text.encode(),
        "none": b"\0" * 8 + text.encode(),
        "": text.encode(),
    }[charset]


def stealthy(text: str, format: str = "PNG", kind: str = "pngcomp") -> bytes:
    """With a text in the lowest bits: of alpha (pnginfo, pngcomp) or of the colours (rgbinfo,
    rgbcomp)."""
    data = text.encode()
    data = gzip.compress(data) if kind.endswith("comp") else data
    return hidden(data, format, kind)


def hidden(
    data: bytes, format: str = "PNG", kind: str = "pngcomp", bits: int | None = None
) -> bytes:
    """The same for bytes that are none of a text; `bits`: how many they are said to be."""
    said = 8 * len(data) if bits is None else bits
    whole = f"stealth_{kind}".encode() + said.to_bytes(4, "big") + data
    side = 64
    channels = 1 if kind.startswith("png") else 3
    width = max(72, -(-8 * len(whole) // (side * channels)))
    numbers = np.array(noise("RGBA", (width, side)))
    columns = numbers[..., 3:] if channels == 1 else numbers[..., :3]
    flat = columns.transpose(1, 0, 2).reshape(-1).copy()
    told = np.unpackbits(np.frombuffer(whole, np.uint8))
    flat[: told.size] = flat[: told.size] & 0xFE | told
    columns[...] = flat.reshape(width, side, channels).transpose(1, 0, 2)
    picture = Image.fromarray(numbers, "RGBA")
    if channels == 3:
        picture = picture.convert("RGB")
    return _saved(
        picture, format, **({"lossless": True, "exact": True} if format == "WEBP" else {})
    )


def _saved(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()
