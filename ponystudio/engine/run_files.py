"""The files that the nodes of a run name, as its model folders have them, and what they held when
it was planned: a result is known by that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.diffusion.text.embedding_names import called, may_mean
from ponystudio.errors import Cancelled, ChangedFile, PonyStudioError
from ponystudio.graph.model import Node
from ponystudio.library.file_checks import files_of
from ponystudio.library.file_contents import FileContent, FileContents
from ponystudio.library.formats.content_id import Heard
from ponystudio.library.model_folders import ModelFolders

# Seconds in which a cancel is seen while hashes are waited for.
CANCEL_CHECK_SECONDS = 0.1

Check = Callable[[], None]


class RunFiles:
    """The files of one run. What was looked at once is not looked at again: all nodes get the
    content that keys were made of, and `check_unchanged` says whether it is still there.

    Large files that nobody has read yet are read by a thread while the run goes on (`read_rest`).
    As long as any is `uncertain`, what is made from them is not for later sessions; `settle` ends
    that.
    """

    def __init__(
        self, catalog: Mapping[str, NodeSpec], folders: ModelFolders, contents: FileContents
    ) -> None:
        self._catalog, self._folders, self._contents = catalog, folders, contents
        self._paths: dict[tuple[str, str], Path] = {}
        self._held: dict[Path, FileContent] = {}
        # What the thread has read, until the run is over: keys do not change within it.
        self._later: dict[Path, FileContent] = {}
        self._reading: threading.Thread | None = None
        self._over = threading.Event()

    def path(self, kind: str, name: str) -> Path:
        """Raises MissingFile, UnsafePath."""
        if (kind, name) not in self._paths:
            self._paths[kind, name] = self._folders.resolve(kind, name)
        return self._paths[kind, name]

    def look(
        self,
        reading: Iterable[Node],
        prompting: Iterable[Node] = (),
        check: Check = lambda: None,
    ) -> None:
        """Find out what the files hold that these nodes name, and the embeddings in prompts.

        `check` is called every few milliseconds, and what it raises goes through.
        """
        paths = [
            self.path(kind, name)
            for node in reading
            for _, kind, name in files_of(node, self._catalog[node.type])
        ]
        embeddings = self.embeddings() if prompting else {}
        for node in prompting:
            for param in self._catalog[node.type].params:
                if param.prompt:
                    paths += self._named_in(node, param, embeddings).values()
        self._look(paths, check)

    def content(self, param: ParamSpec, name: str) -> str:
        """The content id of a file that a param names, or what stands for it until it is read."""
        return self.held(self.path(param.kind, name)).id

    def token(self, param: ParamSpec, name: str) -> str:
        """The id that its content had first in this process."""
        return self.held(self.path(param.kind, name)).token

    @property
    def renamed(self) -> bool:
        """Whether any has had another one before."""
        return any(content.id != content.token for content in self._held.values())

    def held(self, path: Path, check: Check = lambda: None) -> FileContent:
        """What a file held when it was first looked at; `check` is that of `look`."""
        if path not in self._held:
            self._look([path], check)
        return self._held[path]

    def known(self, path: Path) -> FileContent:
        """The same, with all that is known of it by now."""
        return self._later.get(path) or self.held(path)

    def embeddings(self) -> dict[str, Path]:
        """The textual inversions that prompts may name."""
        return {name: self.path("embeddings", name) for name in self._folders.names("embeddings")}

    def called(self, prompt: str, dialect: str) -> dict[str, Path]:
        """The textual inversions that a prompt calls, as far as its words tell."""
        embeddings = self.embeddings()
        return {name: embeddings[name] for name in called(prompt, dialect, embeddings)}

    def embedding_contents(
        self, node: Node, param: ParamSpec, embeddings: Mapping[str, Path]
    ) -> list[str]:
        """Name and content of the embeddings that a prompt may read: all, if a wire brings it."""
        named = self._named_in(node, param, embeddings)
        return [f"{name} {self.held(path).id}" for name, path in named.items()]

    def naming_lora(self, nodes: Iterable[Node], lora: Path) -> list[str]:
        """Those of these nodes that name this LoRA."""
        return [
            node.id
            for node in nodes
            for _, kind, name in files_of(node, self._catalog[node.type])
            if kind == "loras" and self.path(kind, name) == lora
        ]

    # --- Whether it still holds -------------------------------------------------------------------

    @property
    def uncertain(self) -> bool:
        """Whether of some file it is not known yet what it holds, or not surely."""
        return not all(content.certain for content in self._held.values())

    def check_unchanged(self, node: str = "") -> None:
        """Raises ChangedFile, found at `node`, if a file is no longer the one that the run was
        planned with."""
        for path, content in [*self._held.items()]:
            if not content.unchanged:
                raise _changed(path, node)

    def read_rest(self, cancel: threading.Event) -> None:
        """Begin to read the large files that nobody has read yet; a cancel ends it at once."""
        unread = [content for content in self._held.values() if not content.read]
        unread.sort(key=lambda content: sum(own.size for _, _, own in content.files.files))
        if unread and self._reading is None:
            self._reading = threading.Thread(
                target=self._read, args=(unread, cancel), name="model hashes of a run", daemon=True
            )
            self._reading.start()

    def wait(self, cancel: threading.Event) -> None:
        """Wait until they are read. Raises Cancelled."""
        wait_for(self._reading, cancel)

    def close(self) -> None:
        """The run is over: nothing is read for it any more."""
        self._over.set()

    def settle(self, cancel: threading.Event) -> bool:
        """Take over what was read meanwhile, and read once more what was written so shortly before
        the run that a further change may have left no trace; whether all is certain now.

        Raises ChangedFile if anything is not what the run was planned with, and Cancelled.
        """
        self.wait(cancel)
        self._held |= self._later
        self.check_unchanged()
        for path, before in [*self._held.items()]:
            if before.read and not before.certain:
                now = self._contents.whole(before.files, until(cancel))
                if now.id != before.id:
                    raise _changed(path)
                self._held[path] = replace(before, certain=True)
        return not self.uncertain

    def _look(self, paths: Iterable[Path], check: Check) -> None:
        new = [path for path in dict.fromkeys(paths) if path not in self._held]
        for content in self._contents.look(new, lambda _: check()):
            self._held[content.files.path] = content

    def _named_in(
        self, node: Node, param: ParamSpec, embeddings: Mapping[str, Path]
    ) -> dict[str, Path]:
        text = str(node.params.get(param.name, param.default))
        return {
            name: path
            for name, path in sorted(embeddings.items())
            if param.name in node.inputs or may_mean(text, name)
        }

    # In the thread

    def _read(self, unread: Iterable[FileContent], cancel: threading.Event) -> None:
        check = until(cancel, self._over)
        for content in unread:
            try:
                while not content.files.settled:
                    check(0)
                    time.sleep(CANCEL_CHECK_SECONDS)
                self._later[content.files.path] = self._contents.whole(content.files, check)
            except Cancelled:
                return
            except PonyStudioError:
                continue  # changed or gone: the run says so


def wait_for(thread: threading.Thread | None, cancel: threading.Event) -> None:
    """Until it has ended. Raises Cancelled, also where the cancel has ended it."""
    while thread is not None:
        if cancel.is_set():
            raise Cancelled("Cancelled.")
        if not thread.is_alive():
            return
        thread.join(CANCEL_CHECK_SECONDS)


def until(*events: threading.Event) -> Heard:
    """What ends a reading with Cancelled once one of these is set."""

    def check(_: int) -> None:
        if any(event.is_set() for event in events):
            raise Cancelled("Cancelled.")

    return check


def _changed(path: Path, node: str = "") -> ChangedFile:
    return ChangedFile(
        "The file was changed while the run was using it.",
        where=str(path),
        remedy="Run again once nothing writes to it any more.",
        node=node,
    )
