"""A machine that reads pickles and can do nothing else.

A pickle is a programme: Python's own unpickler imports what it names and calls it. This machine has
no way to import or to call anything. A name becomes a `Global`, and only if `names` knows it;
"calling" one looks its text up in a table of functions that build plain records. Opcodes that
weights files do not use are refused, and so is what would make the machine itself work or
remember without bound.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ponystudio.errors import DamagedFile, UnsafeFile

# Real checkpoints with optimizer states stay below a tenth of these.
MOST_STEPS = 2_000_000
LONGEST_PICKLE = 64 << 20
LONGEST_TEXT = 1 << 20
MOST_REMEMBERED = 1_000_000
# Beyond it many whole numbers share a hash, and a dictionary of them takes for ever.
LARGEST_KEY = 1 << 60


@dataclass(frozen=True, slots=True)
class Global:
    """The name of a class or function in a pickle: a text, nothing behind it."""

    name: str


class InertObject:
    """Stands for an object that is of no use here; takes whatever it is given, keeps nothing."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Names(Protocol):
    """What the machine may be told."""

    def known(self, name: str) -> bool:
        """Whether a pickle may name this class or function."""

    def make(self, name: str, args: tuple[Any, ...]) -> Any:
        """The record for a call of `name`."""

    def build(self, target: Any, state: Any) -> Any:
        """The record for an object that is given its state."""

    def stored(self, identity: Any) -> Any:
        """The record for something that lies outside of the pickle."""


_MARK = object()
_SCALARS = (str, float, bytes, type(None), Global)


def read_pickle(data: memoryview, names: Names, where: str) -> tuple[Any, int]:
    """The object at the start of `data`, and the number of bytes that its pickle takes.

    Raises UnsafeFile for what no weights file needs, DamagedFile for what is no pickle.
    """
    return _Machine(data[:LONGEST_PICKLE], names, where).run()


class _Machine:
    def __init__(self, data: memoryview, names: Names, where: str) -> None:
        self.data = data
        self.names = names
        self.where = where
        self.at = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> tuple[Any, int]:
        try:
            for _ in range(MOST_STEPS):
                opcode = self.data[self.at]
                self.at += 1
                if opcode == _STOP:
                    return self.stack.pop(), self.at
                operation = _OPERATIONS.get(opcode)
                if operation is None:
                    raise self._refused(f"the pickle opcode {chr(opcode)!r}")
                operation(self)
        except (IndexError, KeyError, struct.error, TypeError, ValueError, AttributeError):
            raise DamagedFile(
                f"The pickle in this file breaks off or makes no sense at byte {self.at:,}.",
                where=self.where,
                remedy="Download it again.",
            ) from None
        raise UnsafeFile("The pickle in this file has no end in sight.", where=self.where)

    def _refused(self, what: str) -> UnsafeFile:
        # A name may hold what would command a terminal.
        plain = "".join(sign if sign.isprintable() else "?" for sign in what[:200])
        return UnsafeFile(
            f"This file uses {plain}, which no weights need; nothing in it was run.",
            where=self.where,
            remedy="Take the model from another place, as .safetensors if there is one.",
        )

    # Reading arguments

    def take(self, count: int) -> memoryview:
        piece = self.data[self.at : self.at + count]
        if len(piece) < count:
            raise IndexError
        self.at += count
        return piece

    def number(self, form: struct.Struct) -> Any:
        value = form.unpack_from(self.data, self.at)[0]
        self.at += form.size
        return value

    def sized(self, form: struct.Struct) -> bytes:
        length = self.number(form)
        if not 0 <= length <= LONGEST_TEXT:
            raise self._refused(f"a text of {length:,} bytes")
        return bytes(self.take(length))

    def line(self) -> str:
        end = self.at
        while self.data[end] != 0x0A:
            end += 1
            if end - self.at > 1000:
                raise self._refused("a name without end")
        text = str(self.data[self.at : end], "utf-8")
        self.at = end + 1
        return text

    # The stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        stack = self.stack
        for index in range(len(stack) - 1, -1, -1):
            if stack[index] is _MARK:
                items = stack[index + 1 :]
                del stack[index:]
                return items
        raise IndexError

    def remember(self, index: int) -> None:
        if len(self.memo) >= MOST_REMEMBERED:
            raise self._refused("too large a memo")
        self.memo[index] = self.stack[-1]

    # Operations on records

    def name(self, module: str, name: str) -> None:
        full = f"{module}.{name}"
        if not self.names.known(full):
            raise self._refused(full)
        self.push(Global(full))

    def call(self) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Global) or not isinstance(args, tuple):
            raise self._refused("a call of something that has no name")
        self.push(self.names.make(function.name, args))

    def call_with_keywords(self) -> None:
        self.stack.pop()
        self.call()

    def build(self) -> None:
        state = self.stack.pop()
        self.stack[-1] = self.names.build(self.stack[-1], state)

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, InertObject):
            raise TypeError

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, InertObject):
            return
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self._key(key)] = value

    def _key(self, key: Any) -> Hashable:
        """No tuples: many can be made that share a hash, and a dictionary of them takes time by the
        square of their number."""
        if not is_plain(key):
            raise self._refused("an object as the key of a dictionary")
        return key  # type: ignore[no-any-return]


def is_plain(item: Any) -> bool:
    """Whether this may be the key of a dictionary."""
    if isinstance(item, int):
        return abs(item) < LARGEST_KEY
    return isinstance(item, _SCALARS)


def _tuple_of(count: int) -> Callable[[_Machine], None]:
    def operation(m: _Machine) -> None:
        if len(m.stack) < count:
            raise IndexError
        items = tuple(m.stack[len(m.stack) - count :])
        del m.stack[len(m.stack) - count :]
        m.push(items)

    return operation


def _stack_global(m: _Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise TypeError  # the text of lists in lists in lists … would fill the memory
    m.name(module, name)


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _text(data: bytes) -> str:
    """Halves of characters, which no terminal or database would take, are replaced."""
    return data.decode("utf-8", "replace")


_U1, _U2, _U4, _U8 = (struct.Struct(form) for form in ("<B", "<H", "<I", "<Q"))
_I4, _F8 = struct.Struct("<i"), struct.Struct(">d")
_STOP = ord(".")

_BY_SIGN: Mapping[str, Callable[[_Machine], Any]] = {
    "\x80": lambda m: m.take(1),  # PROTO
    "\x95": lambda m: m.take(8),  # FRAME
    "(": lambda m: m.push(_MARK),
    "N": lambda m: m.push(None),
    "\x88": lambda m: m.push(True),
    "\x89": lambda m: m.push(False),
    "J": lambda m: m.push(m.number(_I4)),
    "K": lambda m: m.push(m.number(_U1)),
    "M": lambda m: m.push(m.number(_U2)),
    "\x8a": lambda m: m.push(_signed(m.sized(_U1))),  # LONG1
    "G": lambda m: m.push(m.number(_F8)),
    "X": lambda m: m.push(_text(m.sized(_U4))),
    "\x8c": lambda m: m.push(_text(m.sized(_U1))),
    "\x8d": lambda m: m.push(_text(m.sized(_U8))),
    "T": lambda m: m.push(m.sized(_I4).decode("latin-1")),  # texts of Python 2
    "U": lambda m: m.push(m.sized(_U1).decode("latin-1")),
    "B": lambda m: m.push(m.sized(_U4)),
    "C": lambda m: m.push(m.sized(_U1)),
    "}": lambda m: m.push({}),
    "]": lambda m: m.push([]),
    ")": lambda m: m.push(()),
    "\x8f": lambda m: m.push([]),  # EMPTY_SET: nobody here asks whether something is in it
    "\x90": lambda m: m.append(m.since_mark()),
    "\x85": _tuple_of(1),
    "\x86": _tuple_of(2),
    "\x87": _tuple_of(3),
    "t": lambda m: m.push(tuple(m.since_mark())),
    "a": lambda m: m.append([m.stack.pop()]),
    "e": lambda m: m.append(m.since_mark()),
    "s": lambda m: m.set_items([m.stack.pop(-2), m.stack.pop()]),
    "u": lambda m: m.set_items(m.since_mark()),
    "q": lambda m: m.remember(m.number(_U1)),
    "r": lambda m: m.remember(m.number(_U4)),
    "\x94": lambda m: m.remember(len(m.memo)),
    "h": lambda m: m.push(m.memo[m.number(_U1)]),
    "j": lambda m: m.push(m.memo[m.number(_U4)]),
    "c": lambda m: m.name(m.line(), m.line()),
    "\x93": _stack_global,
    "R": _Machine.call,
    "\x81": _Machine.call,  # NEWOBJ
    "\x92": _Machine.call_with_keywords,  # NEWOBJ_EX
    "b": _Machine.build,
    "Q": lambda m: m.push(m.names.stored(m.stack.pop())),
}
_OPERATIONS = {ord(sign): operation for sign, operation in _BY_SIGN.items()}
