"""From a model file to a network that runs: offline, strict, and nothing in memory twice.

Importing this loads no torch.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ponystudio.diffusion.families import Family, families, find_family
from ponystudio.diffusion.loading import control_part
from ponystudio.diffusion.loading.model_parts import (
    PARTS,
    Hints,
    ModelPart,
    Tensors,
    opened,
    predicts,
)
from ponystudio.diffusion.loading.text_encoder_files import together
from ponystudio.diffusion.weights import tensor_names
from ponystudio.diffusion.weights.name_table import Naming
from ponystudio.errors import ModelFileError, UnsupportedModel, WrongKind
from ponystudio.library.formats.content_id import Remembered, identity
from ponystudio.library.formats.quantization import of_networks
from ponystudio.library.formats.weights_file import WeightsFile
from ponystudio.library.recognition.model_file import check_usable
from ponystudio.library.recognition.recognise import ModelFile, check_kind
from ponystudio.library.recognition.recognise import recognise as read_header

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ponystudio.api import Model, Modifier
    from ponystudio.diffusion.weights.network import Network

T = TypeVar("T")
Options = Iterable[tuple[str, str | int | float | bool]]
# Parts in files that were looked at and found whole.
_whole: Remembered[bool] = Remembered()
# The shapes of parts of files, by our names.
_shapes: Remembered[dict[str, tuple[int, ...]]] = Remembered()


def recognise(path: Path, kind: str) -> ModelFile:
    """What a model file is, once it is sure to be of a kind ("checkpoints", "vae", "loras", ...).

    Reads headers alone. Raises WrongKind, DamagedFile, UnsafeFile, UnknownModel, UnsupportedModel.
    """
    found = read_header(path)
    check_kind(found, kind)
    return found


@dataclass(frozen=True)
class DescribedDenoiser:
    """What a denoiser says of itself, as `Denoiser` has it, told by headers alone."""

    family: Family
    prediction: str
    zsnr: bool
    guided: bool
    modifiers: tuple[Modifier, ...]


def describe(model: Model) -> DescribedDenoiser:
    """How a model counts its noise, without its weights. Raises what `recognise` raises."""
    info, family = recognise(Path(model.path), "diffusion_models"), find_family(model.family)
    prediction, zsnr = predicts(info, dict(model.options))
    return DescribedDenoiser(
        family, prediction or family.prediction, zsnr, info.guided, model.modifiers
    )


def load(
    path: Path,
    part: str,
    *,
    device: torch.device | str,
    dtype: torch.dtype,
    options: Options = (),
    check: Callable[[], None] = lambda: None,
    room: int | None = None,
) -> Any:
    """Load one part of a model file or diffusers folder.

    `part` "model" gives a Denoiser, "clip" a TextEncoder, "vae" an Autoencoder, "controlnet" a
    ControlNetwork, "vision" a VisionEncoder, "style_model" a StyleEncoder, "gligen" a
    GligenNetwork, "aesthetic_head" an AestheticScorer, "upscaler" a SuperResolution. Tensors that
    are stored in `dtype` stay mapped from the file when `device` is the CPU; the others are cast
    one by one. `options`: ("ema", True) takes averaged weights where the file has them;
    ("prediction", word) is one of predictions.PREDICTIONS, in place of what the file says. Of text
    encoders ("family", name) says whose they are, each ("with", path) is a further file of theirs,
    and ("tokenizer", path) that of T5's tokenizer. Of a ControlNet that only changes the weights of
    a model, ("base", path) is the file of that. `check` is called before every tensor and may raise
    Cancelled. `room`: of blocks of the network only as many stay in memory as so many bytes hold,
    the others come as they are needed; None: all stay. Stop waits for no import, of which the first
    load has seconds, and for no disk.
    Raises subclasses of ModelFileError, and MissingFile where a tokenizer is not to be found.
    """
    import torch

    from ponystudio.diffusion.loading.cancel_hooks import aside

    options, where = tuple(options), torch.device(device)
    named = _by_name(options)

    def work(check: Callable[[], None]) -> Any:
        if part == "upscaler":
            from ponystudio.diffusion.images.upscale import load_upscaler

            return load_upscaler(path, where, dtype)
        return _load(path, part, where, dtype, options, check, room)

    try:
        return aside(work, check)
    except ModelFileError as error:
        further = [other.name for other in named["with"]]
        error.where = error.where or ", ".join([path.name, *further] if further else [str(path)])
        raise


def check_part(path: Path, part: str, options: Options = ()) -> None:
    """Raise what `load` would raise of a part by what the headers of its files tell, once as long
    as they stay the same.

    Loads no torch.
    """
    if part not in PARTS:
        return

    def looked_at() -> bool:
        found = find_part(path, part, options)
        with found.file:
            _described(PARTS[part], found)
        return True

    _of_headers(_whole, looked_at, path, part, options)


def part_shapes(path: Path, part: str, options: Options = ()) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors of a part by our names, as the headers of its files tell them; not
    to be changed. Loads no torch. Raises what `load` does of headers.
    """

    def looked_at() -> dict[str, tuple[int, ...]]:
        found = find_part(path, part, options)
        with found.file:
            return found.shapes

    return _of_headers(_shapes, looked_at, path, part, options)


def _of_headers(
    known: Remembered[T], look: Callable[[], T], path: Path, part: str, options: Options
) -> T:
    try:
        named = _by_name(options)
        bases = [Path(named["base"])] if "base" in named else []
        files = [path, *named["with"], *bases]
        if any(file.is_dir() for file in files):  # whose files may change without it
            return look()
        return known.of([identity(file) for file in files], look, path, part, tuple(options))
    except ModelFileError as error:
        error.where = error.where or str(path)
        raise


def _by_name(options: Options) -> dict[str, Any]:
    """There may be several further files; of the others the last counts."""
    pairs = list(options)
    return {**dict(pairs), "with": [Path(str(value)) for name, value in pairs if name == "with"]}


def quiet_libraries() -> None:
    """Keep diffusers and transformers off the network and off the terminal."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    # diffusers' own ControlNets of FLUX still take what it has put elsewhere.
    warnings.filterwarnings("ignore", "`FluxPosEmbed` is deprecated", FutureWarning)
    import diffusers.utils.logging
    import transformers.utils.logging

    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()


def _load(
    path: Path,
    part: str,
    device: torch.device,
    dtype: torch.dtype,
    options: Options,
    check: Callable[[], None],
    room: int | None,
) -> Network[Any]:
    from ponystudio.diffusion.loading import block_streaming
    from ponystudio.diffusion.weights.fill_module import fill
    from ponystudio.diffusion.weights.weights import Weights

    quiet_libraries()
    found, how = find_part(path, part, options), PARTS[part]
    try:
        weights = Weights(found.file, found.naming)
        module = built_empty(part, found)
        # What is added to weights is added once: they stay.
        coming = block_streaming.coming(module, dtype, None if found.added else room)
        come = {name for block in coming for name in block.names}
        fill(module, weights, come, how.noun, device, dtype, check)
        network = how.wrap(module, found.family, weights, found.info, _by_name(options))
        if found.added:
            control_part.add(network, weights, found.added)
        if coming:
            network.stream = block_streaming.Stream(
                module, weights, coming, device, dtype, rounds=network.rounds_patches
            )
        return network
    except BaseException:
        found.file.close()
        raise


@dataclass(frozen=True)
class FoundPart:
    """A part of a model in its open file: whose it is, where its tensors stand, and what is said of
    its components beside them. `added`: to weights that are another file's."""

    info: ModelFile
    file: WeightsFile
    family: Family
    naming: Naming
    hints: Mapping[str, Hints]
    added: control_part.Added | None = None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.naming.shapes(self.file.tensors)


def find_part(path: Path, part: str, options: Options = ()) -> FoundPart:
    """Open the file of a part; whoever asks closes it. `options` are those of `load`.

    Loads no torch. Raises subclasses of ModelFileError.
    """
    info, how, named = read_header(path), PARTS[part], _by_name(options)
    if part == "controlnet":
        check_usable(info)
        if info.control and info.control.needs_model:
            return _changing(info, named)
    told = find_family(named["family"]) if "family" in named else None
    file, hints = together([path, *named["with"]], told) if told else opened(info, how)
    try:
        family = told or _kin(info, part, file)
        naming = how.naming(_own(file), family)
        if not naming.names:
            raise WrongKind(f"There is no {how.noun} in this file.", remedy=how.elsewhere)
        if named.get("ema"):
            naming = replace(naming, names=tensor_names.averaged(naming.names, file.tensors))
        return FoundPart(info, file, family, naming, hints)
    except BaseException:
        file.close()
        raise


def _changing(info: ModelFile, options: Mapping[str, Any]) -> FoundPart:
    """A ControlNet that changes the weights of a model."""
    if "base" not in options:
        raise WrongKind(
            "This ControlNet only holds what it changes in the weights of a model.",
            remedy=f"Wire that model into {control_part.NODE}.",
        )
    base = find_part(Path(options["base"]), "model")
    with ExitStack() as files:
        files.callback(base.file.close)
        own, hints = opened(info, PARTS["controlnet"])
        files.callback(own.close)
        told = {"controlnet": {**base.hints.get("unet", {}), **hints["controlnet"]}}
        file, naming, added = control_part.with_base(info, own, base.file, base.naming.names)
        files.pop_all()
    return FoundPart(info, file, base.family, naming, told, added)


def _own(file: WeightsFile) -> Tensors:
    return {name: file.tensors[name] for name in of_networks(file.tensors)}


def _kin(info: ModelFile, part: str, file: WeightsFile) -> Family:
    """Whose the part is; one that is alone in its file is taken for the first that it fits."""
    if info.family or part == "model":
        return find_family(info.family)
    shapes: Mapping[str, tuple[int, ...]] = {}
    # Those of several text encoders first: one of theirs alone may be another family's.
    for family in sorted(families().values(), key=lambda family: -len(family.towers)):
        shapes = PARTS[part].naming(_own(file), family).shapes(file.tensors)
        if PARTS[part].fits(shapes, family):
            return family
    if channels := shapes.get(tensor_names.VAE_ROOT, ())[1:2]:
        raise UnsupportedModel(
            f"The latents of this autoencoder have {channels[0]} channels, and no model that can be"
            " run has such.",
            remedy="Use the VAE that comes with the model.",
        )
    return find_family("")


def built_empty(part: str, found: FoundPart) -> nn.Module:
    """The network of a part without any memory for its weights."""
    import torch

    how = PARTS[part]
    arguments = _described(how, found)
    try:
        with torch.device("meta"):
            return how.build(arguments, found.family)
    except ModelFileError:
        raise
    except Exception as error:  # the libraries check what they are told, each in its own way
        raise _no_sense(how, error) from error


def _described(how: ModelPart, found: FoundPart) -> dict[str, Any]:
    try:
        return how.config(found.shapes, found.family, found.hints)
    except ModelFileError:
        raise
    except Exception as error:  # shapes of a file may be anything
        raise _no_sense(how, error) from error


def _no_sense(how: ModelPart, error: Exception) -> UnsupportedModel:
    return UnsupportedModel(
        f"No {how.noun} can be built as this file describes it ({error}).",
        remedy="What it says about itself in `ponystudio.config` may be wrong.",
    )
