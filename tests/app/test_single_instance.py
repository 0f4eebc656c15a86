"""One studio per data folder; locks that end with their holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ponystudio.app.single_instance import SingleInstance

FIRST = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from ponystudio.app.single_instance import SingleInstance
app = QCoreApplication([])
instance = SingleInstance(Path(sys.argv[1]))
print(instance.claim(), flush=True)
instance.listen()
received = lambda files, token: print([str(file) for file in files], flush=True)
instance.files_received.connect(received)
app.exec()
"""


SECOND = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from ponystudio.app.single_instance import SingleInstance
app = QCoreApplication([])
instance = SingleInstance(Path(sys.argv[1]))
sys.exit(instance.claim() or not instance.hand_over([]))
"""


def first(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FIRST, str(folder)], stdout=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_start_hands_its_files_over(qapp, tmp_path):
    process = first(tmp_path)
    try:
        assert process.stdout.readline() == "True\n"
        second = SingleInstance(tmp_path)
        assert not second.claim()
        assert second.hand_over([Path("a b.json"), tmp_path / "ünicorn.png"])
        expected = [str(Path.cwd() / "a b.json"), str(tmp_path / "ünicorn.png")]
        assert process.stdout.readline() == f"{expected}\n"
        assert second.hand_over([])
        assert process.stdout.readline() == "[]\n"
    finally:
        end(process)


def test_a_crash_leaves_nothing_in_the_way(qapp, tmp_path, qtbot):
    process = first(tmp_path)
    assert process.stdout.readline() == "True\n"
    end(process)  # lock file and socket are still there
    instance = SingleInstance(tmp_path)
    assert instance.claim()
    assert not SingleInstance(tmp_path).claim()
    instance.listen()
    with qtbot.waitSignal(instance.files_received):
        other = subprocess.Popen([sys.executable, "-c", SECOND, str(tmp_path)])
    qtbot.waitUntil(lambda: other.poll() is not None)
    assert other.returncode == 0
    instance.close()
    assert SingleInstance(tmp_path).claim()


def test_a_studio_that_does_not_answer_is_not_waited_for_long(qapp, tmp_path):
    process = first(tmp_path)
    try:
        assert process.stdout.readline() == "True\n"
        process.send_signal(signal.SIGSTOP)
        assert not SingleInstance(tmp_path).hand_over([], timeout=0.3)
    finally:
        end(process)


def test_nonsense_on_the_socket_is_ignored(qapp, tmp_path, qtbot):
    from PySide6.QtNetwork import QLocalSocket

    instance = SingleInstance(tmp_path)
    assert instance.claim()
    instance.listen()
    asked = []
    instance.files_received.connect(lambda *said: asked.append(said))
    for data in (b"nonsense\n", b"{}\n", b'{"files": 3, "token": ""}\n', b"[" * 100_000 + b"\n"):
        socket = QLocalSocket()
        socket.connectToServer(instance.name)
        assert socket.waitForConnected(1000)
        socket.write(data)
        socket.flush()
        qtbot.waitUntil(
            lambda socket=socket: socket.state() == socket.LocalSocketState.UnconnectedState
        )
    assert asked == []
    instance.close()


needs_users = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.getuid() != 0, reason="needs a second user"
)
# Another user: connects to the studio's socket and asks, or answers in the studio's place.
STRANGER = """
import os, socket, sys
os.setgid(12345); os.setuid(12345)
end = socket.socket(socket.AF_UNIX)
if sys.argv[1] == "ask":
    end.connect(sys.argv[2])
    end.sendall(b'{"files": ["/etc/passwd"], "token": ""}\\n')
    print(end.recv(2) if sys.stdin.read(1) else "", flush=True)
else:
    end.bind(sys.argv[2])
    end.listen()
    print("listens", flush=True)
    while True:
        other, _ = end.accept()
        other.sendall(b"ok")
        print(other.recv(1000), flush=True)
"""


@pytest.fixture
def open_folder(monkeypatch) -> Iterator[Path]:
    """A session's folder into which, against all rules, everybody can look."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def stranger(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STRANGER, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@needs_users
def test_another_user_is_not_listened_to(qapp, open_folder, tmp_path, qtbot):
    instance = SingleInstance(tmp_path)
    assert instance.claim()
    instance.listen()
    Path(instance.name).parent.chmod(0o711)
    Path(instance.name).chmod(0o666)
    heard = []
    instance.files_received.connect(lambda *said: heard.append(said))
    other = stranger("ask", instance.name)
    other.stdin.write("x")
    other.stdin.flush()
    qtbot.waitUntil(lambda: other.poll() is not None, timeout=20_000)
    assert other.communicate()[0].strip() in ("", "b''")
    assert heard == []
    instance.close()


@needs_users
def test_another_user_s_answer_is_none(qapp, open_folder, tmp_path):
    theirs = open_folder / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    other = stranger("answer", str(theirs / "socket"))
    assert other.stdout.readline() == "listens\n"
    second = SingleInstance(tmp_path)
    second.name = str(theirs / "socket")
    assert not second.hand_over([tmp_path / "secret.json"], timeout=0.3)
    other.kill()
    assert "secret" not in other.communicate()[0]


def test_the_socket_is_not_where_others_can_be_first(qapp, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    instance = SingleInstance(tmp_path / "data")
    assert instance.claim()
    instance.listen()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    if sys.platform != "win32":
        assert Path(instance.name).is_socket()
        assert Path(instance.name).parent.stat().st_mode & 0o777 == 0o700
    instance.close()
