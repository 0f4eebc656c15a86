"""What is known of one file, in the words of people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

from ponystudio.library.model_folders import PICTURES
from ponystudio.qt.i18n import tr

if TYPE_CHECKING:  # imported when the first file is looked into
    from ponystudio.library.recognition.few_steps import FewSteps

THUMB = 102  # px: 34 at the finest screen
# Files of these kinds belong to a model of one family.
_FOLLOWING = {"loras", "controlnet", "embeddings", "hypernetworks"}


@dataclass(frozen=True)
class ModelSummary:
    """`problem` says why the file cannot serve, `short` in two or three words; `missing`: it is not
    there. `sha256` is "" until it was asked for; `words` are what triggers a LoRA;
    `few_steps`: how a distilled model is sampled."""

    name: str
    path: Path | None = None
    family: str = ""
    dtype: str = ""
    detail: str = ""
    size: int = 0
    width: int = 0
    height: int = 0
    thumb: QImage | None = None
    problem: str = ""
    short: str = ""
    missing: bool = False
    remedy: str = ""
    modified: float = 0.0
    sha256: str = ""
    words: tuple[str, ...] = ()
    few_steps: FewSteps | None = None

    @property
    def title(self) -> str:
        return title_of(self.name)

    @property
    def line(self) -> str:
        """The second line: "SD 1.5, fp16, 1.9 GB"."""
        if self.problem:
            return self.problem
        measure = f"{self.width} × {self.height}" if self.width else ""
        words = (family_title(self.family), self.detail, self.dtype, measure, size_text(self.size))
        return ", ".join(word for word in words if word)


def title_of(name: str) -> str:
    """A file's name as a person calls it: without folder and suffix of weights."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.name if path.suffix.lower() in PICTURES else (path.stem or name)


def family_title(family: str) -> str:
    from ponystudio.diffusion.families import families
    from ponystudio.library.recognition.denoiser_signatures import OTHER_TITLES

    known = families().get(family)
    return known.short if known else OTHER_TITLES.get(family, family)


def mismatch(kind: str, fact: ModelSummary, family: str, short: bool = False) -> str:
    """Why a file does not fit a model of this family, in a few words; "" if it may."""
    if fact.problem:
        return (short and fact.short) or fact.problem
    if kind not in _FOLLOWING or not family or not fact.family or fact.family == family:
        return ""
    template = tr("For {theirs}, not {ours}") if short else tr("For {theirs}; the model is {ours}")
    return template.format(theirs=family_title(fact.family), ours=family_title(family))


def size_text(size: int) -> str:
    """ "1.9 GB", as people count: in thousands."""
    amount = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 999.5 or unit == "GB":
            precise = (unit == "GB" and amount < 99.95) or (unit == "MB" and amount < 9.95)
            return (f"{amount:.1f} {unit}" if precise else f"{amount:.0f} {unit}") if size else ""
        amount /= 1000
    return ""
