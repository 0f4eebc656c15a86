"""`ponystudio verify`: the same picture again, or what is different about it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from PIL import Image

import ponystudio_resources
from helpers.checkpoints import micro
from ponystudio.cli.arguments import main
from ponystudio.graph.formats.embedded_metadata import RECEIPT
from ponystudio.graph.formats.picture_writer import embed
from ponystudio.pictures.picture_reader import read_fields

GRAPH = ponystudio_resources.path("graphs", "text-to-picture.json")
SMALL = ("--set", "latent.width=64", "--set", "latent.height=64", "--set", "sampler.steps=2")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    (root / "checkpoints").mkdir()
    micro(root / "checkpoints" / "micro.safetensors")
    return root


@pytest.fixture(scope="module")
def batch(models, tmp_path_factory):
    """Three pictures of one run, saved in a precision that is not this machine's usual one."""
    out = tmp_path_factory.mktemp("out")
    words = ("run", str(GRAPH), "--models", str(models), *SMALL, "--output", str(out))
    words += ("--set", "checkpoint.file=micro.safetensors", "--set", "latent.batch=3")
    assert main([*words, "--device", "cpu", "--dtype", "bf16", "--no-disk-cache"]) == 0
    return sorted(out.glob("*.png"))


@pytest.fixture
def verify(models, capsys):
    def call(picture, *more, folder=models):
        capsys.readouterr()
        code = main(["verify", str(picture), "--models", str(folder), *more])
        return code, *capsys.readouterr()

    return call


def with_receipt(source, target, change, paint=False, by=0):
    """A copy whose receipt, or whose pixels, tell something else."""
    fields = read_fields(source)
    receipt = json.loads(fields[RECEIPT])
    change(receipt)
    with Image.open(source) as picture:
        picture.load()
        if paint:
            picture.putpixel((3, 5), tuple(255 - value for value in picture.getpixel((3, 5))))
        if by:
            red, *others = picture.getpixel((3, 5))
            picture.putpixel((3, 5), (red + by if red < 128 else red - by, *others))
        embed(picture, target, "png", {**fields, RECEIPT: json.dumps(receipt)}, 95)
    return target


def test_any_picture_of_a_batch_is_made_again_bit_for_bit(batch, verify):
    code, out, err = verify(batch[2])
    assert (code, out) == (0, f"{batch[2]}: made again, the same in every pixel.\n")
    assert "differ" not in err
    receipt = json.loads(read_fields(batch[2])[RECEIPT])
    assert receipt["batch"] == {"index": 2, "size": 3}
    assert receipt["seconds"].keys() == {
        *("checkpoint", "positive", "negative", "latent", "sampler", "decode")
    }
    assert receipt["seconds"]["sampler"] > 0


def test_rounding_is_no_other_picture(batch, verify, tmp_path):
    code, out, _ = verify(with_receipt(batch[0], tmp_path / "near.png", lambda _: None, by=2))
    assert code == 0
    assert "made again, the same within 2 of 255: 0.0244 % of its pixels differ, by 2 of 255" in out
    assert verify(with_receipt(batch[0], tmp_path / "far.png", lambda _: None, by=3))[0] == 1


def test_other_numbers_of_threads_make_the_same_picture(models, batch, tmp_path):
    """In a fresh process that would take two: verifying takes as many as the picture had."""
    receipt = json.loads(read_fields(batch[0])[RECEIPT])
    assert receipt["versions"]["threads"] == torch.get_num_threads()
    for threads in (1, 2):
        path = with_receipt(batch[0], tmp_path / f"{threads}.png", lambda _: None)
        done = subprocess.run(
            [sys.executable, "-m", "ponystudio", "verify", path, "--models", models],
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "the same in every pixel" in done.stdout
        assert "number of threads" not in done.stderr


def test_a_picture_without_its_prompts_is_not_made_again(batch, verify, tmp_path):
    silent = with_receipt(batch[0], tmp_path / "a.png", lambda r: r.update(left_out="prompts"))
    code, _, err = verify(silent)
    assert code == 2
    assert "without its prompts" in err


def test_a_changed_pixel_is_found(batch, verify, tmp_path):
    painted = with_receipt(batch[0], tmp_path / "painted.png", lambda _: None, paint=True)
    code, out, err = verify(painted)
    assert (code, out) == (1, "")
    assert "0.0244 % of its pixels differ" in err
    assert "Made again, it is another picture" in err


def test_what_was_different_is_said(batch, verify, models, tmp_path):
    def change(receipt):
        receipt["environment"] |= {"torch": "1.13", "device": "cuda:7"}

    code, _, err = verify(with_receipt(batch[0], tmp_path / "older.png", change))
    assert code == 0
    assert "torch was 1.13" in err
    assert "device was cuda:7, is cpu" in err
    other = tmp_path / "models"
    (other / "checkpoints").mkdir(parents=True)
    micro(other / "checkpoints" / "micro.safetensors", seed=99)
    code, _, err = verify(batch[0], folder=other)
    assert code == 1
    assert "micro.safetensors is another file" in err


def test_what_cannot_be_made_again_is_bad_input(batch, verify, models, tmp_path):
    plain = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(plain)
    assert verify(plain)[0] == 2
    bare = with_receipt(batch[0], tmp_path / "bare.png", lambda receipt: None)
    fields = read_fields(bare)
    with Image.open(bare) as picture:
        picture.load()
        del fields[RECEIPT]
        embed(picture, bare, "png", fields, 95)
    code, _, err = verify(bare)
    assert code == 2
    assert "no receipt" in err
    gone = with_receipt(batch[0], tmp_path / "gone.png", lambda r: r.update(node="gone"))
    code, _, err = verify(gone)
    assert code == 2
    assert "'gone'" in err
    empty = tmp_path / "empty"
    shutil.copytree(models, empty, ignore=shutil.ignore_patterns("*.safetensors"))
    code, _, err = verify(batch[0], folder=empty)
    assert code == 2
    assert "micro.safetensors" in err
