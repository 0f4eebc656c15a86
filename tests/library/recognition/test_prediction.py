"""What a model predicts, by whatever tells it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from helpers.model_shapes import SD1, SD2, SDXL, UNET
from helpers.sparse import write_sparse
from ponystudio.library.recognition.recognise import recognise


@pytest.mark.parametrize(
    ("metadata", "prediction", "zsnr"),
    [
        ({}, "eps", False),
        ({"modelspec.prediction_type": "v"}, "v", False),
        ({"modelspec.prediction_type": "epsilon"}, "eps", False),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v", False),
        ({"ss_v_parameterization": "True"}, "v", False),
        ({"ss_zero_terminal_snr": "True"}, "v", True),
        ({"modelspec.prediction_type": "v", "ss_zero_terminal_snr": "True"}, "v", True),
    ],
)
def test_prediction_by_metadata(
    metadata: dict[str, str], prediction: str, zsnr: bool, tmp_path: Path
) -> None:
    found = recognise(write_sparse(tmp_path / "m.safetensors", SD1, metadata))
    assert (found.prediction, found.zsnr) == (prediction, zsnr)


@pytest.mark.parametrize(
    ("markers", "zsnr"),
    [(["v_pred"], False), (["v_pred", "ztsnr"], True), (["edm_vpred.sigma_max"], False)],
)
def test_prediction_by_markers(markers: list[str], zsnr: bool, tmp_path: Path) -> None:
    shapes = {**SDXL, **{name: [0] for name in markers}}
    found = recognise(write_sparse(tmp_path / "m.safetensors", shapes))
    assert (found.prediction, found.zsnr) == ("v", zsnr)


# Lists of lists, and mappings merged from mappings, that would fill any memory.
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


MERGES = "a0: &a0 {x: y}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "prediction", "zsnr"),
    [
        ('model:\n  params:\n    parameterization: "v"\n', "v", False),
        ("model:\n  params:\n    parameterization: v\n    zero_snr: true\n", "v", True),
        ("model:\n  params:\n    parameterization: eps\n", "eps", False),
        (
            "model:\n  params:\n    denoiser_config:\n      params:\n        scaling_config:\n"
            "          target: sgm.modules.VScaling\n",
            "v",
            False,
        ),
        ("model: [", "eps", False),
        ("just text", "eps", False),
        ("model: &a\n  params: *a\n", "eps", False),
        ("model:\n  params:\n    parameterization: v\n    zero_snr: no\n", "v", False),
        (LAUGHS, "eps", False),
        (MERGES, "eps", False),
        ("model: 1" + ":1" * 400 + ".5\n", "eps", False),
        ("model: [" + "x," * 500_000 + "]\n", "eps", False),
    ],
)
def test_prediction_by_sidecar(text: str, prediction: str, zsnr: bool, tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "fluffy.safetensors", SD1)
    assert recognise(path).prediction == "eps"
    (tmp_path / "fluffy.yaml").write_text(text)
    found = recognise(path)
    assert (found.prediction, found.zsnr) == (prediction, zsnr)


def test_the_sidecar_wins(tmp_path: Path) -> None:
    metadata = {"modelspec.prediction_type": "epsilon"}
    path = write_sparse(tmp_path / "m.safetensors", SD1, metadata)
    path.with_suffix(".yaml").write_text("model:\n  params:\n    parameterization: v\n")
    assert recognise(path).prediction == "v"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("spread", "prediction"), [(0.05, "eps"), (0.12, "v")])
def test_prediction_of_sd2(
    spread: float, prediction: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    state = {name: torch.zeros(*shape, dtype=torch.float16) for name, shape in SD2.items()}
    bias = torch.linspace(-1, 1, 320)
    name = f"{UNET}output_blocks.11.1.transformer_blocks.0.norm1.bias"
    state[name] = (bias / bias.std(correction=0) * spread).to(dtype)
    save_file(state, tmp_path / "m.safetensors")
    found = recognise(tmp_path / "m.safetensors")
    assert (found.family, found.prediction) == ("sd2", prediction)


@pytest.mark.parametrize(("last", "zsnr"), [(0.0047, False), (0.0, True)])
def test_zero_terminal_snr_by_stored_schedule(last: float, zsnr: bool, tmp_path: Path) -> None:
    state = {name: torch.zeros(*shape, dtype=torch.float16) for name, shape in SD1.items()}
    state["alphas_cumprod"] = torch.linspace(0.999, last, 1000)
    save_file(state, tmp_path / "m.safetensors")
    found = recognise(tmp_path / "m.safetensors")
    assert (found.prediction, found.zsnr) == ("v" if zsnr else "eps", zsnr)
    # Who says that it predicts noise all the same is believed.
    save_file(state, tmp_path / "m.safetensors", {"modelspec.prediction_type": "epsilon"})
    found = recognise(tmp_path / "m.safetensors")
    assert (found.prediction, found.zsnr) == ("eps", zsnr)
