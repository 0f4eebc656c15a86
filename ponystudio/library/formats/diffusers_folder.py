"""Diffusers folders: a component a subfolder, each a config and weights, whole or in shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponystudio.errors import DamagedFile, MissingFile, UnknownModel, UnreadFile, UnsafeFile
from ponystudio.library.formats.quantization import refuse_settings
from ponystudio.library.formats.tensor_info import Closing
from ponystudio.library.formats.weights_file import WeightsFile, merged, open_weights
from ponystudio.system.json_reader import read_json
from ponystudio.system.regular_file import open_regular

INDEX = "model_index.json"
CONFIG = "config.json"
SCHEDULER = ("scheduler", "scheduler_config.json")
# What a model is made of; safety checkers and feature extractors are not opened.
COMPONENTS = (
    *("unet", "transformer", "vae"),
    *("text_encoder", "text_encoder_2", "text_encoder_3", "image_encoder"),
)
# Names of weights without suffix, with what a variant ("fp16") adds behind them.
STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
SUFFIXES = (".safetensors", ".bin")
VARIANTS = ("", ".fp16", ".bf16", ".fp32")
LONGEST_JSON = 32 << 20


@dataclass
class ModelFolder(Closing):
    """An open diffusers folder; a context manager.

    `components` are the weights by component ("unet", "vae", "text_encoder"), under diffusers'
    names; `configs` what their `config.json` say; `scheduler` what the scheduler's says.
    """

    path: Path
    components: Mapping[str, WeightsFile]
    configs: Mapping[str, Mapping[str, Any]]
    scheduler: Mapping[str, Any]

    def close(self) -> None:
        for file in self.components.values():
            file.close()


def open_folder(path: Path, only: Iterable[str] = COMPONENTS) -> ModelFolder:
    """Open the components `only` of a diffusers folder, as far as they are there.

    A folder of one component alone (a `config.json` and weights) has the one component "". Whole
    precision is preferred to variants, .safetensors to .bin. Raises UnknownModel for another kind
    of folder, and what `open_weights` raises.
    """
    if (path / INDEX).is_file():
        places = {name: path / name for name in only if (path / name).is_dir()}
    elif (path / CONFIG).is_file():
        places = {"": path}
    else:
        raise UnknownModel(
            "This folder holds no model: it has neither a model_index.json nor a config.json.",
            where=str(path),
            remedy="Choose a file, or a folder in the layout of diffusers.",
        )
    with ExitStack() as opened:
        files = {name: opened.enter_context(_weights(place)) for name, place in places.items()}
        configs = {
            name: _json(place / CONFIG) if (place / CONFIG).is_file() else {}
            for name, place in places.items()
        }
        for name, config in configs.items():
            refuse_settings(config, str(places[name] / CONFIG))
        scheduler = path.joinpath(*SCHEDULER)
        result = ModelFolder(path, files, configs, _json(scheduler) if scheduler.is_file() else {})
        opened.pop_all()
    return result


def _weights(folder: Path) -> WeightsFile:
    for variant in VARIANTS:
        for suffix in SUFFIXES:
            for stem in STEMS:
                whole = folder / f"{stem}{variant}{suffix}"
                if whole.is_file():
                    return open_weights(whole)
                for index in (f"{suffix}.index{variant}.json", f"{suffix}{variant}.index.json"):
                    if (folder / f"{stem}{index}").is_file():
                        return _shards(folder / f"{stem}{index}")
    raise MissingFile("There are no weights in this folder.", where=str(folder))


def _shards(index: Path) -> WeightsFile:
    weight_map = _json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise DamagedFile("This list of shards makes no sense.", where=str(index))
    names = sorted(set(map(str, weight_map.values())))
    if outside := [name for name in names if set(name) & set("/\\:") or name.startswith(".")]:
        raise UnsafeFile(
            f"The list of shards names {outside[0]!r}, outside of the folder.", where=str(index)
        )
    with ExitStack() as opened:
        files = [opened.enter_context(open_weights(index.parent / name)) for name in names]
        result = merged(index.parent, files)
        opened.pop_all()
    if missing := weight_map.keys() - result.tensors.keys():
        raise DamagedFile(
            f"The shards lack {len(missing)} tensors, among them {min(missing)!r}.",
            where=str(index),
            remedy="Download them again.",
        )
    return result


def _json(path: Path) -> dict[str, Any]:
    try:
        with open_regular(path) as file:
            content = read_json(file.read(LONGEST_JSON))
    except OSError as error:
        raise UnreadFile(f"The file cannot be read: {error}.", where=str(path)) from None
    except ValueError as error:
        raise DamagedFile(f"The file cannot be read: {error}.", where=str(path)) from None
    if not isinstance(content, dict):
        raise DamagedFile("The file is no JSON object.", where=str(path))
    return content
