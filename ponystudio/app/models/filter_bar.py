"""The rows above the model files: search, order, and chips that narrow what is listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.models.model_cards import KINDS, RING, kind_titles
from ponystudio.studio.models.model_list import ModelEntry, ModelFilter
from ponystudio.studio.models.model_summary import ModelSummary, family_title
from ponystudio.studio.settings import Settings
from ponystudio.widgets import theme
from ponystudio.widgets.common import ChoiceBox, Hairline, IconButton, Spacing, label
from ponystudio.widgets.flow_layout import FlowLayout
from ponystudio.widgets.primitives import px
from ponystudio.widgets.search_field import SearchField


class FilterBar(QWidget):
    """`changed` when something else is wanted."""

    changed = Signal()

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._family = ""
        self.search = SearchField(self.tr("Name, hash or trigger word"))
        self.search.setAccessibleName(self.tr("Search models"))
        self.fits = _chip("")
        self.stars = IconButton("star", self.tr("Only starred ones"), on_icon_color="warn")
        self.stars.setCheckable(True)
        self.order = ChoiceBox()
        self.order.setAccessibleName(self.tr("Order"))
        self._hint = label("", "caption")
        self._kinds, self._families = QButtonGroup(self), QButtonGroup(self)
        self._families.setExclusive(False)
        self._chips = FlowLayout()
        self._lay_out()
        self._connect()

    def model_filter(self) -> ModelFilter:
        chosen = self._kinds.checkedButton()
        families = [b for b in self._families.buttons() if b.isChecked()]
        return ModelFilter(
            words=tuple(self.search.text().lower().split()),
            kind=chosen.property("chip_name") if chosen else "",
            family=families[0].property("chip_name") if families else "",
            fits=self._family if self.fits.isChecked() else "",
            starred=self.stars.isChecked(),
            stars=frozenset(self._settings.get("starred_models")),
            order=self._settings.get("model_order"),
        )

    def clear(self) -> None:
        """Nothing narrows the list any more."""
        for chip in (*self._families.buttons(), self.fits, self.stars):
            chip.setChecked(False)
        if buttons := self._kinds.buttons():
            buttons[0].setChecked(True)
        self.search.clear_now()
        self.changed.emit()

    def offer(self, entries: Iterable[tuple[ModelEntry, ModelSummary | None]], family: str) -> None:
        """Chips for what there is, with how many of each; `family` is of the model in front."""
        pairs = list(entries)
        kinds = Counter(entry.kind for entry, _ in pairs)
        families = Counter(fact.family for _, fact in pairs if fact is not None and fact.family)
        titles = kind_titles()
        self._fill(
            self._kinds,
            [("", self.tr("All"), len(pairs))]
            + [(kind, titles[kind][0], kinds[kind]) for kind in KINDS if kinds[kind]],
        )
        named = sorted(families, key=family_title)
        self._fill(self._families, [(name, family_title(name), families[name]) for name in named])
        self._family = family
        self.fits.setText(self.tr("Fits %1").replace("%1", family_title(family)))
        self.fits.setVisible(bool(family))
        said = self.tr("What does not fit is grey and says why.") if family else ""
        self._hint.setText("" if self.fits.isChecked() else said)

    def _fill(self, group: QButtonGroup, wanted: list[tuple[str, str, int]]) -> None:
        """Chips are kept as long as the same are wanted: one may have the focus."""
        there = {button.property("chip_name"): button for button in group.buttons()}
        checked = [name for name, button in there.items() if button.isChecked()]
        if list(there) != [name for name, _, _ in wanted]:
            for button in there.values():
                group.removeButton(button)
                self._chips.removeWidget(button)
                button.deleteLater()
            there = {}
            for name, _, _ in wanted:
                there[name] = button = _chip("")
                button.setProperty("chip_name", name)
                button.setChecked(name in checked)
                group.addButton(button)
            self._arrange()
            if group is self._kinds and not group.checkedButton():
                there[""].setChecked(True)
        for name, title, count in wanted:
            there[name].setText(f"{title}  {count}")

    def _arrange(self) -> None:
        """Kinds first, then families, behind a line."""
        while self._chips.count():
            self._chips.takeAt(0)
        for button in self._kinds.buttons():
            self._chips.addWidget(button)
        if self._families.buttons():
            self._chips.addWidget(self._line)
        self._line.setVisible(bool(self._families.buttons()))
        for button in self._families.buttons():
            self._chips.addWidget(button)

    def _lay_out(self) -> None:
        self._line = Hairline(self, vertical=True)
        row = QHBoxLayout()
        Spacing(row, spacing=8)
        row.addWidget(self.search)
        row.addWidget(self.fits)
        row.addWidget(self._hint)
        row.addStretch(1)
        row.addWidget(self.stars)
        row.addWidget(self.order)
        Spacing(self._chips, spacing=8)
        box = QVBoxLayout(self)
        Spacing(box, (RING, 0, 20, 0), 10)
        box.addLayout(row)
        box.addLayout(self._chips)
        for name, title in (
            ("name", self.tr("Sort: name")),
            ("newest", self.tr("Sort: newest")),
            ("largest", self.tr("Sort: largest")),
            ("family", self.tr("Sort: family")),
        ):
            self.order.addItem(title, name)
        self.order.setCurrentIndex(self.order.findData(self._settings.get("model_order")))
        self._restyle()

    def _restyle(self) -> None:
        self.search.setFixedWidth(px(280))
        self._line.setFixedHeight(px(24))

    def _connect(self) -> None:
        self.search.searched.connect(lambda _: self.changed.emit())
        self.order.activated.connect(
            lambda _: self._settings.set("model_order", self.order.currentData())
        )
        for name in ("model_order", "starred_models"):
            self._settings.on(name, self._setting_changed)
        self.stars.toggled.connect(lambda _: self.changed.emit())
        self.fits.toggled.connect(lambda _: self.changed.emit())
        self._kinds.buttonClicked.connect(lambda _: self.changed.emit())
        self._families.buttonClicked.connect(self._family_clicked)
        theme.hub.changed.connect(self._restyle)

    def _setting_changed(self, _value: object) -> None:
        self.changed.emit()

    def _family_clicked(self, chosen: QPushButton) -> None:
        """One at most, and none when it is pressed again."""
        for button in self._families.buttons():
            button.setChecked(button is chosen and chosen.isChecked())
        self.changed.emit()


def _chip(text: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setProperty("chip", True)
    return button
