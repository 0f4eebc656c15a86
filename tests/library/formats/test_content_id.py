from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
import zlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from helpers import checkpoints
from helpers.gguf_writer import gguf
from ponystudio.errors import Cancelled, ChangedFile, MissingFile, UnknownModel
from ponystudio.library.formats import content_id as module
from ponystudio.library.formats.content_id import Remembered, content_id, hashes, identity


@pytest.fixture(scope="module")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.micro(tmp_path_factory.mktemp("content") / "m.safetensors")


def test_follows_the_bytes_and_not_the_place(micro: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other name.safetensors"
    shutil.copy(micro, copy)
    assert content_id(copy) == content_id(micro)
    assert len(content_id(micro)) == 64


def test_sees_the_config_beside_a_model(micro: Path, tmp_path: Path) -> None:
    """It says whether the model predicts noise or velocity: results must not be mixed up."""
    model, config = tmp_path / "m.safetensors", tmp_path / "m.yaml"
    shutil.copy(micro, model)
    ids = [content_id(model)]
    for kind in ("v", "eps"):
        config.write_text(f"model:\n  params:\n    parameterization: {kind}\n")
        os.utime(config, ns=(len(ids), len(ids)))
        ids.append(content_id(model))
    config.unlink()
    assert len(set(ids)) == 3
    assert content_id(model) == ids[0]


def test_hashes_of_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel):
        hashes(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders there")
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.ckpt")
    for ask in (content_id, hashes):
        with pytest.raises(UnknownModel):
            ask(tmp_path / "model.ckpt")


def test_is_the_sha256_of_a_file_alone(micro: Path) -> None:
    assert content_id(micro) == hashlib.sha256(micro.read_bytes()).hexdigest()


def test_rereads_what_changed(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"one")
    times = path.stat()
    for data in (b"one", b"two", b"six") * 20:
        path.write_bytes(data)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert content_id(path) == hashlib.sha256(data).hexdigest()


def test_does_not_reread_what_did_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "YOUNG_NS", 0)
    path = tmp_path / "picture.png"
    path.write_bytes(b"one")
    read: list[int] = []
    assert content_id(path, read.append) == content_id(path, read.append)
    assert read == [0, 3]


def test_a_file_from_the_future_is_trusted_once_its_time_has_stood_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a server whose clock is ahead of ours."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"one")
    (_, _, own), *_ = module.model_files(path).files
    there = own._replace(ctime_ns=own.ctime_ns + 10**12, mtime_ns=own.mtime_ns + 10**12)
    assert not there.settled
    now = time.monotonic_ns()
    monkeypatch.setattr(module.time, "monotonic_ns", lambda: now + module.YOUNG_NS)
    assert there.settled


def test_a_set_time_makes_no_file_old_or_young(tmp_path: Path) -> None:
    """The mtime is anybody's; on FAT the ctime may be that of when the file was made."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"one")
    own, hour = module.identity(path), 3600 * 10**9
    assert not own._replace(mtime_ns=own.mtime_ns - hour).settled
    assert not own._replace(ctime_ns=own.ctime_ns - hour).settled
    old = own._replace(ctime_ns=own.ctime_ns - hour)
    assert old._replace(mtime_ns=own.mtime_ns + hour).settled
    assert old._replace(mtime_ns=own.mtime_ns - hour).settled


def test_a_folder_of_everything_is_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_IN_FOLDER", 10)
    for number in range(12):
        (tmp_path / "deep" / str(number)).mkdir(parents=True)
    with pytest.raises(UnknownModel, match="more than 10 files"):
        content_id(tmp_path)


def test_a_file_that_changes_while_it_is_read_has_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"one")

    def meddle(count: int) -> None:
        if count:
            path.write_bytes(path.read_bytes() + b"!")

    with pytest.raises(ChangedFile):
        content_id(path, meddle)
    (tmp_path / "other").write_bytes(b"two")
    before = module.identity(path)
    (tmp_path / "other").replace(path)
    with pytest.raises(ChangedFile):
        module.sha256_of(path, before)


def test_a_sparse_file_without_end_is_given_up_at_once(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    with path.open("wb") as file:
        file.truncate(200 << 30)

    def stop(count: int) -> None:
        if count > module.CHUNK:
            raise Cancelled

    with pytest.raises(Cancelled):
        content_id(path, stop)


def test_folders(tmp_path: Path) -> None:
    folder = checkpoints.diffusers_folder(tmp_path / "a")
    shutil.copytree(folder, tmp_path / "b")
    assert content_id(folder) == content_id(tmp_path / "b")
    config = tmp_path / "b" / "vae" / "config.json"
    config.write_text(config.read_text().replace("0.18215", "0.13025"))
    assert content_id(folder) != content_id(tmp_path / "b")


def test_packed_numbers(tmp_path: Path) -> None:
    """Files that differ in one number, or in its kind alone."""
    ids = []
    for kind, last in (("Q4_0", 0), ("Q4_0", 1), ("IQ4_NL", 0)):
        head, size = gguf({"x": [16, 64]}, kind=kind)
        (tmp_path / "m.gguf").write_bytes(head + bytes(size - 1) + bytes([last]))
        ids.append(content_id(tmp_path / "m.gguf"))
    assert len(set(ids)) == 3


def test_pickles(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(9000)}, tmp_path / "a.pt")
    torch.save({"a": torch.ones(9000)}, tmp_path / "b.pt")
    assert content_id(tmp_path / "a.pt") != content_id(tmp_path / "b.pt")


def test_hashes(micro: Path) -> None:
    data = micro.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    assert hashes(micro) == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "autov1": hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8],
        "autov2": hashlib.sha256(data).hexdigest()[:10],
        "autov3": hashlib.sha256(data[header:]).hexdigest()[:12],
        "crc32": f"{zlib.crc32(data):08x}",
    }


def test_every_hash(tmp_path: Path) -> None:
    """The published answers for three letters."""
    (tmp_path / "abc").write_bytes(b"abc")
    found = hashes(tmp_path / "abc", every=True)
    assert found["sha1"] == "a9993e364706816aba3e25717850c26c9cd0d89d"
    blake3 = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    assert found["blake3"] == blake3
    assert found["crc32"] == "352441c2"
    assert found["sha256"].startswith("ba7816bf8f01cfea")


def test_hashes_across_chunks(micro: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = hashes(micro)
    for size in (1 << 16, (1 << 16) + 1):  # the header ends inside a chunk, and at its end
        monkeypatch.setattr("ponystudio.library.formats.content_id.CHUNK", size)
        assert hashes(micro) == expected


def test_hashes_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"123456789")
    found = hashes(tmp_path / "x.bin")
    assert found["crc32"] == "cbf43926"
    assert "autov3" not in found


def test_hints_in_the_metadata(tmp_path: Path) -> None:
    hint = {"sshs_model_hash": "abc", "sshs_legacy_hash": "def"}
    save_file({"a": torch.ones(1)}, tmp_path / "l.safetensors", metadata=hint)
    assert hint.items() <= hashes(tmp_path / "l.safetensors").items()


def test_missing(tmp_path: Path) -> None:
    for ask in (content_id, hashes):
        with pytest.raises(MissingFile):
            ask(tmp_path / "nothing")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the two apart")
def test_why_it_is_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("gone")
    for path, why in (("file/m.ckpt", "is a file, and no folder"), ("link", "is a link to gone")):
        for ask in (content_id, hashes, identity):
            with pytest.raises(MissingFile, match=why):
                ask(tmp_path / path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root sees everything")
def test_a_folder_that_may_not_be_looked_into_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(MissingFile, match="may not be looked into"):
        identity(tmp_path / "closed" / "m.ckpt")


def test_what_is_forgotten_by_others_meanwhile_is_found_out_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often what is known is looked at, somebody may clear it in between."""
    known: Remembered[int] = Remembered()
    monkeypatch.setattr(module, "REMEMBERED", 1)

    class Key:
        """Another thread that remembers something whenever this is looked up a second time."""

        looks = -10

        def __hash__(self) -> int:
            self.looks += 1
            if self.looks == 2:
                known.keep(("other",), 2)
            return 1

    key = Key()
    known.keep((key,), 1)
    key.looks = 0
    assert known.of((), lambda: 3, key) == 1
