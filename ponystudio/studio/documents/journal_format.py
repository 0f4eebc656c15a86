"""How a journal is written and read: a document's base graph, then a line for all that was done.

Each line is the CRC-32 of its JSON in hex, a blank, the JSON. The first says what document it is
and holds the base graph; after it come, in the order in which they happened:

    {"do": edit, "text": ..., "merge": ..., "alone": true}   an edit; alone: merges with none before
    {"to": index}                 undone or redone until so many steps are done
    {"seal": n}                   saving begins with this state: nothing merges into it
    {"unseal": true}              the sealed state is gone
    {"mark": n}                   this state has the number n (without sealing)
    {"saving": n, "sha256": ...}  state n is about to be put into a file of this content ...
    {"saved": n, "path": ..., "sha256": ...}    ... and was; n null: no state that is known here
    {"named": path or null, "title": ...}                    the document's file and title
    {"camera": {...}}             where the view was left
    {"closed": time} {"opened": time}

A journal that was not closed belongs to a document that is, or was, open.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponystudio.errors import BadInput, PonyStudioError
from ponystudio.graph.editing.edits import Compound, Edit, Restore
from ponystudio.graph.editing.undo_history import UndoHistory, UndoRecord, states
from ponystudio.graph.formats.edit_codec import decode, difference, encode
from ponystudio.graph.formats.graph_file import from_json, to_json
from ponystudio.graph.model import Graph

FORMAT, VERSION = "ponystudio.journal", 1
SUFFIX = ".journal"
# The number of a state that no save is about.
SEALED = -1
Line = dict[str, Any]


@dataclass
class StoredDocument:
    """What a journal holds: a document as it was when the last whole line was written.

    `saved` is the graph that went into the file at `path`, whose content is `digest`; `pending`
    are contents that saves were about to write, with the numbers of their states in `marks`.
    `intact_bytes` is how much of the journal could be read; `lost` tells that whole lines after
    that make no sense.
    """

    id: str
    title: str
    history: UndoHistory
    path: Path | None = None
    time: float = 0.0
    saved: Graph | None = None
    digest: str = ""
    pending: dict[str, int] = field(default_factory=dict)
    camera: Mapping[str, Any] | None = None
    closed: float = 0.0
    lines: int = 0
    intact_bytes: int = 0
    lost: bool = False
    marks: dict[int, Graph] = field(default_factory=dict)

    @property
    def graph(self) -> Graph:
        return self.history.graph

    @property
    def dirty(self) -> bool:
        return self.graph != self.saved

    @property
    def pristine(self) -> bool:
        """Nothing was ever done in it."""
        return self.path is None and not self.graph.nodes and not self.history

    @classmethod
    def begin(cls, line: Line) -> StoredDocument:
        """By the first line of a journal."""
        if line["format"] != FORMAT:
            raise ValueError("no journal")
        if line["version"] != VERSION:
            raise NewerJournal("The journal was written by a newer PonyStudio.")
        base = from_json(line["graph"])
        path = None if line["path"] is None else Path(line["path"])
        return cls(line["id"], line["title"], UndoHistory(base), path, line["time"])

    def play(self, line: Line) -> None:
        """What the next line says."""
        history = self.history
        match line:
            case {"do": edit, "text": text}:
                alone = line.get("alone", False)
                history.do(decode(edit), text, line.get("merge", ""), alone=alone)
            case {"to": index}:
                history.go_to(index)
            case {"seal": number}:
                history.seal()
                self.marks[number] = history.graph
            case {"unseal": _}:
                history.unseal()
            case {"mark": number}:
                self.marks[number] = history.graph
            case {"saving": number, "sha256": digest}:
                self.pending[digest] = number
            case {"saved": number, "path": path, "sha256": digest}:
                self.saved = self.marks.get(number)
                self.path, self.digest = None if path is None else Path(path), digest
                later = {key: n for key, n in self.pending.items() if number is None or n > number}
                self.pending = later
            case {"named": path, "title": title}:
                self.path, self.title = None if path is None else Path(path), title
            case {"camera": camera}:
                self.camera = camera
            case {"closed": time}:
                self.closed = time
            case {"opened": _}:
                self.closed = 0.0
            case _:
                pass  # a later version's; it says what it needs by its version

    def count_line(self, end: int) -> None:
        """A line was read, up to this byte."""
        self.lines, self.intact_bytes = self.lines + 1, end

    def note_loss(self, data: bytes) -> None:
        """A torn last line is what a crash leaves; more than that is damage."""
        self.lost = data.count(b"\n", self.intact_bytes) > 0

    def drop_saved(self) -> None:
        """What is in its file is not known any more."""
        self.saved = None

    def end_pending(self, digest: str) -> None:
        """The save that was about to write this content did so."""
        self.saved, self.digest = self.marks[self.pending[digest]], digest


def header(id: str, title: str, path: Path | None, graph: Graph, time: float) -> Line:
    return {
        "format": FORMAT,
        "version": VERSION,
        "id": id,
        "title": title,
        "path": None if path is None else str(path),
        "time": time,
        "graph": to_json(graph),
    }


def pack(line: Mapping[str, Any]) -> bytes:
    """The line as it stands in the file. ASCII alone: half a surrogate pair is no obstacle."""
    data = json.dumps(line, allow_nan=False, separators=(",", ":"), default=dict).encode("ascii")
    return b"%08x %s\n" % (binascii.crc32(data), data)


def edit_line(edit: Edit, text: str, merge: str, before: Graph, after: Graph) -> Line:
    """The line of an edit that led from one graph to the other, whatever the edit is.

    What cannot be written, is too long to write or would not lead there again is replaced by the
    bare difference of the graphs.
    """
    line: Line = {"do": None, "text": text}
    if merge:
        line["merge"] = merge
    try:
        if not _long(edit):
            line["do"] = encode(edit)
            if decode(line["do"]).apply(before)[0] == after:
                return line
    except (PonyStudioError, ValueError, TypeError):
        pass  # the difference says it, too
    line["do"] = encode(difference(before, after))
    return line


def _long(edit: Edit) -> bool:
    """Whether it carries the whole view."""
    if isinstance(edit, Compound):
        return any(_long(item) for item in edit.edits)
    return isinstance(edit, Restore) and edit.view is not None


def compacted_lines(
    head: Line, graph: Graph, record: UndoRecord, saved: Graph | None, file: Line | None
) -> Iterator[Line]:
    """A journal of the same document with no more lines than its undo history has steps.

    `head` lacks the graph. `file` is the line that tells of its last save, with `saved` in it.
    """
    past = states(graph, record)
    yield {**head, "graph": to_json(past[0])}
    marked = next((i for i, state in enumerate(past) if state == saved), None)
    for number, state in enumerate(past):
        if number:
            step = record.steps[number - 1]
            line = edit_line(step.edit, step.text, step.merge, past[number - 1], state)
            yield {**line, "alone": True}
        if number == marked:
            yield {"mark": 0}
        if number == record.sealed:
            yield {"seal": SEALED}
    yield {"to": record.index}
    if record.sealed < 0:
        yield {"unseal": True}
    if file is not None:
        yield {**file, "saved": 0 if marked is not None else None}


class NewerJournal(BadInput):
    """It was written by a later version, which must find it as it is."""


def replay(path: Path) -> StoredDocument | None:
    """What the journal holds; None if not even its first line is whole.

    Raises OSError, and NewerJournal for one of a later version.

    Reading ends at the first line that is torn or makes no sense: all before it is kept.
    """
    stored: StoredDocument | None = None
    data = path.read_bytes()
    for end, line in _lines(data):
        try:
            if stored is None or "format" in line:  # a second header begins anew
                stored = StoredDocument.begin(line)
            else:
                stored.play(line)
        except NewerJournal:
            raise
        except (PonyStudioError, LookupError, TypeError, ValueError, AttributeError):
            break
        stored.count_line(end)
    if stored is not None:
        stored.note_loss(data)
    return stored


def _lines(data: bytes) -> Iterable[tuple[int, Line]]:
    start = 0
    while (end := data.find(b"\n", start) + 1) > 0:
        text = data[start + 9 : end - 1]
        try:
            whole = int(data[start : start + 8], 16) == binascii.crc32(text)
            line = json.loads(text) if whole else None
        except (ValueError, RecursionError):
            return
        if not isinstance(line, dict):
            return
        yield end, line
        start = end
