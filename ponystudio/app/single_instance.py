"""One studio per data folder: a second start hands its files to the first and leaves.

The lock decides who is first, since a crash cannot leave it behind; the socket only carries the
message, so that a stale one does no harm.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, ValidationError, convert, to_builtins
from PySide6.QtCore import QObject, Signal

from ponystudio.studio.documents.file_lock import FileLock

if TYPE_CHECKING:  # the window is shown before the network is loaded
    from PySide6.QtNetwork import QLocalServer, QLocalSocket

# Seconds that a second start waits for a first one that is only just starting.
ANSWER_TIMEOUT = 5.0
MOST = 2**20
_STEP = 0.1


class _OpenRequest(Struct, frozen=True):
    """What a second start hands over."""

    files: list[str]
    token: str


class SingleInstance(QObject):
    """The lock and the socket by which a second start finds the first one.

    `files_received` carries what a second start wants: a list of paths, empty to be shown only,
    and the token by which the desktop lets a window come to the front ("" where there is none).
    """

    files_received = Signal(object, str)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = FileLock(folder / "instance.lock")
        self.name = _name(folder)
        self._server: QLocalServer | None = None
        self._sockets: list[QLocalSocket] = []

    def claim(self) -> bool:
        """Whether this is the first one; it stays so until `close`.

        So it is, too, where nothing can be locked: better two studios than none.
        """
        try:
            return self._lock.acquire()
        except OSError:
            return True

    def listen(self) -> None:
        """Hear of second starts from now on; only for the first."""
        from PySide6.QtNetwork import QLocalServer

        QLocalServer.removeServer(self.name)  # a crash leaves it; nobody else can be using it
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._connected)
        self._server.listen(self.name)

    def hand_over(self, files: Sequence[Path], timeout: float = ANSWER_TIMEOUT) -> bool:
        """Give the files to the first one; False if it does not answer."""
        request = _OpenRequest(
            [os.path.abspath(path) for path in files],  # noqa: PTH100
            os.environ.get("XDG_ACTIVATION_TOKEN", ""),
        )
        data = json.dumps(to_builtins(request)).encode("ascii") + b"\n"
        deadline = time.monotonic() + timeout
        while True:
            if self._sent(data, max(deadline - time.monotonic(), _STEP)):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_STEP)

    def close(self) -> None:
        if self._server is not None:
            for socket in tuple(self._sockets):
                socket.abort()
            self._tidy()
            self._server.close()
            self._server.deleteLater()
            self._server = None
        self._lock.release()

    def _sent(self, data: bytes, timeout: float) -> bool:
        from PySide6.QtNetwork import QLocalSocket

        socket = QLocalSocket()
        milliseconds = int(timeout * 1000)
        socket.connectToServer(self.name)
        if not socket.waitForConnected(milliseconds):
            return False
        socket.write(data)
        socket.flush()
        # The first one's event loop may be busy: only its answer shows that it heard.
        answered = socket.waitForReadyRead(milliseconds) and socket.read(2).data() == b"ok"
        socket.abort()
        return bool(answered)

    def _connected(self) -> None:
        while self._server is not None and (socket := self._server.nextPendingConnection()):
            self._sockets.append(socket)
            # No slot may hold the socket: it would be freed from within its own end.
            socket.readyRead.connect(self._read_all)
            socket.disconnected.connect(self._tidy)
            self._read(socket)

    def _read_all(self) -> None:
        for socket in tuple(self._sockets):
            self._read(socket)

    def _tidy(self) -> None:
        """Let go of those that are disconnected."""
        for socket in tuple(self._sockets):
            if socket.state() == socket.LocalSocketState.UnconnectedState:
                self._sockets.remove(socket)
                socket.deleteLater()

    def _read(self, socket: QLocalSocket) -> None:
        if socket.bytesAvailable() > MOST:
            socket.abort()
        if not socket.canReadLine():
            return
        try:
            request = convert(json.loads(bytes(socket.readLine().data())), _OpenRequest)
        except (ValueError, ValidationError, RecursionError):
            socket.abort()
            return
        socket.write(b"ok")
        socket.flush()
        self.files_received.emit([Path(path) for path in request.files], request.token)


def _name(folder: Path) -> str:
    """Short, since a socket's path may not be long."""
    real = os.path.normcase(os.path.realpath(folder))
    return "ponystudio-" + hashlib.sha256(real.encode("utf-8", "surrogateescape")).hexdigest()[:16]
