"""Latent files: round trip, old unscaled files, and refusals."""

import pytest
import torch
from safetensors.torch import save_file

from helpers.paths import PARITY
from ponystudio.diffusion.images.latent_file import latent_bytes, read_latent
from ponystudio.errors import DamagedFile, WrongKind


def test_round_trip(tmp_path):
    values = torch.randn(2, 4, 3, 5)
    file = tmp_path / "a.latent"
    file.write_bytes(latent_bytes(values, "sd1", {"graph": "{}"}))
    read, family = read_latent(file)
    assert torch.equal(read, values)
    assert family == "sd1"


def test_files_without_the_marker_hold_scaled_values(tmp_path):
    values = torch.ones(1, 4, 2, 2)
    save_file({"latent_tensor": values * 0.18215}, tmp_path / "old.latent")
    assert torch.allclose(read_latent(tmp_path / "old.latent")[0], values)


def test_reference_of_the_peer_is_unscaled():
    values, family = read_latent(PARITY / "euler__normal.latent")
    assert values.shape == (1, 4, 16, 16)
    assert family == ""


def test_refusals(tmp_path):
    file = tmp_path / "x.latent"
    save_file({"other": torch.zeros(1)}, file)
    with pytest.raises(WrongKind, match="no latent"):
        read_latent(file)
    file.write_bytes(b"not safetensors")
    with pytest.raises(DamagedFile):
        read_latent(file)
