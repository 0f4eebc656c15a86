"""What a denoiser predicts: noise (eps), velocity (v) or flow. Shapes do not tell it.

Asked are, in this order: the sidecar `<name>.yaml`, marker tensors, the metadata, the stored
noise schedule, for SD2 one statistic of the weights, and at last the custom of the family.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponystudio.errors import UnreadFile
from ponystudio.library.formats.content_id import sidecar
from ponystudio.library.formats.weights_file import WeightsFile
from ponystudio.library.formats.yaml_file import LONGEST, is_true, read_yaml
from ponystudio.library.recognition.denoiser_signatures import DenoiserSignature
from ponystudio.system.regular_file import read_regular

# Failures that say nothing of a file: it is there, and may be read another time.
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
LARGEST = 100_000  # numbers that are read to answer a question
V_WORDS = ("v", "v_prediction", "v-prediction", "vpred")
SD2_MARKER = "output_blocks.11.1.transformer_blocks.0.norm1.bias"
# Above this spread the bias is of a model that was trained on v (measured on the released ones).
SD2_SPREAD = 0.09
# ᾱ of the last training step; models with some signal left have 0.0047.
NO_SIGNAL = 1e-4


@dataclass(frozen=True)
class Prediction:
    """ "eps", "v" or "flow"; whether its schedule ends in pure noise; and how that was found."""

    kind: str
    zsnr: bool
    why: str


def prediction(
    file: WeightsFile, denoiser: DenoiserSignature, scheduler: Mapping[str, Any]
) -> Prediction:
    """What the denoiser in this file predicts; `scheduler` is a diffusers folder's config."""
    if denoiser.flow:
        return Prediction("flow", False, f"{denoiser.family} models predict flow")
    zsnr = _ends_in_noise(file)
    for found in (*_sidecar(file.path), *_markers(file), *_metadata(file), *_config(scheduler)):
        return Prediction(found.kind, found.zsnr or zsnr, found.why)
    if zsnr:
        return Prediction("v", zsnr, "its stored schedule ends without signal, as in v models")
    if denoiser.family == "sd2" and denoiser.channels != 4:
        why = f"SD2 models of {denoiser.channels} channels predict noise (eps)"
        return Prediction("eps", False, why)
    if denoiser.family == "sd2":
        return _sd2(file, denoiser.prefix)
    return Prediction("eps", False, "nothing says otherwise, so it predicts noise (eps)")


def _sidecar(path: Path) -> Iterator[Prediction]:
    config = sidecar(path)
    try:
        params = read_yaml(config)["model"]["params"]
        kind = prediction_word(params.get("parameterization"))
        text = read_regular(config, LONGEST)
    except OSError as error:
        if error.errno in _PASSING:  # what it says decides what the model is
            raise UnreadFile(
                f"The file cannot be read: {error.strerror}.", where=str(config)
            ) from None
        return
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    if b"VScaling" in text or b"VWeighting" in text:  # how SDXL's configs say it
        kind = "v"
    if kind:
        zsnr = any("zero" in key and "snr" in key and is_true(params[key]) for key in params)
        yield Prediction(kind, zsnr, f"{config.name} beside it says {kind}")


def _markers(file: WeightsFile) -> Iterator[Prediction]:
    for name in ("v_pred", "edm_vpred.sigma_max"):
        if name in file.tensors:
            yield Prediction("v", "ztsnr" in file.tensors, f"it contains the tensor {name}")
    if "ztsnr" in file.tensors:
        yield Prediction("v", True, "it contains the tensor ztsnr")


def _metadata(file: WeightsFile) -> Iterator[Prediction]:
    zsnr = file.metadata.get("ss_zero_terminal_snr", "").lower() == "true"
    if kind := prediction_word(file.metadata.get("modelspec.prediction_type")):
        yield Prediction(kind, zsnr, f"modelspec.prediction_type says {kind}")
    architecture = file.metadata.get("modelspec.architecture", "")
    if architecture.endswith("-v"):
        yield Prediction("v", zsnr, f"modelspec.architecture is {architecture}")
    if zsnr or file.metadata.get("ss_v_parameterization", "").lower() == "true":
        yield Prediction("v", zsnr, "it was trained on v, as its training log says")


def _config(scheduler: Mapping[str, Any]) -> Iterator[Prediction]:
    if kind := prediction_word(scheduler.get("prediction_type")):
        zsnr = bool(scheduler.get("rescale_betas_zero_snr"))
        yield Prediction(kind, zsnr, f"the folder's scheduler says {kind}")


def prediction_word(word: Any) -> str:
    """Our word, eps or v, for the words of others, "" for any other word."""
    text = word.lower() if isinstance(word, str) else ""
    return "v" if text in V_WORDS else "eps" if text in ("eps", "epsilon") else ""


def _ends_in_noise(file: WeightsFile) -> bool:
    """Whether a stored schedule leaves no signal at its last step."""
    schedule = _values(file, "alphas_cumprod")
    return schedule is not None and len(schedule) > 1 and bool(abs(schedule[-1]) < NO_SIGNAL)


def _sd2(file: WeightsFile, prefix: str) -> Prediction:
    bias = _values(file, prefix + SD2_MARKER)
    if bias is None or not len(bias):
        return Prediction("v", False, "nothing tells, and most SD2 models predict v")
    spread = float(bias.std())
    kind = "v" if spread > SD2_SPREAD else "eps"
    return Prediction(
        kind, False, f"the spread of {SD2_MARKER} is {spread:.3f}, as in {kind} models"
    )


def _values(file: WeightsFile, name: str) -> Any:
    """A small tensor as a numpy array; None where it is not there or is not small."""
    from ponystudio.library.formats import tensor_values

    info = file.tensors.get(name)
    if info is None or not tensor_values.readable(info.dtype) or info.numel > LARGEST:
        return None
    return tensor_values.values(file, name)
