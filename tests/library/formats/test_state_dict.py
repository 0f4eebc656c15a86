"""Weights are found under their wrappers and among training state."""

from __future__ import annotations

from pathlib import Path

import torch

from helpers import checkpoints
from ponystudio.diffusion.weights.weights import tensors
from ponystudio.library.formats.weights_file import open_weights


def test_lightning_tells_of_itself(tmp_path: Path) -> None:
    path = checkpoints.lightning(tmp_path / "a b=c.ckpt", ema=True, optimizer=True)
    with open_weights(path) as file:
        assert file.format == "pickle zip"
        assert file.wrapper == "state_dict"
        assert {"optimizer_states", "callbacks", "loops"} <= set(file.extra_keys)
        assert file.metadata["epoch"] == "2"
        assert file.metadata["global_step"] == "26400"
        assert file.metadata["pytorch-lightning_version"] == "1.7.6"
        assert file.tensors["model_ema.num_updates"].dtype == "I32"
        averaged = dict(tensors(file))["model_ema.diffusion_modelinput_blocks00weight"]
        weight = checkpoints.weights()["model.diffusion_model.input_blocks.0.0.weight"]
        assert torch.equal(averaged, weight.float() * 1.5)


def test_wrappers(tmp_path: Path) -> None:
    one, two = {"conv_first.weight": torch.ones(1)}, {"conv_first.weight": torch.zeros(1)}
    path = tmp_path / "net_g.pth"
    torch.save({"params": one, "params_ema": two}, path)
    with open_weights(path) as file:
        assert (file.wrapper, file.siblings) == ("params_ema", ("params",))
        assert dict(tensors(file))["conv_first.weight"] == 0
    with open_weights(path, wrapper="params") as file:
        assert (file.wrapper, file.siblings) == ("params", ("params_ema",))
        assert dict(tensors(file))["conv_first.weight"] == 1


def test_wrappers_in_wrappers(tmp_path: Path) -> None:
    torch.save({"model": {"state_dict": {"a": torch.ones(2)}}, "epoch": 7}, tmp_path / "x.pt")
    with open_weights(tmp_path / "x.pt") as file:
        assert list(file.tensors) == ["a"]
        assert file.metadata == {"epoch": "7"}


def test_textual_inversion_of_a1111(tmp_path: Path) -> None:
    class_name = torch.nn.ParameterDict({"*": torch.nn.Parameter(torch.ones(2, 768))})
    state = {
        "string_to_token": {"*": 265},
        "string_to_param": class_name,
        "name": "pony",
        "step": 500,
        "sd_checkpoint": None,
    }
    torch.save(state, tmp_path / "pony.pt")
    with open_weights(tmp_path / "pony.pt") as file:
        assert list(file.tensors) == ["string_to_param.*"]
        assert torch.equal(dict(tensors(file))["string_to_param.*"], torch.ones(2, 768))
        assert file.metadata["name"] == "pony"


def test_lists_of_tensors(tmp_path: Path) -> None:
    torch.save([torch.ones(2), {"a": torch.zeros(3)}], tmp_path / "list.pt")
    with open_weights(tmp_path / "list.pt") as file:
        assert list(file.tensors) == ["0", "1.a"]
