"""What is said about documents: notices on opening, saving and closing them, and why one is
read-only."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ponystudio.errors import PonyStudioError
from ponystudio.graph.comfyui.importer import Imported
from ponystudio.qt.i18n import tr
from ponystudio.qt.notification import NoticeKind, Notification, Row, first_rows
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.file_lock import LockHolder
from ponystudio.studio.documents.opening import RecoveredDocument
from ponystudio.studio.documents.saving import ChangedOnDisk

Act = Callable[[], object]


def not_opened(name: str, error: PonyStudioError) -> Notification:
    return Notification.of(tr("%1 cannot be opened").replace("%1", name), error)


def not_reopened(title: str) -> Notification:
    title = tr("%1 cannot be opened again").replace("%1", title)
    text = tr("Nothing of it can be read any more, or another PonyStudio has it.")
    return Notification(title, text, kind="warn")


def imported(title: str, found: Imported) -> Notification:
    """What is to be known of a graph that another tool has made."""
    if found.program == "ComfyUI":
        counted = tr("%1 nodes of ComfyUI, of which %2 are known here")
        if found.mapped == found.total:
            counted = tr("%1 nodes of ComfyUI, all known here")
        if found.total == 1:
            known = found.mapped == 1
            counted = (
                tr("1 node of ComfyUI, known here")
                if known
                else tr("1 node of ComfyUI, not known here")
            )
        text = counted.replace("%1", str(found.total)).replace("%2", str(found.mapped))
    else:
        text = tr("Made of what %1 wrote into it").replace("%1", found.program)
    classes = Counter(found.placeholders.values())
    rows: list[Row] = [("item", name, str(number)) for name, number in classes.most_common()]
    rows += [("item", str(remark), "") for remark in found.remarks]
    kind: NoticeKind = "warn" if rows else "ok"
    headline = tr("%1 was translated").replace("%1", title)
    return Notification(headline, text, kind=kind, rows=first_rows(rows))


def unsaved_work_is_back(document: Document, show_saved: Act) -> Notification:
    title = tr("What was not saved in %1 is back").replace("%1", document.title)
    return Notification(title, "", ((tr("Show what is saved"), show_saved),))


def other_work_is_kept(document: Document, open_it: Act) -> Notification:
    """Its file was changed, and there is unsaved work that began with another content."""
    title = tr("%1 was changed by another program").replace("%1", document.title)
    text = tr("What you did to it before that is kept, too.")
    return Notification(title, text, ((tr("Open that"), open_it),))


def recovery(document: Document, recovered: RecoveredDocument) -> Iterator[Notification]:
    """What is to be known of a document that comes out of its journal."""
    if recovered.gone:
        title = tr("The file of %1 is not there any more")
        yield _warning(title, document, tr("Save it to have it back."))
    elif recovered.changed and recovered.fresh is None:
        title = tr("%1 was changed by another program")
        yield _warning(title, document, tr("Here it is as you left it."))
    if recovered.stored.lost:
        text = tr("Its journal is damaged; what can be read of it is here.")
        yield _warning(tr("The last changes to %1 are lost"), document, text)


def all_is_back() -> Notification:
    text = tr("PonyStudio ended unexpectedly. Your documents are as you left them.")
    return Notification(tr("Everything is back"), text, kind="ok")


def read_only_reason(holder: LockHolder | None, protected: bool) -> str:
    """Why a file may not be written, or "". Only who has the lock may write it."""
    if holder is None:
        return tr("The file may not be written to.") if protected else ""
    if holder.pid == os.getpid():
        return tr("It is open in another tab.")
    text = tr("It is open in another PonyStudio (process %1).")
    return text.replace("%1", str(holder.pid or "?"))


def read_only(document: Document) -> Notification:
    return _warning(tr("%1 cannot be saved here"), document, document.read_only)


def open_in_other_tab(path: Path) -> Notification:
    title = tr("%1 is open in another tab").replace("%1", path.name)
    return Notification(title, tr("Close that tab, or choose another name."), kind="warn")


def locked(document: Document, path: Path) -> Notification:
    text = tr("%1 is open in another PonyStudio.").replace("%1", path.name)
    return _warning(tr("%1 cannot be saved there"), document, text)


def not_saved(
    document: Document, path: Path, error: PonyStudioError, save_over: Act, save_elsewhere: Act
) -> Notification:
    elsewhere = (tr("Save as…"), save_elsewhere)
    if isinstance(error, ChangedOnDisk):
        title = tr("%1 was changed by another program").replace("%1", path.name)
        return Notification.of(title, error, (tr("Save over it"), save_over), elsewhere)
    title = tr("%1 is not saved").replace("%1", document.title)
    return Notification.of(title, error, elsewhere)


def closed_title(document: Document) -> str:
    return tr("%1 is closed").replace("%1", document.title)


def closed(document: Document, reopen: Act) -> Notification:
    text = tr("What was not saved is kept.")
    return Notification(closed_title(document), text, ((tr("Open again"), reopen),))


def journal_writing(error: PonyStudioError | None) -> Notification:
    """That what is done cannot be made safe, as long as that is so, or is again."""
    title = tr("What you do now could be lost")
    if error is None:
        return Notification(tr("Changes are kept safe again"), kind="ok", ends=title)
    return replace(Notification.of(title, error), lasting=True)


def _warning(title: str, document: Document, text: str) -> Notification:
    return Notification(title.replace("%1", document.title), text, kind="warn")
