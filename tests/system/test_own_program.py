"""What lies in the folder where the user stands is never run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from helpers.processes import ponystudio
from ponystudio.system.own_program import own_command

STRANGER = "raise SystemExit('a stranger was run')\n"
# Of the standard library, of others, and as likely as not in a folder of somebody's scripts.
NAMES = ("msgspec", "numpy", "psutil", "torch", "PIL", "argparse", "pathlib", "json", "logging")


@pytest.fixture
def strange_folder(tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(STRANGER)
    return tmp_path


def test_the_program_runs_nothing_from_where_it_is_started(strange_folder):
    done = ponystudio("--version", cwd=strange_folder)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [("reader",), ("packs",), ("worker",)])
def test_what_it_starts_runs_nothing_from_there(strange_folder, words):
    """Each ends by itself at the end of its input."""
    done = subprocess.run(
        own_command(*words), cwd=strange_folder, input=b"", capture_output=True, timeout=200
    )
    assert b"stranger" not in done.stderr + done.stdout


def test_a_picture_is_read_there(strange_folder):
    from PIL import Image

    Image.new("RGB", (6, 4)).save(strange_folder / "p.png")
    code = (
        "import sys, os; from pathlib import Path; from ponystudio.pictures import picture_reader;"
        "os.chdir(sys.argv[1]); print(picture_reader.read_head(Path('p.png')).width)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(strange_folder)], capture_output=True, text=True
    )
    assert done.stdout.strip() == "6", done.stderr
