"""What is this model file? Answered from names, shapes and a few numbers, with reasons."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ponystudio.errors import ModelFileError, UnknownModel, UnsupportedModel
from ponystudio.library.formats import gguf_file
from ponystudio.library.formats.content_id import Remembered, identity, sidecar
from ponystudio.library.formats.diffusers_folder import ModelFolder, open_folder
from ponystudio.library.formats.quantization import BESIDE
from ponystudio.library.formats.tensor_info import TensorInfo
from ponystudio.library.formats.weights_file import WeightsFile, open_weights
from ponystudio.library.recognition import lora_layers, signatures
from ponystudio.library.recognition.control_signatures import control
from ponystudio.library.recognition.denoiser_signatures import (
    LORA_BASES,
    DenoiserSignature,
    Tensors,
    denoiser,
    gligen_family,
)
from ponystudio.library.recognition.few_steps import distilled
from ponystudio.library.recognition.model_file import ModelFile, Part, check_kind
from ponystudio.library.recognition.prediction import prediction
from ponystudio.system.json_reader import read_json

__all__ = ["ModelFile", "Part", "check_kind", "recognise", "recognise_open"]

Named = tuple[str, TensorInfo]
_known: Remembered[ModelFile] = Remembered()

CONFIG = "ponystudio.config"
# What the parts of a diffusers folder are to us.
COMPONENTS = {
    "unet": "model",
    "transformer": "model",
    "vae": "vae",
    "text_encoder": "clip",
    "text_encoder_2": "clip",
    "text_encoder_3": "clip",
    "image_encoder": "vision",
}
PARTS = {
    "model": "its denoiser",
    "vae": "its autoencoder",
    "clip": "a text encoder",
    "vision": "an encoder of pictures",
}


def recognise(path: Path) -> ModelFile:
    """What a file of weights or a diffusers folder is. Reads headers, no weights to speak of.

    Raises UnknownModel, DamagedFile, UnsafeFile, UnsupportedModel, MissingFile.
    """
    if path.is_dir():
        with open_folder(path) as folder:
            return _of_folder(folder)

    def find() -> ModelFile:
        with open_weights(path) as file:
            return recognise_open(file)

    config = sidecar(path)
    return _known.of([identity(p) for p in (path, config) if p == path or p.is_file()], find, path)


def recognise_open(file: WeightsFile) -> ModelFile:
    """What an open file of weights is."""
    _ = file.quantized  # raises for what is not understood
    tensors = _without_module(file.tensors)
    for decide in (_adapter, _model, _small):
        if found := decide(file, tensors):
            return found
    if any("optimizer" in key for key in file.extra_keys):
        return _plain(file, "optimizer state", "it holds the state of an optimizer and no weights")
    raise _unknown(file)


def _unknown(file: WeightsFile) -> ModelFileError:
    where = str(file.path)
    if file.format == "gguf" and (what := gguf_file.foreign(file.metadata)):
        return UnsupportedModel(what, where=where)
    if file.tensors:
        return UnknownModel("This is no kind of model that is known here.", where=where)
    return UnknownModel("There are no weights in this file.", where=where)


def _adapter(file: WeightsFile, tensors: Tensors) -> ModelFile | None:
    if lora_layers.is_lora(tensors):
        family, why = _lora_family(file.metadata, tensors)
        reason = "most of its tensors are pairs that change the layers of another model"
        found = _plain(file, "lora", reason, why, family=family)
        try:
            lora_layers.contents(file.path, tensors)
        except ModelFileError as error:
            return replace(found, refused=error.what, remedy=error.remedy)
        return found
    return _control(file, tensors)


def _control(file: WeightsFile, tensors: Tensors, path: Path | None = None) -> ModelFile | None:
    """A ControlNet or its kin; `path`: of the folder that it is the one component of."""
    found = control(tensors, (path or file.path).stem)
    if found is None:
        return None
    layers = "the layers of a T2I-adapter" if found.kind == "adapter" else "a ControlNet's input"
    return replace(
        _plain(
            file,
            "controlnet",
            f"it has {layers} for the hint picture",
            f"it is for {found.family or 'unknown models'}: {found.why}" if found.why else "",
            family=found.family,
        ),
        path=path or file.path,
        control=found,
        refused=found.refused,
        remedy=found.remedy,
    )


def _model(file: WeightsFile, tensors: Tensors) -> ModelFile | None:
    found = denoiser(tensors)
    autoencoder = signatures.autoencoder(tensors)
    text_prefixes, noun = signatures.text_encoders(tensors)
    vision = signatures.image_encoder(tensors)
    prefixes: dict[str, list[str]] = {}
    why: list[str] = []
    if found:
        prefixes["model"] = [found.prefix]
        why.append(f"it has a denoiser of the family {found.family or '?'}: {found.why}")
    if text_prefixes:
        prefixes["clip"] = text_prefixes
        why.append(f"it has {noun}")
    if autoencoder:
        prefixes["vae"] = [autoencoder[0]]
        why.append(f"it has an autoencoder with {autoencoder[1]} channels")
    if vision:
        prefixes["vision"] = [vision.prefix]
        why.append(f"it has {vision.noun}")
    if not prefixes:
        return None
    if found and (gligen := signatures.gligen(tensors)) is not None:
        prefixes["gligen"] = [f"{gligen}position_net."]
        why.append("it has GLIGEN's layers, which are told where things are to be")
    if any(name.startswith("model_ema.") for name in tensors):
        prefixes["ema"] = ["model_ema."]
        why.append("it has averaged weights (EMA) beside the others")
    return _result(
        file.path, file.format, _kind(prefixes), found, _parts(tensors, prefixes), why, file, {}
    )


def _small(file: WeightsFile, tensors: Tensors) -> ModelFile | None:
    if signatures.is_discriminator(tensors):
        return _plain(file, "discriminator", "it has the layers of a critic that judges pictures")
    if signatures.STYLE_MODEL in tensors:
        return _plain(
            file, "style_model", "it turns features of pictures into words for FLUX", family="flux"
        )
    if signatures.is_aesthetic_head(tensors):
        return _plain(file, "aesthetic_head", "it ends in one number, the score of a picture")
    if signatures.gligen(tensors) is not None:
        family, why = gligen_family(tensors)
        reason = "it has GLIGEN's layers, which are told where things are to be"
        return _plain(file, "gligen", reason, why, family=family)
    if signatures.is_upscaler(tensors):
        return _plain(file, "upscaler", "it has the layers of an ESRGAN network")
    if signatures.is_hypernetwork(tensors):
        family = signatures.hypernetwork_family(tensors)
        why = f"what it reads is as wide as {family}'s prompts" if family else ""
        reason = "it holds networks for the keys and values of attention"
        return _plain(file, "hypernetwork", reason, why, family=family)
    if signatures.is_embedding(tensors):
        width = max(info.shape[-1] for info in tensors.values() if info.shape)
        family = {768: "sd1", 1024: "sd2"}.get(width, "")
        both = {"clip_l", "clip_g"} <= set(tensors)
        return _plain(
            file,
            "embedding",
            f"it holds vectors of {width} numbers for words of a prompt",
            family="sdxl" if both else family,
        )
    return None


def _of_folder(folder: ModelFolder) -> ModelFile:
    found, why = None, []
    inside: defaultdict[str, list[Named]] = defaultdict(list)
    source = next(iter(folder.components.values()), None)
    if source is None:
        raise UnknownModel("There are no weights in this folder.", where=str(folder.path))
    alone = folder.components.get("")
    if alone and (steering := _control(alone, alone.tensors, folder.path)):
        return replace(steering, format=f"diffusers folder ({alone.format})")
    for name, file in folder.components.items():
        _ = file.quantized
        role = COMPONENTS.get(name) or _role(file)
        if role == "model":
            found, source = denoiser(file.tensors), file
        why.append(f"the folder {name or 'itself'} holds {PARTS[role]}")
        inside[role] += file.tensors.items()
    if found:
        why.append(f"its family is {found.family or '?'}: {found.why}")
    return _result(
        folder.path,
        f"diffusers folder ({source.format})",
        _kind(inside),
        found,
        {role: _part("", tensors) for role, tensors in inside.items()},
        why,
        source,
        folder.scheduler,
    )


def _role(file: WeightsFile) -> str:
    if denoiser(file.tensors):
        return "model"
    if signatures.autoencoder(file.tensors):
        return "vae"
    if signatures.text_encoders(file.tensors)[0]:
        return "clip"
    if signatures.image_encoder(file.tensors):
        return "vision"
    raise UnknownModel("This is no kind of model that is known here.", where=str(file.path))


def _result(
    path: Path,
    format: str,
    kind: str,
    denoiser: DenoiserSignature | None,
    parts: Mapping[str, Part],
    why: Iterable[str],
    file: WeightsFile,
    scheduler: Mapping[str, Any],
) -> ModelFile:
    result = ModelFile(
        path,
        format,
        kind,
        parts=parts,
        why=tuple(why),
        metadata=file.metadata,
        config=_config(file),
    )
    if denoiser is None:
        return result
    found = prediction(file, denoiser, scheduler)
    return replace(
        result,
        family=denoiser.family,
        prediction=found.kind,
        zsnr=found.zsnr,
        input_channels=denoiser.channels,
        guided=denoiser.guided,
        distilled=distilled(file.tensors, scheduler),
        largest=denoiser.largest,
        pictured=denoiser.pictured,
        why=(*result.why, found.why, *denoiser.notes),
    )


def _plain(file: WeightsFile, kind: str, *why: str, family: str = "") -> ModelFile:
    return ModelFile(
        file.path,
        file.format,
        kind,
        family,
        parts={kind: _part("", file.tensors.items())} if file.tensors else {},
        why=tuple(line for line in why if line),
        metadata=file.metadata,
        config=_config(file),
    )


def _kind(parts: Iterable[str]) -> str:
    present = set(parts) & {"model", "clip", "vae"}
    if "model" in present and len(present) > 1:
        return "checkpoint"
    if "model" in present:
        return "diffusion_model"
    if not present:
        return "vision"
    return "vae" if present == {"vae"} else "text_encoder"


def _parts(tensors: Tensors, prefixes: Mapping[str, Sequence[str]]) -> dict[str, Part]:
    """The parts that stand under these prefixes; a tensor belongs to the longest that it has."""
    owners = [(prefix, role) for role, listed in prefixes.items() for prefix in listed]
    owners.sort(key=lambda owner: -len(owner[0]))
    inside: dict[str, list[Named]] = {role: [] for role in prefixes}
    for name, info in tensors.items():
        role = next((role for prefix, role in owners if name.startswith(prefix)), None)
        if role is not None:
            inside[role].append((name, info))
    return {role: _part(prefixes[role][0], named) for role, named in inside.items()}


def _part(prefix: str, tensors: Iterable[Named]) -> Part:
    mine = [info for name, info in tensors if not name.endswith(BESIDE)]
    numbers: Counter[str] = Counter()
    for info in mine:
        numbers[info.dtype] += info.numel
    most = max(numbers, key=lambda dtype: numbers[dtype], default="")
    return Part(prefix, len(mine), sum(numbers.values()), most)


def _without_module(tensors: Tensors) -> Tensors:
    """Training on several devices puts `module.` before every name."""
    if tensors and all(name.startswith("module.") for name in tensors):
        return {name.removeprefix("module."): info for name, info in tensors.items()}
    return tensors


def _lora_family(metadata: Mapping[str, str], tensors: Tensors) -> tuple[str, str]:
    if family := signatures.lora_family(tensors):
        return family, f"the layers that it changes are {family}'s"
    for key in ("ss_base_model_version", "modelspec.architecture"):
        for start, family in LORA_BASES.items():
            if metadata.get(key, "").lower().startswith(start):
                return family, f"its {key} is {metadata[key]}"
    return "", ""


def _config(file: WeightsFile) -> dict[str, Any]:
    try:
        config = read_json(file.metadata.get(CONFIG, "{}"))
    except ValueError:
        return {}
    return config if isinstance(config, dict) else {}
