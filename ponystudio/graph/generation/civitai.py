"""What civitai says of a picture, and of a model by pictures made with it, as JSON.

A picture has `meta`: A1111's fields, some under other names, the files it was made with, or in
`comfy` the graph of ComfyUI; or it is null, where nobody wrote it down. A sidecar of a model
(`x.civitai.info`) names the file and has such pictures as examples.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.source_graph import parsed
from ponystudio.graph.generation import a1111_names, infotext
from ponystudio.graph.generation import json_values as values
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    UsedLora,
    UsedModel,
)
from ponystudio.graph.generation.infotext_grammar import Infotext, compose
from ponystudio.system.file_names import model_name

PROGRAM = "civitai"
# A1111's names of what `meta` calls otherwise; the rest of it has the names that it came with.
_FIELDS: Mapping[str, str] = {
    "steps": "Steps",
    "sampler": "Sampler",
    "scheduler": "Schedule type",
    "cfgScale": "CFG scale",
    "seed": "Seed",
    "clipSkip": "Clip skip",
    "denoise": "Denoising strength",
}
# What are lists of files, or texts that are read elsewhere.
_NO_FIELDS = frozenset(
    ("prompt", "negativePrompt", "resources", "civitaiResources", "hashes", "comfy", "width",
     "height", "models", "additionalResources", "extra", "workflow", "meta", "id")
)  # fmt: skip
_LORAS = ("lora", "locon", "lycoris", "dora")
_MOST_PICTURES = 1000
# Base models of which the layer before the last is taken whatever is said.
_SDXL = ("SDXL", "Pony", "Illustrious", "NoobAI")


def comfyui_texts(document: Any) -> dict[str, str]:
    """ComfyUI's `workflow` and `prompt` of a picture that was made with it, as texts; {} for none.
    They stand there as one text, or apart."""
    for picture in _pictures(document):
        comfy = _meta(picture).get("comfy")
        said: Any = comfy
        if isinstance(comfy, str):
            said = parsed(comfy)
        found = {}
        for name in ("workflow", "prompt"):
            value = values.mapping(said).get(name)
            if isinstance(value, Mapping):
                found[name] = json.dumps(value)
            elif isinstance(value, str):
                found[name] = value
        if found:
            return found
    return {}


def read(document: Any, _fields: Mapping[str, str]) -> GenerationParams | None:
    """Of a picture, a list of pictures or a sidecar; None for what is none of civitai's.

    Raises GraphFileError for one that says nothing of how it was made.
    """
    pictures = list(_pictures(document))
    for picture in pictures:
        if (found := _of_picture(picture, _meta(picture))) is not None:
            return _with_sidecar(found, document) if _is_sidecar(document) else found
    if _is_sidecar(document):
        return _of_sidecar(document)
    if any(_is_picture(picture) for picture in pictures):
        raise GraphFileError(
            "civitai knows nothing of how this picture was made: its meta is empty.",
            remedy="Whoever made it did not publish that; the picture itself may still carry it.",
        )
    return None


def _pictures(document: Any) -> Iterator[Mapping[str, Any]]:
    """Those of an answer, a list or a sidecar, or the only one."""
    said = values.mapping(document)
    listed = document if isinstance(document, list) else said.get("items", said.get("images"))
    if isinstance(listed, list):
        yield from values.rows(listed, _MOST_PICTURES)
    elif said:
        yield said


def _is_picture(picture: Mapping[str, Any]) -> bool:
    return "meta" in picture and "url" in picture


def _meta(picture: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is said of a picture, which newer answers have one level deeper; it may be given by
    itself."""
    meta = values.mapping(picture.get("meta")) if "meta" in picture else picture
    inner = meta.get("meta")
    return inner if isinstance(inner, Mapping) else meta


def _of_picture(picture: Mapping[str, Any], meta: Mapping[str, Any]) -> GenerationParams | None:
    """None where it says neither how nor by which files."""
    known = meta.keys() & {"cfgScale", "steps", "sampler", "resources", "civitaiResources"}
    if not isinstance(meta.get("prompt"), str) or not known:
        return None
    prompts = (values.words(meta["prompt"]), values.words(meta.get("negativePrompt")))
    params = infotext.read(compose(Infotext(*prompts, _fields_of(picture, meta))))
    return _with_files(params, meta)


def _fields_of(picture: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, str]:
    """As A1111 would have written them."""
    fields = {"Steps": "20"}  # these begin the line
    for name, value in meta.items():
        if name not in _NO_FIELDS and isinstance(value, str | int | float):
            fields[_FIELDS.get(name, name)] = values.plainly(value)
    for name, title in (("hashes", "Hashes"), ("civitaiResources", "Civitai resources")):
        if value := meta.get(name):
            fields[title] = json.dumps(value)
    sides = [
        values.pixels(said.get(side)) for said in (meta, picture) for side in ("width", "height")
    ]
    for width, height in (sides[:2], sides[2:]):
        if width and height:
            fields.setdefault("Size", f"{width}x{height}")
    if values.name(picture.get("baseModel")).startswith(_SDXL):
        fields.pop("Clip skip", None)
    if "Version" not in fields:
        comfyui = fields.get("Sampler") in a1111_names.SAMPLERS
        fields |= {"Version": "ComfyUI"} if comfyui else {"App": PROGRAM}
    return fields | {"Parser": PROGRAM}


def _with_files(params: GenerationParams, meta: Mapping[str, Any]) -> GenerationParams:
    """With the files that `resources` names and the text does not."""
    loras = list(params.loras)
    model = params.model
    for row in values.rows(meta.get("resources")):
        kind, name = values.name(row.get("type")).lower(), values.name(row.get("name"))
        hash, weight = values.name(row.get("hash")), values.number(row.get("weight"), -100, 100)
        if kind in ("model", "checkpoint"):
            model = UsedModel(model.name or name, model.hash or hash)
        elif kind in _LORAS and name:
            known = next((i for i, lora in enumerate(loras) if lora.name == name), None)
            if known is None:
                strength = 1.0 if weight is None else weight
                loras.append(UsedLora(name, strength, strength, hash))
            elif not loras[known].hash:
                loras[known] = replace(loras[known], hash=hash)
    return replace(params, model=model, loras=tuple(loras))


# --- Sidecars -------------------------------------------------------------------------------------


def _is_sidecar(document: Any) -> bool:
    said = values.mapping(document)
    return "modelId" in said and isinstance(said.get("files"), list)


def _file(document: Mapping[str, Any]) -> tuple[str, str, str]:
    """The kind of the model, its file and the hash of that."""
    kind = values.name(values.mapping(document.get("model")).get("type")).lower()
    files = values.rows(document["files"])
    file = next((row for row in files if row.get("primary")), files[0] if files else {})
    hashes = values.mapping(file.get("hashes"))
    how = ("SHA256", "AutoV2")
    hash = next((text for name in how if (text := values.name(hashes.get(name)))), "")
    return kind, values.name(file.get("name")), hash.lower()


def _with_sidecar(params: GenerationParams, document: Mapping[str, Any]) -> GenerationParams:
    """The first example, made with the file that the sidecar is beside."""
    kind, file, hash = _file(document)
    told = f"this is the first example of {model_name(file)} that says how it was made"
    params = replace(params, remarks=(told, *params.remarks))
    if kind == "checkpoint":
        return replace(params, model=UsedModel(file, hash))
    if kind not in _LORAS:
        return params
    stem = model_name(file)
    loras = [lora for lora in params.loras if model_name(lora.name) != stem]
    used = next((lora for lora in params.loras if lora not in loras), UsedLora(""))
    return replace(params, loras=(replace(used, name=file, hash=hash), *loras))


def _of_sidecar(document: Mapping[str, Any]) -> GenerationParams:
    """No example says anything: the file with its words."""
    kind, file, hash = _file(document)
    words = ", ".join(
        text for text in map(values.words, _listed(document.get("trainedWords"))) if text
    )
    remark = "no example of this model says how it was made: the settings are the usual ones"
    params = GenerationParams(program=PROGRAM, prompt=words, remarks=(remark,))
    if kind in _LORAS:
        return replace(params, loras=(UsedLora(file, hash=hash),))
    return replace(params, model=UsedModel(file, hash) if kind == "checkpoint" else UsedModel())


def _listed(value: Any) -> list[Any]:
    return value[:100] if isinstance(value, list) else []
