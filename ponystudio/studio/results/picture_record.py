"""What is known of a picture without decoding it: how it was made, as far as it says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ponystudio.errors import DamagedFile, PonyStudioError
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.model import Graph
from ponystudio.pictures.picture_graph import graph_text
from ponystudio.pictures.picture_reader import read_facts
from ponystudio.pictures.reader_protocol import PictureFacts

SUFFIXES = frozenset({".png", ".webp", ".jpg", ".jpeg", ".avif"})
_NAMES = {".png": "PNG", ".webp": "WebP", ".jpg": "JPEG", ".jpeg": "JPEG", ".avif": "AVIF"}


@dataclass(frozen=True)
class PictureRecord:
    """One picture file. `time` is when it was made; what the picture does not tell is "" or None.

    `mtime` is in nanoseconds: with `bytes` it tells whether the file is still the one that was
    read. `graph_hash` is "" where no graph is inside, and equal for graphs that differ only in
    how they are laid out. `files` are the names, without folder and suffix, of all models that it
    was made with; `licences` what some of those are under, as "name: terms"; `source_type` what the
    file says of where it comes from, as a URI of IPTC's.
    """

    path: Path
    time: float = 0.0
    bytes: int = 0
    mtime: int = 0
    width: int = 0
    height: int = 0
    prompt: str = ""
    negative: str = ""
    model: str = ""
    model_hash: str = ""
    sampler: str = ""
    scheduler: str = ""
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    device: str = ""
    dtype: str = ""
    node: str = ""
    graph_hash: str = ""
    receipt: bool = False
    files: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    source_type: str = ""
    starred: bool = False

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def format(self) -> str:
        return _NAMES.get(self.path.suffix.lower(), self.path.suffix[1:].upper())

    @property
    def has_graph(self) -> bool:
        return bool(self.graph_hash)

    @property
    def opens(self) -> bool:
        """Whether there is a graph to open: its own, or one made of what it says."""
        return self.has_graph or self.steps is not None


def is_picture_name(name: str) -> bool:
    """Whether a file's name is that of a picture that is whole: drafts begin with a dot."""
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in SUFFIXES


def read_picture(path: Path) -> PictureRecord | None:
    """What the file tells; None if it is gone. One that cannot be read tells nothing."""
    try:
        stat = path.stat()
        facts = read_facts(path)
    except DamagedFile:
        facts = PictureFacts()
    except (OSError, PonyStudioError):
        return None
    return PictureRecord(
        path,
        stat.st_mtime,
        stat.st_size,
        stat.st_mtime_ns,
        **{name: getattr(facts, name) for name in PictureFacts.__struct_fields__},
    )


def read_graph(path: Path) -> Graph | None:
    """The graph inside, or None."""
    try:
        return graph_format.loads(graph_text(path))
    except PonyStudioError:
        return None
