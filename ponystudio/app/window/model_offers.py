"""Offers on the cards of nodes that name model files that are not there, or that are others than
the graph says: the same file where it lies, or the page on which it can be had.

It follows a document, and says what is found in the states of the nodes; what is offered is done
when somebody presses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, QUrl
from PySide6.QtGui import QDesktopServices

from ponystudio.errors import shortened
from ponystudio.graph.editing.rebinding import rebinding
from ponystudio.graph.file_uses import FileName
from ponystudio.graph.model_facts import host_of
from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import Change, Offer
from ponystudio.studio.models.field_services import FieldServices

if TYPE_CHECKING:
    from ponystudio.library.model_search import NamedModel

SOON = 250
# Letters of a name where there is little room, and files that are told by name.
LONGEST, TOLD = 24, 3


class ModelOffers(QObject):
    """The offers of one document; `dismiss` takes one away for as long as it is open."""

    def __init__(
        self, document: Document, services: FieldServices, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document, self._services = document, services
        self._offers: dict[str, Offer] = {}
        self._dismissed: set[tuple[str, Offer]] = set()
        self._soon = QTimer(self, singleShot=True, interval=SOON)
        self._soon.timeout.connect(self.refresh)
        document.changed.connect(self._changed)
        document.catalog_changed.connect(self._soon.start)
        services.facts.rechecked.connect(self._soon.start)
        self._soon.start()

    def _changed(self, change: Change) -> None:
        if change.nodes or change.before.models is not change.after.models:
            self._soon.start()

    def refresh(self) -> None:
        """Look for all model files that the graph names."""
        document = self._document
        folders = ModelFolders(self._services.folders().roots, document.folder)
        self._services.locator.look(self, document.graph, document.catalog, folders, self._found)

    def is_of(self, node: str) -> bool:
        """Whether what the card of a node offers is of these."""
        return node in self._offers

    def accept(self, node: str) -> None:
        """Do what is offered: take the file in the place of the other one wherever the graph names
        that, as one step of the undo history, or open its page."""
        if offer := self._offers.get(node):
            if offer.files:
                self._take(offer.files, offer.button)
            elif host_of(offer.page):
                QDesktopServices.openUrl(QUrl(offer.page))

    def accept_all(self) -> None:
        """Take all that was found, as one step of the undo history."""
        files = dict.fromkeys(file for offer in self._offers.values() for file in offer.files)
        self._take(files, tr("Use what was found"))

    def dismiss(self, node: str) -> None:
        """Offer this no more."""
        if offer := self._offers.pop(node, None):
            self._dismissed.add((node, offer))
            self._document.states.update(node, offer=None)

    def close(self) -> None:
        self._soon.stop()
        self._services.locator.forget(self)

    def _take(self, files: Iterable[tuple[str, str, str]], text: str) -> None:
        names: dict[FileName, str] = {(kind, name): new for kind, name, new in files}
        document = self._document
        document.do_all(rebinding(document.graph, document.catalog, names), text)
        done = {
            node for node, offer in self._offers.items()
            if all((kind, name) in names for kind, name, _ in offer.files) and offer.files
        }  # fmt: skip
        self._show({node: offer for node, offer in self._offers.items() if node not in done})

    def _found(self, named: list[NamedModel]) -> None:
        by_node: dict[str, list[NamedModel]] = {}
        for one in named:
            for node in dict.fromkeys(use.node for use in one.uses):
                by_node.setdefault(node, []).append(one)
        offers = ((node, _offer(lost)) for node, lost in by_node.items())
        self._show(
            {
                node: offer
                for node, offer in offers
                if offer and (node, offer) not in self._dismissed and node in self._nodes()
            }
        )

    def _nodes(self) -> Iterable[str]:
        return self._document.graph.nodes

    def _show(self, offers: dict[str, Offer]) -> None:
        before, self._offers = self._offers, offers
        states = self._document.states
        with states.at_once():
            for node in {**before, **offers}:
                if node in self._nodes() and before.get(node) != offers.get(node):
                    states.update(node, offer=offers.get(node))


def _offer(lost: list[NamedModel]) -> Offer | None:
    """Of what a node names, what was found; else the page of the first that has one."""
    found = [one for one in lost if one.found]
    if not found:
        one = next((one for one in lost if one.page), None)
        return _page_offer(one) if one else None
    files = tuple((one.kind, one.name, one.found.name) for one in found if one.found)
    lines = [_told(one) for one in found[:TOLD]]
    if len(found) > TOLD:
        lines.append(tr("And {n} more.").format(n=len(found) - TOLD))
    if len(found) > 1:
        title = tr("{n} models lie elsewhere").format(n=len(found))
        return Offer(title, "\n".join(lines), tr("Use what was found"), (), files)
    one = found[0]
    same = one.found is not None and one.found.same
    button = tr("Use the same file") if same else tr("Use that file")
    return Offer(_title(one), lines[0], button, (), files)


def _page_offer(one: NamedModel) -> Offer:
    host = host_of(one.page)
    text = tr("The graph says where it can be had: {page}").format(page=shortened(one.page))
    return Offer(
        _title(one), text, tr("Open {host}").format(host=shortened(host, LONGEST)),
        (), (), one.page,
    )  # fmt: skip


def _title(one: NamedModel) -> str:
    text = tr("{file} is another file") if one.other else tr("{file} is not there")
    return text.format(file=_short(one.name))


def _told(one: NamedModel) -> str:
    """Where it lies, and what speaks for it."""
    if one.found is None:
        return ""
    place = shortened(one.found.name)
    if one.other and one.wanted:
        return tr("Its hash is {is_}, not {meant}. The one meant lies here as {place}.").format(
            is_=one.other[1][:12], meant=one.wanted[1][:12], place=place
        )
    if one.found.same:
        return tr("The same file, by its hash, lies here as {place}.").format(place=place)
    return tr("A file of the same name lies here as {place}; no hash tells that it is it.").format(
        place=place
    )


def _short(name: str) -> str:
    return shortened(PurePosixPath(name.replace("\\", "/")).stem, LONGEST)
