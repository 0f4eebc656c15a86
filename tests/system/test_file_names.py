"""Names of files: spelt alike, near, and leading nowhere."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from pathlib import Path

import pytest

from ponystudio.errors import UsageError
from ponystudio.system.file_names import (
    absolute,
    as_stored,
    composed,
    folded,
    model_name,
    near,
    readable,
    spelt_alike,
    spelt_out,
    unlike,
    why_absent,
    why_closed,
)

NFC, NFD = "Pok\u00e9", "Poke\u0301"
case_counts = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="names that differ in case are one file here"
)


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_keys():
    assert composed(NFC) == composed(NFD) != composed(NFC.lower())
    assert folded(NFC) == folded(NFD) == folded(NFC.upper()) == folded("POKE\u0301")
    assert folded("STRASSE") == folded("Straße")
    assert folded("İ") == folded("i\u0307")


@case_counts
def test_paths_spelt_alike(tmp_path):
    made = put(tmp_path / "Stil" / f"{NFD}.pt")
    assert spelt_alike(tmp_path, ("Stil", f"{NFC}.pt"), composed) == [made]
    assert spelt_alike(tmp_path, ("stil", f"{NFC}.PT"), composed) == []
    assert spelt_alike(tmp_path, ("stil", "..", "STIL", f"{NFC}.PT"), folded) == [
        tmp_path / "Stil" / ".." / "Stil" / f"{NFD}.pt"
    ]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("pony_v6.1.safetensors", "pony_v6.1"),
        ("styles\\old/mane.SafeTensors", "mane"),
        ("pony_v6.1", "pony_v6.1"),
        ("", ""),
    ],
)
def test_what_people_call_a_model(file, name):
    assert model_name(file) == name


@case_counts
def test_the_stored_path(tmp_path):
    made = put(tmp_path / NFD / "Pony.json")
    assert as_stored(tmp_path / NFC / "pony.json") == made
    assert as_stored(made) == made
    other = put(tmp_path / NFD / "PONY.json")
    assert as_stored(tmp_path / NFC / "pony.json") == tmp_path / NFC / "pony.json"
    assert as_stored(other) == other


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("aura_flow_0.1.safetensors", []),
        ("aura_flow_0.1", []),
        ("sd_xl_base.safetensors", ["sd_xl_base_1.0.safetensors"]),
        ("ponyV6.ckpt", ["ponyV5.safetensors", "sub/ponyV7.ckpt"]),
        ("PONYV7", ["sub/ponyV7.ckpt", "ponyV5.safetensors"]),
        ("", []),
        ("x" * 100_000, []),
    ],
)
def test_near_names_are_near(word, found):
    known = ["starter.safetensors", "sd_xl_base_1.0.safetensors", "ponyV5.safetensors",
             "sub/ponyV7.ckpt", "x" * 90_000]  # fmt: skip
    assert near(word, known) == found


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("pony\u200b.pt", "pony.pt", "U+200B"),
        ("a\u00a0pony.pt", "a pony.pt", "U+00A0"),
        (f"{NFC}.pt", f"{NFD}.pt", "U+00E9"),
        ("ﬁg.pt", "fig.pt", "U+FB01"),
        ("pony.pt", "poni.pt", ""),
    ],
)
def test_how_names_differ_that_look_the_same(name, other, said):
    assert unlike(name, other).startswith(said)
    assert bool(unlike(name, other)) == bool(said)


def test_why_a_path_leads_nowhere(tmp_path):
    assert why_absent(tmp_path / "none") == ""
    put(tmp_path / "file")
    assert why_absent(tmp_path / "file" / "x") == f"{tmp_path / 'file'} is a file, and no folder."
    dead, circle = tmp_path / "dead", tmp_path / "circle"
    dead.symlink_to("gone/away")
    circle.symlink_to("circle")
    assert why_absent(dead) == f"{dead} is a link to gone/away, which is not there."
    assert why_absent(dead / "x") == f"{dead} is a link to gone/away, which is not there."
    assert why_absent(circle) == f"{circle} is a link to circle, which leads nowhere."
    assert why_absent(tmp_path / ("x" * 5000)) == ""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root sees everything")
def test_a_folder_that_may_not_be_looked_into(tmp_path):
    put(tmp_path / "shut" / "x")
    (tmp_path / "shut").chmod(0)
    try:
        said = why_absent(tmp_path / "shut" / "x")
    finally:
        (tmp_path / "shut").chmod(0o700)
    assert said == f"{tmp_path / 'shut'} may not be looked into."


def test_bytes_that_are_no_utf_8(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    assert readable(name) == "caf\ufffd"
    assert spelt_out(name) == "caf\\udce9"
    assert composed(name) == composed("caf\ufffd")
    assert folded(name.upper()) == folded("caf\ufffd")
    try:
        made = put(tmp_path / name / "a.pt")
    except OSError:
        pytest.skip("names of files are UTF-8 here")
    assert as_stored(tmp_path / "caf\ufffd" / "a.pt") == made


def test_a_working_folder_that_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path)
    assert absolute("x") == tmp_path / "x"
    monkeypatch.chdir(tmp_path / "gone")
    try:
        (tmp_path / "gone").rmdir()
    except OSError:
        pytest.skip("a working folder cannot be deleted here")
    assert absolute(tmp_path / "x") == tmp_path / "x"
    with pytest.raises(UsageError, match="working folder"):
        absolute("x")


def test_where_nothing_can_be_written(tmp_path):
    assert why_closed(tmp_path) == why_closed(tmp_path / "new" / "newer") == ""
    assert [*tmp_path.iterdir()] == []
    file = put(tmp_path / "file")
    assert why_closed(file) == why_closed(file / "x") == f"{file} is no folder."
    (tmp_path / "dead").symlink_to("gone")
    assert "is a link to gone" in why_closed(tmp_path / "dead" / "x")


def test_a_folder_that_took_no_file_once_is_tried_again(tmp_path, monkeypatch):
    def fails(**_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as broken:
        broken.setattr(tempfile, "TemporaryFile", fails)
        assert "Too many open files" in why_closed(tmp_path)
    assert why_closed(tmp_path) == ""
    monkeypatch.setattr(tempfile, "TemporaryFile", fails)
    assert why_closed(tmp_path) == "", "one that takes files is tried once"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_a_folder_that_the_system_only_calls_open():
    assert why_closed(Path("/proc/pictures")).startswith("/proc may not be written to")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root sees everything")
def test_a_folder_without_the_right_to_write(tmp_path):
    tmp_path.chmod(0o500)
    assert why_closed(tmp_path / "x") == f"{tmp_path} may not be written to."
    tmp_path.chmod(0o700)
