"""What changes the fingerprint of the code, and so outdates results."""

from __future__ import annotations

import sys

import pytest

from ponystudio.engine.cache import code_fingerprint


def test_an_edit_of_the_model_librarys_source_changes_the_fingerprint(tmp_path, monkeypatch):
    (tmp_path / "sampling").mkdir()
    source = tmp_path / "sampling" / "euler.py"
    source.write_text("a = 1\n")
    pack = tmp_path / "pack.py"
    pack.write_text("b = 1\n")

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(code_fingerprint.importlib.util, "find_spec", lambda name: Spec)
    before = code_fingerprint.fingerprints({"core": [pack]})
    assert code_fingerprint.fingerprints({"core": [pack]}) == before
    source.write_text("a = 2\n")
    after = code_fingerprint.fingerprints({"core": [pack]})
    assert after != before
    pack.write_text("b = 2\n")
    assert code_fingerprint.fingerprints({"core": [pack]}) not in (before, after)


@pytest.mark.parametrize("library", ["tokenizers", "sentencepiece", "gguf", "diffusers"])
def test_another_version_of_a_library_changes_the_fingerprint(library, monkeypatch):
    before = code_fingerprint.fingerprints({"core": []})
    version = code_fingerprint.importlib.metadata.version
    monkeypatch.setattr(
        code_fingerprint.importlib.metadata,
        "version",
        lambda name: "0" if name == library else version(name),
    )
    assert code_fingerprint.fingerprints({"core": []}) != before


def test_another_tokenizer_that_ships_changes_the_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setattr(code_fingerprint, "resource", lambda name: tmp_path / name)
    place = tmp_path / "tokenizers" / "t5" / "spiece.model"
    place.parent.mkdir(parents=True)
    seen = []
    for content in (b"one", b"two"):
        place.write_bytes(content)
        seen.append(code_fingerprint.fingerprints({"core": []}))
    assert seen[0] != seen[1]


def test_a_frozen_program_reads_its_fingerprint_from_a_resource(tmp_path, monkeypatch):
    text = code_fingerprint.frozen_resource()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(code_fingerprint, "resource", lambda name: tmp_path / name)
    (tmp_path / code_fingerprint.FROZEN).write_text(text)
    first = code_fingerprint.fingerprints({"core": []})
    (tmp_path / code_fingerprint.FROZEN).write_text(text.replace(text[15:20], "00000"))
    assert code_fingerprint.fingerprints({"core": []}) != first
