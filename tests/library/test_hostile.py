"""Nothing in a file is ever run, and every bad file gives one plain error."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers import pickle_writer as p
from helpers.hostile import CANARY, FILES, LIVE_PICKLES, TENSOR, torch_legacy, torch_zip
from ponystudio.errors import ModelFileError, PonyStudioError
from ponystudio.library.convert import convert
from ponystudio.library.formats.content_id import content_id
from ponystudio.library.formats.weights_file import open_weights
from ponystudio.library.recognition.recognise import recognise

# A machine under load may take some times longer than this, never without end.
SECONDS = 10.0
MEMORY = 400 << 20


@pytest.mark.parametrize("name", sorted(FILES))
def test_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.ckpt"
    path.write_bytes(FILES[name])
    modules = set(sys.modules)
    start = time.monotonic()
    with pytest.raises(ModelFileError) as caught:
        recognise(path)
    assert time.monotonic() - start < SECONDS
    assert caught.value.where == str(path)
    assert caught.value.what.endswith(".")
    assert str(caught.value).isprintable()
    assert not {"antigravity", "this"} & (set(sys.modules) - modules)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["model.ckpt"]


def test_corpus_is_large() -> None:
    assert len(FILES) >= 60


@pytest.mark.parametrize("name", sorted(LIVE_PICKLES))
def test_pickles_are_live(name: str, tmp_path: Path) -> None:
    """Python's own unpickler does run them: else the tests above would prove nothing."""
    (tmp_path / "evil.pkl").write_bytes(LIVE_PICKLES[name])
    subprocess.run(
        [sys.executable, "-c", "import pickle; pickle.load(open('evil.pkl', 'rb'))"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
    )
    assert (tmp_path / CANARY).exists()


def test_wrapping_is_sound(tmp_path: Path) -> None:
    """The same wrapping around a harmless pickle is read: it is the pickle that is refused."""
    for name, wrapped in (("zip", torch_zip), ("legacy", torch_legacy)):
        path = tmp_path / name
        path.write_bytes(wrapped(p.pickle_of(TENSOR)))
        with open_weights(path) as file:
            assert list(file.tensors) == ["weight"]
            assert bytes(file.buffer("weight")) == bytes.fromhex("0000803f000000400000404000008040")


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on memory there")
def test_bounded_memory(tmp_path: Path) -> None:
    """All files one after another in a process that may not have more than a little memory."""
    for index, content in enumerate(FILES.values()):
        (tmp_path / f"{index:03}.ckpt").write_bytes(content)
    script = f"""
import json, resource, sys
from pathlib import Path
from ponystudio.errors import PonyStudioError
from ponystudio.library.recognition.recognise import recognise
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY},) * 2)
refused = []
for path in sorted(Path(".").glob("*.ckpt")):
    try:
        recognise(path)
    except PonyStudioError:
        refused.append(path.name)
assert "torch" not in sys.modules
print(json.dumps(len(refused)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == len(FILES)
    assert not (tmp_path / CANARY).exists()


def test_other_doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing and converting read the same files in the same manner."""
    monkeypatch.chdir(tmp_path)
    source, target = Path("evil.ckpt"), Path("out.safetensors")
    for wrapped in (torch_zip, torch_legacy):
        source.write_bytes(wrapped(LIVE_PICKLES["os.system"]))
        assert len(content_id(source)) == 64
        with pytest.raises(ModelFileError):
            convert(source, target)
        assert not target.exists()
        assert not Path(CANARY).exists()


def _good_files() -> dict[str, bytes]:
    state = p.dictionary(
        state_dict=p.dictionary(a=p.tensor(), b=p.tensor((2, 2), (1, 2))), epoch=p.number(3)
    )
    return {
        "zip": torch_zip(p.pickle_of(state)),
        "legacy": torch_legacy(p.pickle_of(state)),
        "nested": pickle.dumps({"a": [1, {"b": (2.5, None)}]}, 4),
    }


@pytest.mark.parametrize("name", ["zip", "legacy", "nested"])
def test_every_byte_changed(name: str, tmp_path: Path) -> None:
    """Whatever byte is wrong, the file is read or refused, and nothing else happens."""
    good, path = _good_files()[name], tmp_path / "model.ckpt"
    for at in range(len(good)):
        for change in (0xFF, good[at] ^ 0x01, ord("R")):
            path.write_bytes(good[:at] + bytes([change]) + good[at + 1 :])
            try:
                open_weights(path).close()
            except PonyStudioError:
                pass


@pytest.mark.parametrize("name", ["zip", "legacy", "nested"])
def test_every_length(name: str, tmp_path: Path) -> None:
    """No piece of a file passes for the whole."""
    good, path = _good_files()[name], tmp_path / "model.ckpt"
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(PonyStudioError):
            open_weights(path)
