"""An error as it travels: its class, its words and its place."""

from __future__ import annotations

from msgspec import Struct

from ponystudio.errors import Cancelled, PonyStudioError

CANCELLED = Cancelled.__name__


class ErrorInfo(Struct, frozen=True):
    """The fields of a PonyStudioError; `reason` is its class's name ("Cancelled" when the user
    stopped what was going on)."""

    reason: str
    what: str
    where: str = ""
    remedy: str = ""
    node: str = ""
    socket: str = ""

    @classmethod
    def of(cls, error: BaseException) -> ErrorInfo:
        """Any error; one that is none of ours is named with its class."""
        reason = type(error).__name__
        if isinstance(error, PonyStudioError):
            return cls(reason, error.what, error.where, error.remedy, error.node, error.socket)
        if isinstance(error, Cancelled | KeyboardInterrupt):
            return cls(CANCELLED, "Cancelled.")
        return cls(reason, f"{reason}: {error}")

    @property
    def text(self) -> str:
        """Where, and what."""
        return f"{self.where}: {self.what}" if self.where else self.what
