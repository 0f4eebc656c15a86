"""The words of the command line, and how it says no."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

import ponystudio_resources
from ponystudio import __version__
from ponystudio.cli import arguments as cli
from ponystudio.cli import run
from ponystudio.errors import Cancelled, NodeFailed, ParamRange


def ends_with(code, words):
    """Run `ponystudio WORDS` in this process, where argparse leaves by SystemExit."""
    with pytest.raises(SystemExit) as leaving:
        raise SystemExit(cli.main(words))
    assert leaving.value.code == code


@pytest.fixture
def command(monkeypatch):
    """Puts a function in the place of `ponystudio doctor`."""

    def put(function):
        monkeypatch.setattr(
            cli.importlib,
            "import_module",
            lambda name: SimpleNamespace(main=function, add_arguments=lambda parser: None),
        )

    return put


def test_version(capsys):
    ends_with(0, ["--version"])
    assert capsys.readouterr().out.split() == ["ponystudio", __version__]


def test_help_names_every_command_for_people(capsys):
    ends_with(0, ["--help"])
    words = capsys.readouterr().out.split()
    assert {name for name, help in cli.COMMANDS.items() if help} <= set(words)
    assert not {name for name, help in cli.COMMANDS.items() if not help} & set(words)


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "g.json", "--device", "gpu"],
        ["run", "g.json", "--device", "cuda:one"],
        ["run", "g.json", "--device", "cpu:0"],
        ["run", "g.json", "--dtype", "fp64"],
        ["convert", "in.ckpt"],
        ["inspect"],
        ["doctor", "more"],
    ],
    ids=" ".join,
)
def test_usage_errors(words, capsys):
    ends_with(2, words)
    assert capsys.readouterr().err


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1", "rocm", "mps"])
def test_devices(device):
    assert run.device(device) == device


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (NodeFailed("It broke.", node="sampler", remedy="Mend it."), 1),
        (ParamRange("0 is out of range.", node="sampler", socket="steps", remedy="Mend it."), 2),
        (Cancelled(), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(command, raised, code, capsys):
    def fail(arguments):
        raise raised

    command(fail)
    ends_with(code, ["doctor"])
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    if code != 130:
        assert said.err.startswith(f"error: {raised.where}: {raised.what}\n  Mend it.")


def test_an_unforeseen_error_is_one_plain_message(command, capsys, monkeypatch):
    monkeypatch.delenv(cli.DEBUG, raising=False)

    def fail(arguments):
        return {}["missing"]

    command(fail)
    ends_with(1, ["doctor"])
    said = capsys.readouterr().err
    assert "KeyError" in said
    assert cli.DEBUG in said
    assert "Traceback" not in said
    monkeypatch.setenv(cli.DEBUG, "1")
    with pytest.raises(KeyError):
        cli.main(["doctor"])


def test_what_files_say_cannot_steer_the_terminal(command, capsys):
    def refuse(_):
        raise ParamRange("It is called \x1b[2J\u202e, ünïcode.", where="a\x07b")

    command(refuse)
    ends_with(2, ["doctor"])
    said = capsys.readouterr().err
    assert "\\x1b[2J\\u202e, ünïcode." in said
    assert said.startswith("error: a\\x07b: ")


@pytest.mark.parametrize("option", ["--output", "--cache-dir"])
def test_a_file_in_the_place_of_a_folder_is_found_before_the_work(tmp_path, option, capsys):
    (tmp_path / "taken").touch()
    ends_with(2, ["run", "graph.json", option, str(tmp_path / "taken")])
    assert "is a file, not a folder" in capsys.readouterr().err


def test_a_cache_folder_and_no_cache_contradict_each_other(capsys):
    ends_with(2, ["run", "g.json", "--cache-dir", "there", "--no-disk-cache"])
    assert capsys.readouterr().err.startswith(
        "error: --cache-dir and --no-disk-cache contradict each other.\n  Leave"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="redirections of a shell, a device of Linux")
@pytest.mark.parametrize(
    ("words", "redirection", "code", "error"),
    [
        ("--version", ">&-", 0, ""),
        ("--version", ">/dev/full", 1, "No space left on device"),
        ("nodes core.sample", ">&- 2>&- <&-", 0, ""),
        ("nodes core.sample", ">/dev/full", 1, "No space left on device"),
        ("nodes core.sample", "2>/dev/full", 0, ""),
        ("nodes --json", "> >(true)", 1, ""),
        ("nodes core.samplr", "2>/dev/full", 2, ""),
        ("nodes core.samplr", "2>&-", 2, ""),
        ("validate gone.json", ">/dev/full", 2, "gone.json"),
        ("doctor more", "2>/dev/full", 2, ""),
    ],
)
def test_streams_that_take_nothing_change_no_more_than_they_must(words, redirection, code, error):
    """And are nobody's fault: no traceback, no word of one."""
    script = f'"$0" -m ponystudio {words} {redirection}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert error in done.stderr
    assert not any(word in done.stderr for word in ("Traceback", "ignored", "at fault"))


@pytest.mark.skipif(sys.platform == "win32", reason="there a folder that is in use stays")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("validate", "GRAPH"), 0, "nothing wrong"),
        (("validate", "graph.json"), 2, "There is no such file"),
        (("run", "GRAPH", "--dry-run", "--output", "out"), 2, "working folder"),
        (("run", "GRAPH", "--dry-run"), 0, "sampler"),
        (("doctor",), 0, "Versions"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_working_folder_that_is_gone_is_in_nobodys_way(tmp_path, words, code, said):
    """MKL, with which torch computes, would end the process."""
    (tmp_path / "gone").mkdir()
    graph = ponystudio_resources.path("graphs", "text-to-picture.json")
    words = [str(graph) if word == "GRAPH" else word for word in words]
    done = subprocess.run(
        ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", sys.executable, "-m", "ponystudio", *words],
        cwd=tmp_path / "gone",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
