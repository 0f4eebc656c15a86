"""The context menu of pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QMenu, QWidget

from ponystudio.qt.i18n import tr
from ponystudio.studio.results.picture_actions import PictureActions
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.widgets import theme


def picture_menu(
    pictures: Sequence[PictureRecord], actions: PictureActions, parent: QWidget | None = None
) -> QMenu:
    """What may be done with these; entries that do not fit stay and are greyed."""
    menu = QMenu(parent)
    one = pictures[0] if len(pictures) == 1 else None
    last = pictures[-1]

    def entry(
        title: str, icon: str, run: Callable[[], object], on: bool = True, keys: str = ""
    ) -> None:
        action = menu.addAction(theme.icon(icon), f"{title}\t{keys}" if keys else title)
        action.triggered.connect(lambda: run())
        action.setEnabled(on)

    if len(pictures) == 2:
        entry(tr("Compare these two"), "compare", lambda: actions.view(pictures))
    else:
        entry(tr("View"), "image", lambda: actions.view([last]), keys=tr("Enter"))
    menu.addSeparator()
    entry(
        tr("Open its graph"),
        "graph",
        lambda: actions.open_graph(last),
        one is not None and one.has_graph,
    )
    entry(
        tr("Use its seed"),
        "last",
        lambda: actions.use_seed(last),
        one is not None and one.seed is not None,
    )
    entry(
        tr("Verify: make it again and compare"),
        "check",
        lambda: actions.verify(last),
        one is not None and one.receipt and one.has_graph,
    )
    menu.addSeparator()
    entry(tr("Copy image"), "copy", lambda: actions.copy_image(last), one is not None, "Ctrl+C")
    entry(
        tr("Copy prompt"),
        "text",
        lambda: actions.copy_text(last.prompt),
        one is not None and bool(one.prompt),
    )
    entry(tr("Show in folder"), "folder", lambda: actions.show_in_folder(last), one is not None)
    menu.addSeparator()
    starred = all(picture.starred for picture in pictures)
    title = tr("Remove the star") if starred else tr("Star")
    entry(title, "star", lambda: actions.star(pictures, not starred))
    title = (
        tr("Move to the trash")
        if one is not None
        else tr("Move %d pictures to the trash") % len(pictures)
    )
    entry(title, "delete", lambda: actions.move_to_trash(pictures), keys=tr("Del"))
    return menu
