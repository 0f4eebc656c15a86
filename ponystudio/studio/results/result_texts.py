"""Pictures and times in words, and how the names of pictures begin where nobody says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from PySide6.QtCore import QLocale

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.errors import GraphError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.output_names import checked_prefix
from ponystudio.qt.i18n import tr
from ponystudio.studio.results.graph_diff import own_phrases
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.settings import BY_NAME

_LABEL_CHARS = 34


def number(value: int) -> str:
    """1,284 in the system's way."""
    return QLocale().toString(value)


def clock(time: float) -> str:
    return datetime.fromtimestamp(time).strftime("%H:%M")


def day(time: float, today: date | None = None) -> str:
    """A heading: today, yesterday, the date within the last month, else the month."""
    return _day(date.fromtimestamp(time), today or date.today())


@lru_cache(maxsize=1024)
def _day(made: date, today: date) -> str:
    if made >= today:
        return tr("Today")
    if made == today - timedelta(days=1):
        return tr("Yesterday")
    locale = QLocale()
    month = locale.standaloneMonthName(made.month)
    if made > today - timedelta(days=31):
        return f"{made.day} {locale.monthName(made.month)}"
    return f"{month} {made.year}"


def when(time: float, today: date | None = None) -> str:
    """A caption: the time of today, else the day."""
    made, today = datetime.fromtimestamp(time), today or date.today()
    if made.date() >= today:
        return made.strftime("%H:%M")
    month = QLocale().monthName(made.month, QLocale.FormatType.ShortFormat)
    return f"{made.day} {month}" if made.year == today.year else f"{month} {made.year}"


def size(bytes: int) -> str:
    """402 KB, 1.9 GB: in thousands, as file managers count."""
    value, unit = float(bytes), "B"
    for larger in ("KB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if unit in ("MB", "GB") and value < 100 else f"{value:.0f} {unit}"


def decimal(value: float) -> str:
    """7.0, 6.25: at least one decimal, no more than it takes."""
    text = f"{value:.6g}"
    return text if "." in text or "e" in text else f"{text}.0"


def label(picture: PictureRecord, other: PictureRecord | None) -> str:
    """What tells a picture from another one: "3d, seed 77, 30 steps"."""
    if other is None:
        return picture.name
    own = own_phrases(picture.prompt, other.prompt)
    parts = [", ".join(own)] if own else []
    if parts and len(parts[0]) > _LABEL_CHARS:
        parts = [parts[0][: _LABEL_CHARS - 1].rstrip(" ,") + "…"]
    if picture.seed is not None:
        parts.append(tr("seed %s") % picture.seed)
    if picture.steps is not None:
        parts.append(tr("%s steps") % picture.steps)
    if picture.cfg != other.cfg and picture.cfg is not None:
        parts.append(tr("cfg %s") % decimal(picture.cfg))
    if picture.sampler != other.sampler and picture.sampler:
        parts.append(picture.sampler)
    if picture.model != other.model and picture.model:
        parts.append(picture.model)
    if not parts:
        return picture.name
    text = ", ".join(parts[:4])
    return text[:1].upper() + text[1:]


def device(name: str) -> str:
    """CUDA 0 for cuda:0."""
    kind, _, number = name.partition(":")
    return f"{kind.upper()} {number}".strip()


def precision(dtype: str) -> str:
    """The denoiser's, of "model=bf16 clip=fp32 vae=fp32"."""
    parts = dict(part.split("=", 1) for part in dtype.split() if "=" in part)
    return parts.get("model", dtype)


def described(picture: PictureRecord) -> str:
    """A picture for the ear and for tooltips."""
    lines = [picture.prompt or picture.name]
    facts = []
    if picture.seed is not None:
        facts.append(tr("seed %s") % picture.seed)
    if picture.steps is not None:
        facts.append(tr("%s steps") % picture.steps)
    if picture.width:
        facts.append(f"{picture.width} × {picture.height}")
    if facts:
        lines.append(", ".join(facts))
    lines.append(f"{picture.name}, {when(picture.time)}")
    if picture.starred:
        lines.append(tr("Starred"))
    return "\n".join(lines)


USUAL = BY_NAME["file_name_pattern"].default


def with_prefix(catalog: Catalog, prefix: str) -> Catalog:
    """The catalog with this prefix in nodes that would take the usual one; as it was if this
    cannot be one."""
    try:
        checked_prefix(prefix)
    except GraphError:
        return catalog
    return Catalog((_named(spec, prefix) for spec in catalog.values()), catalog.problems)


def _named(spec: NodeSpec, prefix: str) -> NodeSpec:
    if not any(map(_is_usual, spec.params)):
        return spec
    params = (
        replace(param, default=prefix) if _is_usual(param) else param for param in spec.params
    )
    return replace(spec, params=tuple(params))


def _is_usual(param: ParamSpec) -> bool:
    return param.file_name and param.default == USUAL
