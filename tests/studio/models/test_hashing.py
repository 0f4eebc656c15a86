"""Hashes of model files: right, off the GUI thread, kept, and given up."""

from __future__ import annotations

import hashlib
import shutil
import threading

import pytest

from helpers.running import until
from ponystudio.library import model_index
from ponystudio.library.formats import content_id
from ponystudio.library.model_index import ModelIndex
from ponystudio.studio.models import hashing
from ponystudio.studio.models.hashing import Hasher
from ponystudio_resources import path as resource


@pytest.fixture
def hasher(qtbot, tmp_path):
    made = Hasher(tmp_path / "index.sqlite")
    made.heard = []
    made.done.connect(lambda path, sha256: made.heard.append((path, sha256)))
    yield made
    made.close()


@pytest.fixture
def upscaler(tmp_path):
    shipped = resource("models", "upscale_models", "realesr-animevideov3-x4.safetensors")
    return shutil.copy(shipped, tmp_path / "x4.safetensors")


def test_it_is_the_file_s_sha256_and_is_kept(hasher, upscaler, tmp_path, monkeypatch):
    monkeypatch.setattr(content_id, "YOUNG_NS", 3 * 10**8)
    hasher.hash(upscaler)
    hasher.hash(upscaler)
    assert hasher.wants(upscaler)
    until(lambda: hasher.heard)
    expected = hashlib.sha256(upscaler.read_bytes()).hexdigest()
    assert hasher.heard == [(upscaler, expected)]
    assert not hasher.wants(upscaler)
    monkeypatch.setattr(content_id, "_sha256", content_id.Remembered())  # as in another process
    with ModelIndex(tmp_path / "index.sqlite") as index:
        assert index.look(upscaler).sha256 == expected


def test_what_is_given_up_is_read_no_further(hasher, upscaler, monkeypatch):
    began, go_on, read = threading.Event(), threading.Event(), []

    def slow(path, _, heard):
        began.set()
        go_on.wait(5)
        heard(1)
        read.append(path)  # not reached
        return "0" * 64

    monkeypatch.setattr(model_index, "sha256_of", slow)
    hasher.hash(upscaler)
    until(began.is_set)
    hasher.give_up(upscaler)
    go_on.set()
    until(lambda: hasher.heard)
    assert hasher.heard == [(upscaler, "")]
    assert read == []


def test_it_tells_how_far_it_is(qtbot, hasher, upscaler, monkeypatch):
    monkeypatch.setattr(hashing, "_PROGRESS_BYTES", 1)
    told = []
    hasher.progressed.connect(lambda _, share: told.append(share))
    hasher.hash(upscaler)
    qtbot.waitUntil(lambda: told[-1:] == [1.0])
    assert told == sorted(told)


def test_a_file_that_is_gone_fails_in_words(hasher, tmp_path):
    errors = []
    hasher.failed.connect(lambda _, error: errors.append(error.what))
    hasher.hash(tmp_path / "gone.safetensors")
    until(lambda: errors)
    assert errors == ["There is no such file."]
