"""`convert`: what it writes, and what it refuses."""

from __future__ import annotations

from safetensors import safe_open

from helpers.checkpoints import lightning, micro, weights
from ponystudio.cli.arguments import main


def test_convert(tmp_path, said):
    source, target = tmp_path / "old.ckpt", tmp_path / "new.safetensors"
    lightning(source, optimizer=True)
    assert said("convert", source, target, "--half") == f"{target}\n"
    with safe_open(target, "pt") as file:
        names = set(file.keys())
        stored = file.get_tensor("first_stage_model.decoder.conv_out.weight")
    assert names == set(weights())
    assert (stored == weights()["first_stage_model.decoder.conv_out.weight"]).all()


def test_convert_gives_nothing_but_safetensors(tmp_path, capsys):
    source = micro(tmp_path / "a.safetensors")
    assert main(["convert", str(source), str(tmp_path / "b.ckpt")]) == 2
    assert "b.safetensors" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_convert_into_a_folder_that_is_not_there(tmp_path, capsys):
    source = micro(tmp_path / "a.safetensors")
    assert main(["convert", str(source), str(tmp_path / "no" / "b.safetensors")]) == 1
    assert f"Make the folder {tmp_path / 'no'}" in capsys.readouterr().err
