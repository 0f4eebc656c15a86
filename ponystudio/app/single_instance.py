"""One studio per data folder: a second start hands its files to the first and leaves.

The lock decides who is first, since a crash cannot leave it behind; the socket only carries the
message, so that a stale one does no harm. It lies where no other user can put one of the same name,
and either end asks the system whose process the other is.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, ValidationError, convert, to_builtins
from PySide6.QtCore import QObject, Signal

from ponystudio.library import user_folders
from ponystudio.studio.documents.file_lock import FileLock
from ponystudio.system.file_names import absolute

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
        self._channels: list[QLocalSocket] = []

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
        if not self.name:
            return
        from PySide6.QtNetwork import QLocalServer

        QLocalServer.removeServer(self.name)  # a crash leaves it; nobody else can be using it
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._connected)
        self._server.listen(self.name)

    def hand_over(self, files: Sequence[Path], timeout: float = ANSWER_TIMEOUT) -> bool:
        """Give the files to the first one; False if it does not answer."""
        request = _OpenRequest(
            [str(absolute(path)) for path in files],
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
            for channel in tuple(self._channels):
                channel.abort()
            self._tidy()
            self._server.close()
            self._server.deleteLater()
            self._server = None
        self._lock.release()

    def _sent(self, data: bytes, timeout: float) -> bool:
        from PySide6.QtNetwork import QLocalSocket

        channel = QLocalSocket()
        milliseconds = int(timeout * 1000)
        channel.connectToServer(self.name)
        if not channel.waitForConnected(milliseconds) or not _is_own(channel):
            return False
        channel.write(data)
        channel.flush()
        # The first one's event loop may be busy: only its answer shows that it heard.
        answered = channel.waitForReadyRead(milliseconds) and channel.read(2).data() == b"ok"
        channel.abort()
        return bool(answered)

    def _connected(self) -> None:
        while self._server is not None and (channel := self._server.nextPendingConnection()):
            if not _is_own(channel):
                channel.abort()
                channel.deleteLater()
                continue
            self._channels.append(channel)
            # No slot may hold the channel: it would be freed from within its own end.
            channel.readyRead.connect(self._read_all)
            channel.disconnected.connect(self._tidy)
            self._read(channel)

    def _read_all(self) -> None:
        for channel in tuple(self._channels):
            self._read(channel)

    def _tidy(self) -> None:
        """Let go of those that are disconnected."""
        for channel in tuple(self._channels):
            if channel.state() == channel.LocalSocketState.UnconnectedState:
                self._channels.remove(channel)
                channel.deleteLater()

    def _read(self, channel: QLocalSocket) -> None:
        if channel.bytesAvailable() > MOST:
            channel.abort()
        if not channel.canReadLine():
            return
        try:
            request = convert(json.loads(bytes(channel.readLine().data())), _OpenRequest)
        except (ValueError, ValidationError, RecursionError):
            channel.abort()
            return
        channel.write(b"ok")
        channel.flush()
        self.files_received.emit([Path(path) for path in request.files], request.token)


def _is_own(channel: QLocalSocket) -> bool:
    """Whether the other end is a process of this user, where the system tells."""
    peer = _peer(int(channel.socketDescriptor()))
    return peer is None or peer == os.geteuid()


def _peer(descriptor: int) -> int | None:
    """The user at the other end of a socket; None where the system does not tell."""
    if sys.platform == "win32":
        return None  # the pipe's own rights are this user's
    with socket.socket(fileno=os.dup(descriptor)) as end:
        if hasattr(socket, "SO_PEERCRED"):
            found = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", found)[1])  # process, user, group
        if sys.platform == "darwin":
            local_peercred = (0, 1)  # SOL_LOCAL, LOCAL_PEERCRED
            found = end.getsockopt(*local_peercred, 76)
            return int(struct.unpack_from("II", found)[1])  # version of the structure, user
    return None


def _name(folder: Path) -> str:
    """Where the socket is. Short, since a socket's path may not be long."""
    real = os.path.normcase(os.path.realpath(folder))
    if sys.platform == "win32":  # where pipes of all users have one name space
        real = f"{os.environ.get('USERNAME', '')} {real}"
    name = hashlib.sha256(real.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    if sys.platform == "win32":
        return f"ponystudio-{name}"
    try:
        return str(user_folders.runtime() / name)
    except OSError:  # nowhere: two studios cannot hear each other
        return ""
