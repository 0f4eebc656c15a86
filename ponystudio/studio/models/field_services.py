"""What fields need besides their value, handed in by the app; which nodes load files of a kind, and
by which param.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.library.model_folders import ModelFolders, default_roots

if TYPE_CHECKING:
    from ponystudio.studio.models.model_files import FileFacts
    from ponystudio.studio.models.model_locator import ModelLocator
    from ponystudio.studio.models.token_counter import Counts


@dataclass(frozen=True)
class FieldServices:
    """`folders` gives the model folders as they are now; `last_seed` the seed that a node's param
    last ran with; `index_path` is where facts about model files are kept (None: not kept).

    One for each document, as `last_seed` speaks of its nodes; those of one window may share
    `facts` and `counts` by `replace`-ing nothing but `last_seed` with `for_document`.
    """

    folders: Callable[[], ModelFolders] = field(default=lambda: ModelFolders(default_roots()))
    last_seed: Callable[[str, str], int | None] = field(default=lambda _node, _param: None)
    index_path: Path | None = None
    shared: FieldServices | None = None

    def for_document(self, last_seed: Callable[[str, str], int | None]) -> FieldServices:
        """The same files and counts, with the seeds of another document."""
        return FieldServices(self.folders, last_seed, self.index_path, self)

    @cached_property
    def facts(self) -> FileFacts:
        """What is known of files; shared by all who use these services."""
        from ponystudio.studio.models.model_files import FileFacts

        return self.shared.facts if self.shared else FileFacts(self.folders, self.index_path)

    @cached_property
    def counts(self) -> Counts:
        """How many tokens prompts have."""
        from ponystudio.studio.models.token_counter import Counts

        return self.shared.counts if self.shared else Counts(self.folders)

    @cached_property
    def locator(self) -> ModelLocator:
        """Where model files lie that are not there by their names."""
        from ponystudio.studio.models.model_locator import ModelLocator

        return self.shared.locator if self.shared else ModelLocator(self.index_path)

    def recheck(self) -> None:
        """Names may mean other files now: what is known of them is looked at again."""
        if self.shared is not None:
            self.shared.recheck()
        elif "facts" in self.__dict__:
            self.facts.recheck()

    def close(self) -> None:
        """Let go of files, and end what is being found out; the app calls it at its end."""
        if self.shared is None:
            for name in {"facts", "counts", "locator"} & self.__dict__.keys():
                self.__dict__[name].close()

    @staticmethod
    def default() -> FieldServices:
        return _default()


@cache
def _default() -> FieldServices:
    return FieldServices()


def loader(catalog: Mapping[str, NodeSpec], kind: str) -> tuple[NodeSpec, ParamSpec] | None:
    """The node that loads a file of a kind, and by which param: a built-in one before others, one
    that takes a single file before one that takes a list."""
    specs = sorted(catalog.values(), key=lambda spec: not spec.id.startswith("core."))
    found = [(s, p) for s in specs if s.outputs for p in s.params if takes(p, kind)]
    return min(found, key=lambda item: item[1].type == "rows", default=None)


def takes(param: ParamSpec, kind: str) -> bool:
    """Whether it names files of a kind, one or a list of them."""
    return kind in (param.kind, *(field.kind for field in param.fields if field.type == "file"))


def with_file(param: ParamSpec, name: str, present: Any) -> Any:
    """The param's value with this file: instead of its own, or one row more."""
    if param.type != "rows":
        return name
    row = {field.name: name if field.type == "file" else field.default for field in param.fields}
    return [*(present if isinstance(present, list) else ()), row]
