"""Every way PonyStudio can refuse or fail, one class per reason.

PonyStudioError
├── BadInput                 found before anything ran            exit code 2
│   ├── UsageError           the command line makes no sense
│   ├── GraphFileError       a graph (or a picture with one) cannot be read
│   ├── GraphError           one place in the graph is wrong: node, socket
│   │   ├── UnknownNode, UnknownParam, UnknownSocket
│   │   ├── MissingInput, BrokenLink, TypeMismatch, Cycle
│   │   ├── ParamType, ParamRange, ParamChoice
│   │   ├── MissingFile, UnsafePath, ClosedFolder
│   │   └── NothingToRun
│   └── ModelFileError       one file is no model that can be used here
│       ├── DamagedFile (UnreadFile), UnsafeFile, UnknownModel
│       └── WrongKind, UnsupportedModel
└── RunError                 while running                        exit code 1
    ├── NodeFailed           wraps what a node raised, with its id
    ├── NotANumber (FloatOverflow), MismatchedValues, ChangedInput, ChangedFile
    ├── OutOfMemory
    ├── StorageFull, NotWritable
    ├── Differs              a picture that was made again is another one
    └── WorkerDied
Cancelled                    the user's wish, not an error        exit code 130
"""

from __future__ import annotations

from collections.abc import Iterable

# Letters of what is said in an error, each part by itself.
LONGEST = 2000
# Of where it is, if it is said: twice the longest path of Linux.
LONGEST_PLACE = 8192


def shortened(text: str, most: int = 100) -> str:
    """The text with its middle left out where it is longer than `most`."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - half - 1]}…{text[-half:]}"


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first of some names, each cut to a readable length, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - most:,} more" if len(known) > most else ""
    return ", ".join(map(shortened, known[:most])) + more


class PonyStudioError(Exception):
    """What went wrong, where, and what to do about it, in plain words.

    `what` is one sentence; `where` a node, socket or file; `remedy` says what the user can do next.
    Each is cut: what a stranger's file says may be a megabyte.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, where: str = "", remedy: str = "", node: str = "", socket: str = ""
    ) -> None:
        self.what = shortened(what, LONGEST)
        super().__init__(self.what)
        self.remedy = shortened(remedy, LONGEST)
        self.node = node
        self.socket = socket
        place = f"{shortened(node)}.{shortened(socket)}" if node and socket else shortened(node)
        self.where = shortened(where, LONGEST_PLACE) or place

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.remedy}" if self.remedy else ""
        return f"{place}{self.what}{advice}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.remedy, self.node, self.socket))


def _rebuild(
    cls: type[PonyStudioError], what: str, where: str, remedy: str, node: str, socket: str
) -> PonyStudioError:
    return cls(what, where=where, remedy=remedy, node=node, socket=socket)


class BadInput(PonyStudioError):
    exit_code = 2


class UsageError(BadInput):
    pass


class GraphFileError(BadInput):
    pass


class GraphError(BadInput):
    pass


class UnknownNode(GraphError):
    pass


class UnknownParam(GraphError):
    pass


class UnknownSocket(GraphError):
    pass


class MissingInput(GraphError):
    pass


class BrokenLink(GraphError):
    pass


class TypeMismatch(GraphError):
    pass


class Cycle(GraphError):
    pass


class ParamType(GraphError):
    pass


class ParamRange(GraphError):
    pass


class ParamChoice(GraphError):
    pass


class MissingFile(GraphError):
    pass


class UnsafePath(GraphError):
    pass


class ClosedFolder(GraphError):
    """Where something is to be written to, nothing can be."""


class NothingToRun(GraphError):
    pass


class ModelFileError(BadInput):
    pass


class DamagedFile(ModelFileError):
    pass


class UnreadFile(DamagedFile):
    """It could not be read this time: what is in it is not known, and not to be remembered."""


class UnsafeFile(ModelFileError):
    pass


class UnknownModel(ModelFileError):
    pass


class WrongKind(ModelFileError):
    pass


class UnsupportedModel(ModelFileError):
    pass


class RunError(PonyStudioError):
    pass


class NodeFailed(RunError):
    pass


class NotANumber(RunError):
    pass


class FloatOverflow(NotANumber):
    """In fp16; numbers of a wider kind may do."""


class Differs(RunError):
    pass


class MismatchedValues(RunError):
    pass


class ChangedInput(RunError):
    pass


class ChangedFile(RunError):
    pass


class OutOfMemory(RunError):
    pass


class StorageFull(RunError):
    pass


class NotWritable(RunError):
    pass


class WorkerDied(RunError):
    pass


class Cancelled(BaseException):
    """The user asked to stop. Not an Exception, so that no `except Exception` swallows it."""

    exit_code = 130
