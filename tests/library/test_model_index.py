from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from helpers import checkpoints
from helpers.frail_disk import FrailSqlite, every_failure
from helpers.sparse import write_sparse
from ponystudio.errors import MissingFile, NotWritable
from ponystudio.library import model_index as module
from ponystudio.library.formats import content_id, weights_file
from ponystudio.library.model_index import ModelIndex
from ponystudio.library.recognition import prediction
from ponystudio.library.recognition.recognise import recognise


@pytest.fixture(autouse=True)
def _old_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all files were written long ago."""
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were examined, in order."""
    seen: list[Path] = []

    def examine(path: Path) -> object:
        seen.append(path)
        return recognise(path)

    monkeypatch.setattr(module, "recognise", examine)
    return seen


def test_examines_once(tmp_path: Path, counted: list[Path]) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    with ModelIndex(tmp_path / "index.db") as index:
        first = index.look(path)
        assert first.model == recognise(path)
        assert index.look(path) == first
    with ModelIndex(tmp_path / "index.db") as index:
        assert index.look(path) == first
    assert counted == [path]


def test_nothing_is_lost(tmp_path: Path) -> None:
    shapes = {
        "double_blocks.0.img_attn.norm.key_norm.scale": [128],
        "guidance_in.in_layer.weight": [3072, 256],
    }
    path = write_sparse(tmp_path / "m.safetensors", shapes)
    for _ in range(2):
        with ModelIndex(tmp_path / "index.db") as index:
            found = index.look(path).model
        assert found == recognise(path)
        assert found.guided


def test_a_changed_file_is_examined_again(tmp_path: Path, counted: list[Path]) -> None:
    path = write_sparse(tmp_path / "m.safetensors", {"emb_params": [4, 768]})
    with ModelIndex(tmp_path / "index.db") as index:
        assert index.look(path).model.kind == "embedding"
        write_sparse(path, {"conv_first.weight": [64, 3, 3, 3]})
        assert index.look(path).model.kind == "upscaler"
    assert len(counted) == 2


def test_the_config_beside_it_counts(tmp_path: Path) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    with ModelIndex(tmp_path / "index.db") as index:
        assert index.look(path).model.prediction == "eps"
        path.with_suffix(".yaml").write_text("model:\n  params:\n    parameterization: v\n")
        assert index.look(path).model.prediction == "v"


def test_bad_files_are_remembered(tmp_path: Path, counted: list[Path]) -> None:
    path = tmp_path / "bad.ckpt"
    path.write_text("no model")
    with ModelIndex(tmp_path / "index.db") as index:
        for _ in range(2):
            entry = index.look(path)
            assert entry.model is None
            assert "text file" in entry.error
    assert len(counted) == 1


@pytest.mark.parametrize(
    ("where", "what"), [(weights_file, "open_regular"), (prediction, "read_yaml")]
)
def test_what_failed_for_the_moment_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: ModuleType, what: str
) -> None:
    """Not of the file, nor of the config beside it, which decides what it is."""

    def too_many_files(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    path = checkpoints.micro(tmp_path / "m.safetensors")
    path.with_suffix(".yaml").write_text("model:\n  params:\n    parameterization: v\n")
    with monkeypatch.context() as broken, ModelIndex(tmp_path / "index.db") as index:
        broken.setattr(where, what, too_many_files)
        entry = index.look(path)
        assert entry.model is None
        assert "Too many open files" in entry.error
    with ModelIndex(tmp_path / "index.db") as index:
        assert index.look(path).model == recognise(path)


def test_hashes_are_made_on_demand_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    with ModelIndex(tmp_path / "index.db") as index:
        assert index.look(path).sha256 == ""
        assert index.sha256(path) == expected
        assert index.look(path).sha256 == expected
        assert index.by_sha256(expected[:10].upper()) == [path]
        assert index.by_sha256("%") == []
    # Another process, which has read nothing itself.
    monkeypatch.setattr(content_id, "_sha256", content_id.Remembered())
    monkeypatch.setattr(module, "sha256_of", None)
    with ModelIndex(tmp_path / "index.db") as index:
        assert index.sha256(path) == expected


def test_hashes_follow_the_file_and_not_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    with ModelIndex(tmp_path / "index.db") as index:
        expected = index.sha256(path)
        os.link(path, tmp_path / "n.safetensors")  # which is a change of it, too
        assert index.sha256(tmp_path / "n.safetensors") == expected
        monkeypatch.setattr(module, "sha256_of", None)
        assert index.sha256(path) == expected


def test_a_young_file_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes it once more within the same tick of the clock leaves no other time."""
    monkeypatch.setattr(content_id, "YOUNG_NS", 60 * 10**9)
    path = tmp_path / "m.safetensors"
    with ModelIndex(tmp_path / "index.db") as index:
        for data in (b"one", b"two"):
            path.write_bytes(data)
            assert index.sha256(path) == hashlib.sha256(data).hexdigest()
            assert index.look(path).sha256 == ""


def test_a_damaged_hash_in_a_sound_database_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    with ModelIndex(tmp_path / "index.db") as index:
        expected = index.sha256(path)
    connection = sqlite3.connect(tmp_path / "index.db")
    connection.execute("UPDATE hashes SET sha256 = ?", ("0" * 64,))
    connection.commit()
    connection.close()
    monkeypatch.setattr(content_id, "_sha256", content_id.Remembered())
    with ModelIndex(tmp_path / "index.db") as index:
        assert index.look(path).sha256 == ""
        assert index.sha256(path) == expected


def test_names_need_not_be_text(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.safetensors"
    write_sparse(path, {"emb_params": [4, 768]})
    with ModelIndex(tmp_path / "index.db") as index:
        assert index.look(path).model.kind == "embedding"
        assert index.by_sha256(index.sha256(path)) == [path]


def test_a_known_file_that_is_gone_is_missing(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "gone.safetensors", {"emb_params": [1, 768]})
    with ModelIndex(tmp_path / "index.db") as index:
        index.look(path)
        path.unlink()
        with pytest.raises(MissingFile):
            index.look(path)


@pytest.mark.parametrize("damage", ["noise", "cut", "other version", "other columns"])
def test_a_damaged_index_is_made_anew(damage: str, tmp_path: Path) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    place = tmp_path / "index.db"
    with ModelIndex(place) as index:
        index.look(path)
    if damage == "noise":
        place.write_bytes(b"noise" * 1000)
    elif damage == "cut":
        place.write_bytes(place.read_bytes()[:5000])
    else:
        connection = sqlite3.connect(place)
        if damage == "other version":
            connection.execute("PRAGMA user_version = 99")
        else:
            connection.execute("UPDATE files SET model = '{\"kind\": 1}'")
            connection.commit()
        connection.close()
    with ModelIndex(place) as index:
        assert index.look(path).model.kind == "checkpoint"
        assert index.look(path).model.kind == "checkpoint"


def test_damage_while_open(tmp_path: Path) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    place = tmp_path / "index.db"
    with ModelIndex(place) as index:
        index.look(path)
        for suffix in ("", "-wal", "-shm"):
            place.with_name(place.name + suffix).write_bytes(b"x" * 4096)
        assert index.look(path).model.kind == "checkpoint"
        assert index.look(path).model.kind == "checkpoint"


def test_an_index_that_is_taken_away_is_made_again(tmp_path: Path, counted: list[Path]) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    with ModelIndex(tmp_path / "cache" / "index.db") as index:
        index.look(path)
        shutil.rmtree(tmp_path / "cache")
        index.look(path)
        index.look(path)
    with ModelIndex(tmp_path / "cache" / "index.db") as index:
        index.look(path)
    assert len(counted) == 2


def test_where_it_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable):
        ModelIndex(tmp_path / "file" / "index.db")


def test_a_closed_index_is_not_thrown_away(tmp_path: Path) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    index = ModelIndex(tmp_path / "index.db")
    index.look(path)
    index.close()
    with pytest.raises(sqlite3.ProgrammingError):
        index.by_sha256("ab")
    with ModelIndex(tmp_path / "index.db") as again:
        assert again.by_sha256(again.sha256(path)) == [path]


def test_threads(tmp_path: Path) -> None:
    paths = [
        write_sparse(tmp_path / f"{n}.safetensors", {"emb_params": [n, 768]}) for n in range(9)
    ]
    with ModelIndex(tmp_path / "index.db") as index:
        threads = [
            threading.Thread(target=lambda: [index.look(path) for path in paths]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(index.by_sha256(index.sha256(path)) == [path] for path in paths)


def test_two_processes(tmp_path: Path) -> None:
    """Both write at once; neither fails, nothing is lost."""
    for n in range(60):
        write_sparse(tmp_path / f"{n}.safetensors", {"emb_params": [n + 1, 768]})
    script = """
import sys
from pathlib import Path
from ponystudio.library.formats import content_id, weights_file
from ponystudio.library.model_index import ModelIndex
content_id.YOUNG_NS = 0
with ModelIndex(Path("index.db")) as index:
    for n in range(int(sys.argv[1]), 60, 2):
        index.look(Path(f"{n}.safetensors").absolute())
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, start], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        for start in ("0", "1")
    ]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    connection = sqlite3.connect(tmp_path / "index.db")
    assert connection.execute("SELECT COUNT(*) FROM files").fetchone() == (60,)
    connection.close()


def test_whatever_fails_in_the_index_files_are_what_they_are(tmp_path: Path) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    model, sha256 = recognise(path), hashlib.sha256(path.read_bytes()).hexdigest()

    def scenario(number: int) -> FrailSqlite:
        place = tmp_path / f"{number}" / "index.db"
        with FrailSqlite(number) as frail:
            try:
                index = ModelIndex(place)
            except NotWritable:
                return frail
            with index:
                for _ in range(2):
                    assert index.look(path).model == model
                    assert index.sha256(path) == sha256
                    assert index.by_sha256(sha256) in ([], [path])
        with ModelIndex(place) as index:
            assert index.look(path).model == model
            assert index.sha256(path) == sha256
        return frail

    every_failure(scenario)


def test_an_index_that_cannot_be_mended_now_is_mended_later(
    tmp_path: Path, counted: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    model = recognise(path)
    with ModelIndex(tmp_path / "index.db") as index:
        index.look(path)
        for name in ("index.db", "index.db-wal"):
            with (tmp_path / name).open("r+b") as file:
                file.write(b"no database at all" * 500)
        with monkeypatch.context() as broken:
            broken.setattr(ModelIndex, "_rebuilt", _refuse)
            for _ in range(3):
                assert index.look(path).model == model
                assert index.by_sha256("ab") == []
        counted.clear()
        index.look(path)
        index.look(path)
        assert len(counted) <= 1


def _refuse(index: ModelIndex) -> sqlite3.Connection:
    raise OSError(errno.EIO, "Input/output error")
