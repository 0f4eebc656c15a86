"""`ponystudio run` in processes of its own: from a checkpoint file to a PNG."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

import ponystudio_resources
from helpers.checkpoints import micro
from helpers.processes import PROGRAM, events_in, of_kind, ponystudio, start
from ponystudio.graph.formats.graph_file import read

TEXT_TO_PICTURE = ponystudio_resources.path("graphs", "text-to-picture.json")
UPSCALE = ponystudio_resources.path("graphs", "upscale.json")
# Root may write anywhere; without its capabilities it is a user as any other.
PLAIN_USER = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")
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
    (place / "shared").mkdir()
    environment = {**os.environ, "TMPDIR": str(place / "shared")}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
    result = ponystudio(*words, env=environment)
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


def test_nothing_is_left_where_all_users_share(place, first):
    assert [*(place / "shared").iterdir()] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("events", [(), ("--events",)], ids=["paths", "events"])
def test_a_picture_is_made_though_nobody_can_be_told(place, first, tmp_path, events):
    words = text_to_picture(place, tmp_path / "out", "--cache-dir", place / "cache", *events)
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*PROGRAM, *map(str, words)], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert result.returncode == 1
    assert "standard output: No space left on device" in result.stderr
    assert (tmp_path / "out" / "ponystudio_00001.png").exists()


def test_unchanged_it_reads_no_weights_and_gives_the_same_picture(place, first):
    events = again(place)
    assert of_kind(events, "weights", "file") == []
    assert of_kind(events, "node_started", "node") == ["save"]
    (path,) = of_kind(events, "output", "path")
    assert (pixels(path) == pixels(of_kind(first, "output", "path")[0])).all()


def test_names_say_what_the_picture_was_made_with(place, first):
    prefix = "%model%/[seed]_%KSampler.steps%_%width%x[height]_%date:yyyy%"
    (path,) = of_kind(again(place, "--set", f"save.prefix={prefix}"), "output", "path")
    seed = read(TEXT_TO_PICTURE).nodes["sampler"].params["seed"]
    assert re.fullmatch(
        rf"{seed}_3_128x128_20\d\d_00001\.png", Path(path).relative_to(place / "out" / "micro").name
    )


@pytest.mark.parametrize("prefix", ["a_%unicorn%", "[unicorn]", "%nobody.seed%"])
def test_what_stands_for_nothing_in_a_name_is_refused_by_name(place, tmp_path, prefix):
    words = text_to_picture(place, tmp_path / "out", "--set", f"save.prefix={prefix}")
    result = ponystudio(*words)
    assert result.returncode == 2
    assert "error: save.prefix: " in result.stderr
    assert prefix.removeprefix("a_") in result.stderr
    assert not (tmp_path / "out").exists()


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
    assert "upstream: positive: text changed" in lines["sampler"]


def test_a_picture_is_made_again_from_itself(place, first, tmp_path):
    (original,) = of_kind(first, "output", "path")
    result = ponystudio(
        *("run", original, "--models", place / "models", "--output", tmp_path),
        *("--device", "cpu", "--dtype", "fp32", "--no-disk-cache"),
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'ponystudio_00001.png'}\n"
    assert (pixels(tmp_path / "ponystudio_00001.png") == pixels(original)).all()


@pytest.fixture(scope="module")
def crop(place):
    """A piece of the shipped photograph."""
    photograph = Image.open(ponystudio_resources.path("pictures", "cat.png")).convert("RGB")
    photograph.crop((60, 60, 92, 84)).save(place / "crop.png")
    return place / "crop.png"


def upscale(crop, output, *more):
    return (
        *("run", UPSCALE, "--set", f"picture.file={crop}", "--output", output),
        *("--device", "cpu", "--dtype", "fp32", "--no-disk-cache", *more),
    )


def test_a_photograph_is_enlarged(crop, tmp_path):
    """Named from where the user stands. What it shows stays: made small again it is the crop."""
    result = ponystudio(*upscale("crop.png", tmp_path / "large"), cwd=crop.parent)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'large' / 'upscaled_00001.png'}\n"
    large, small = pixels(result.stdout.strip()).astype(float), pixels(crop)
    assert large.shape == (96, 128, 3)
    assert numpy.abs(large.reshape(24, 4, 32, 4, 3).mean((1, 3)) - small).mean() < 8


def test_a_run_goes_on_when_its_listener_leaves(crop, tmp_path):
    with start(*upscale(crop, tmp_path, "--events")) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert said == ""
    assert [path.name for path in tmp_path.iterdir()] == ["upscaled_00001.png"]


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


def failed(words, *said, code=1, **options):
    """It leaves with this code and one plain message that says all this."""
    result = ponystudio(*words, **options)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("error: ") == 1, result.stderr
    for words in said:
        assert words in result.stderr


def test_an_upscaler_of_no_numbers_is_refused_before_it_runs(crop, place, tmp_path):
    """A file of weights that is sound in every way but what it computes."""
    shipped = ponystudio_resources.path(
        "models", "upscale_models", "realesr-animevideov3-x4.safetensors"
    )
    broken = load_file(shipped)
    broken["body.0.bias"] = broken["body.0.bias"] + float("nan")
    save_file(broken, place / "nan.safetensors")
    words = upscale(crop, tmp_path, "--set", f"upscaler.file={place / 'nan.safetensors'}")
    failed(words, "error: upscaler.file: ", "not-a-number", "'body.0.bias'", code=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_no_permission_to_write(crop, place):
    closed = place / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    words = upscale(crop, closed)
    before = PLAIN_USER if os.geteuid() == 0 else ()
    refused(words, f"error: save: {closed}", "may not be written to", before=before)
    assert list(closed.iterdir()) == []
    # Where results go when nobody says.
    home = {**os.environ, "PONYSTUDIO_HOME": str(closed)}
    unsaid = [word for word in words if word not in ("--output", closed)]
    refused(unsaid, f"error: save: {closed / 'pictures'}", before=before, env=home)
    cache = [*text_to_picture(place, place / "out"), "--cache-dir", closed / "cache"]
    refused(cache, "error: --cache-dir", "may not be written to", before=before)


def refused(words, *said, **options):
    """Before anything runs: with 2 and one plain message that says all this."""
    result = ponystudio(*words, **options)
    assert result.returncode == 2, result.stderr
    assert "nodes to run" not in result.stderr
    for words in said:
        assert words in result.stderr


def test_an_output_folder_that_is_a_file_or_below_one(crop, place):
    refused(upscale(crop, crop / "below"), f"error: save: {crop / 'below'}", "is no folder")


def test_a_folder_whose_name_is_no_utf_8(crop, place):
    strange = place / os.fsdecode(b"caf\xe9")
    try:
        strange.mkdir()
    except OSError:
        pytest.skip("names of files are UTF-8 here")
    (strange / "crop.png").write_bytes(crop.read_bytes())
    words = upscale(strange / "crop.png", strange / "out", "--cache-dir", strange / "cache")
    words = [word for word in words if word != "--no-disk-cache"]
    for number in (1, 2):
        result = ponystudio(*words)
        assert result.returncode == 0, result.stderr
        assert "Traceback" not in result.stderr
        assert (strange / "out" / f"upscaled_0000{number}.png").exists()
    assert "1 of 4 nodes to run" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a working folder cannot be deleted there")
def test_a_working_folder_that_is_gone(crop, place, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    words = upscale(crop, tmp_path / "out")
    inside = ("sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(gone))
    result = ponystudio(*words, before=inside)
    assert result.returncode == 0, result.stderr
    gone.mkdir()
    refused(upscale(crop, "out"), "error: out: ", "working folder", before=inside)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small tmpfs")
def test_a_full_disk(crop, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(full)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a tmpfs here")
    try:
        failed(upscale(crop, full), f"error: save: {full}", "space")
        assert list(full.iterdir()) == []
    finally:
        subprocess.run(["umount", str(full)], check=True)
