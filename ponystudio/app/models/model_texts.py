"""What is known of a model file, in lines for people."""

from __future__ import annotations

import re
from datetime import datetime

from PySide6.QtCore import QLocale

from ponystudio.library.recognition.model_file import ModelFile
from ponystudio.library.recognition.model_notes import ModelNotes
from ponystudio.qt.i18n import tr
from ponystudio.studio.models.file_reader import dtype_of, made_for
from ponystudio.studio.models.model_summary import ModelSummary, family_title
from ponystudio.widgets.rich_text import spanned

_NUMBER = re.compile(r"\d+")
Line = tuple[str, str]
"""(name, value as rich text)."""


def what_it_is(model: ModelFile) -> list[Line]:
    """Family, prediction and parts, and below them what was looked at to tell."""
    kinds = {
        "eps": tr("noise (eps)"),
        "v": tr("velocity (v)"),
        "flow": tr("flow"),
    }
    predicts = kinds.get(model.prediction, "")
    if predicts and model.zsnr:
        predicts = tr("{what}, down to pure noise").format(what=predicts)
    names = {
        "model": tr("denoiser"),
        "clip": tr("text encoder"),
        "vae": tr("VAE"),
        "ema": tr("averaged weights"),
    }
    inside = [names[part] for part in model.parts if part in names]
    return _lines(
        (tr("family"), family_title(model.family)),
        (tr("predicts"), predicts),
        (tr("made for"), made_for(model.input_channels)),
        (tr("inside"), ", ".join(inside)),
        (tr("because"), ";\n".join(model.why)),
    )


def about_file(fact: ModelSummary, model: ModelFile | None) -> list[Line]:
    """Size, precision and place."""
    locale = QLocale()
    numbers = sum(part.parameters for part in model.parts.values()) if model else 0
    tensors = sum(part.count for part in model.parts.values()) if model else 0
    dtype = dtype_of(model) if model else fact.dtype
    changed = datetime.fromtimestamp(fact.modified).strftime("%Y-%m-%d %H:%M")
    place = fact.path.parent.name if fact.path else ""
    counted = (
        tr("{count} million in {tensors} tensors")
        if numbers >= 1e6
        else tr("{count} in {tensors} tensors")
    ).format(
        count=locale.toString(*((numbers / 1e6, "f", 1) if numbers >= 1e6 else (numbers,))),
        tensors=locale.toString(tensors),
    )
    return [
        *_lines((tr("size"), _bytes(fact.size)), mono=True),
        *_lines((tr("precision"), dtype), (tr("detail"), fact.detail)),
        *_lines((tr("numbers"), counted if numbers else "")),
        *_lines((tr("format"), model.format if model else "")),
        *_lines((tr("changed"), changed if fact.modified else ""), mono=True),
        *_lines((tr("folder"), place)),
    ]


def own_notes(said: ModelNotes) -> list[Line]:
    """What its maker says."""
    return _lines(
        (tr("title"), said.title),
        (tr("author"), said.author),
        (tr("licence"), said.licence),
        (tr("base"), said.base),
        (tr("trained at"), " × ".join(_NUMBER.findall(said.resolution))),
        (tr("pictures"), said.pictures),
    )


def _bytes(count: int) -> str:
    said = tr("{count} bytes")
    return said.format(count=QLocale().toString(count)) if count else ""


def _lines(*pairs: Line, mono: bool = False) -> list[Line]:
    """What is not known has no line."""
    return [
        (name, spanned(value, "text", mono).replace("\n", "<br>")) for name, value in pairs if value
    ]
