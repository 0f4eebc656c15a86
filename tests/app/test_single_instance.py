"""One studio per data folder; locks that end with their holder."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

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
