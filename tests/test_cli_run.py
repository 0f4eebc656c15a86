"""`ponystudio run` in processes of its own: from a checkpoint file to a PNG."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import pytest
from PIL import Image
from safetensors.torch import save_file

import ponystudio_resources
from helpers.checkpoints import micro, weights
from helpers.processes import events_in, of_kind, ponystudio, start

TEXT_TO_PICTURE = ponystudio_resources.path("graphs", "text-to-picture.json")
UPSCALE = ponystudio_resources.path("graphs", "upscale.json")
NOBODY = 65534
SMALL = ("--set", "latent.width=128", "--set", "latent.height=128", "--set", "sampler.steps=3")


@pytest.fixture(scope="module")
def place():
    """A folder that every user may read, with a tiny checkpoint in `models`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "models" / "checkpoints").mkdir(parents=True)
        micro(root / "models" / "checkpoints" / "micro.safetensors")
        yield root


def text_to_picture(place, output, *more):
    return (
        "run",
        TEXT_TO_PICTURE,
        *("--models", place / "models", "--set", "checkpoint.file=micro.safetensors", *SMALL),
        *("--output", output, "--device", "cpu", "--dtype", "fp32", *more),
    )


def pixels(path):
    return numpy.asarray(Image.open(path))


@pytest.fixture(scope="module")
def first(place):
    """The events of a first run, which fills the cache for those after it."""
    words = text_to_picture(place, place / "out", "--cache-dir", place / "cache", "--events")
    result = ponystudio(*words)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return events_in(result.stdout)


def again(place, *more):
    """The events of another run on the same cache."""
    words = text_to_picture(place, place / "out", "--cache-dir", place / "cache", "--events", *more)
    result = ponystudio(*words)
    assert result.returncode == 0, result.stderr
    return events_in(result.stdout)


def test_a_picture_is_made(place, first):
    assert first[0]["event"] == "run_started"
    assert first[-1]["event"] == "run_finished"
    assert of_kind(first, "output", "path") == [str(place / "out" / "ponystudio_00001.png")]
    assert pixels(place / "out" / "ponystudio_00001.png").shape == (128, 128, 3)
    assert set(of_kind(first, "node_finished", "cached")) == {False}
    steps = [e["step"] for e in first if e["event"] == "progress" and e["node"] == "sampler"]
    assert steps == [1, 2, 3]
    assert "load" in of_kind(first, "weights", "action")


def test_unchanged_it_reads_no_weights_and_gives_the_same_picture(place, first):
    events = again(place)
    assert of_kind(events, "weights", "file") == []
    assert of_kind(events, "node_started", "node") == ["save"]
    (path,) = of_kind(events, "output", "path")
    assert (pixels(path) == pixels(of_kind(first, "output", "path")[0])).all()


def test_with_another_seed_no_prompt_is_encoded(place, first):
    started = of_kind(again(place, "--set", "sampler.seed=2"), "node_started", "node")
    assert {"sampler", "decode", "save"} <= set(started)
    assert not {"positive", "negative"} & set(started)


def test_a_dry_run_says_what_would_run_and_why(place, first):
    words = text_to_picture(place, place / "out", "--cache-dir", place / "cache")
    unchanged = ponystudio(*words, "--dry-run")
    assert unchanged.returncode == 0
    lines = dict(line.split(maxsplit=1) for line in unchanged.stdout.splitlines())
    assert lines["decode"] == "cached: disk"
    assert lines["save"].startswith("runs: ")
    changed = ponystudio(*words, "--dry-run", "--set", "positive.text=a pony")
    lines = dict(line.split(maxsplit=1) for line in changed.stdout.splitlines())
    assert lines["positive"] == "runs: text changed"
    assert lines["negative"].startswith("cached: ")
    assert lines["sampler"] == "runs: upstream: positive text"


def test_a_picture_is_made_again_from_itself(place, first, tmp_path):
    (original,) = of_kind(first, "output", "path")
    result = ponystudio(
        *("run", original, "--models", place / "models", "--output", tmp_path),
        *("--device", "cpu", "--dtype", "fp32", "--no-disk-cache"),
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'ponystudio_00001.png'}\n"
    assert (pixels(tmp_path / "ponystudio_00001.png") == pixels(original)).all()


def test_a_photograph_is_enlarged(tmp_path):
    photograph = Image.open(ponystudio_resources.path("pictures", "cat.png")).convert("RGB")
    crop = photograph.crop((60, 60, 92, 84))
    crop.save(tmp_path / "crop.png")
    result = ponystudio(
        *("run", UPSCALE, "--set", "photograph.file=crop.png", "--output", "large"),
        *("--device", "cpu", "--dtype", "fp32", "--no-disk-cache"),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    (path,) = result.stdout.split()
    large = Image.open(path)
    assert large.size == (128, 96)
    # The enlargement shows the same thing: made small again it is the crop, but for sharpening.
    difference = pixels(path).reshape(24, 4, 32, 4, 3).mean((1, 3)) - numpy.asarray(crop)
    assert numpy.abs(difference).mean() < 8


def test_ctrl_c_cancels_within_a_step(place, tmp_path):
    words = text_to_picture(place, tmp_path, "--no-disk-cache", "--events")
    with start(*words, "--set", "sampler.steps=10000") as process:
        for line in process.stdout:
            if events_in(line)[0]["event"] == "progress":
                break
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=60)
    assert process.returncode == 130
    events = events_in(rest)
    assert (events[-1]["event"], events[-1]["reason"]) == ("run_failed", "Cancelled")
    assert max(of_kind(events, "progress", "step"), default=0) < 100
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def refused(words, code, *said, **options):
    """It leaves with this code and one plain message that says all this; returns the message."""
    result = ponystudio(*words, **options)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    for words in said:
        assert words in result.stderr
    return errors[0]


def test_a_picture_of_no_numbers_names_its_node(place, tmp_path):
    broken = weights()
    broken["first_stage_model.decoder.conv_out.bias"] = broken[
        "first_stage_model.decoder.conv_out.bias"
    ] + float("nan")
    save_file(broken, place / "models" / "checkpoints" / "nan.safetensors")
    words = text_to_picture(place, tmp_path, "--no-disk-cache")
    refused((*words, "--set", "checkpoint.file=nan.safetensors"), 1, "error: decode: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs another user or POSIX permissions")
def test_no_permission_to_write(place):
    closed = place / "closed"
    closed.mkdir(exist_ok=True)
    closed.chmod(0o555)
    options = {"env": {**os.environ, "HOME": "/nonexistent"}}
    if os.geteuid() == 0:  # root may write anywhere
        options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        try:
            subprocess.run([sys.executable, "-c", "import ponystudio"], check=True, **options)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this Python and checkout are closed to other users")
    words = text_to_picture(place, closed, "--no-disk-cache")
    refused(words, 1, "error: save: ", str(closed), **options)
    assert list(closed.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small tmpfs")
def test_a_full_disk(place, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(full)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a tmpfs here")
    try:
        words = text_to_picture(place, full, "--no-disk-cache")
        refused(words, 1, "error: save: ", str(full))
        assert list(full.iterdir()) == []
    finally:
        subprocess.run(["umount", str(full)], check=True)
