"""What is known of a model file, in lines for people."""

from __future__ import annotations

import re
from datetime import datetime

from PySide6.QtCore import QCoreApplication, QLocale

from ponystudio.app.results.details import spanned
from ponystudio.canvas.params.file_facts import Fact, dtype_of, family_title
from ponystudio.library.model_file import ModelFile
from ponystudio.library.said import Said

_NUMBER = re.compile(r"\d+")
Line = tuple[str, str]
"""(name, value as rich text)."""


def what_it_is(model: ModelFile) -> list[Line]:
    """Family, prediction and parts, and below them what was looked at to tell."""
    tr = QCoreApplication.translate
    kinds = {
        "eps": tr("ModelFacts", "noise (eps)"),
        "v": tr("ModelFacts", "velocity (v)"),
        "flow": tr("ModelFacts", "flow"),
    }
    predicts = kinds.get(model.prediction, "")
    if predicts and model.zsnr:
        predicts = tr("ModelFacts", "{what}, down to pure noise").format(what=predicts)
    inputs = {9: tr("ModelFacts", "inpainting"), 8: tr("ModelFacts", "pix2pix")}
    names = {
        "model": tr("ModelFacts", "denoiser"),
        "clip": tr("ModelFacts", "text encoder"),
        "vae": tr("ModelFacts", "VAE"),
        "ema": tr("ModelFacts", "averaged weights"),
    }
    inside = [names[part] for part in model.parts if part in names]
    return _lines(
        (tr("ModelFacts", "family"), family_title(model.family)),
        (tr("ModelFacts", "predicts"), predicts),
        (tr("ModelFacts", "made for"), inputs.get(model.input_channels, "")),
        (tr("ModelFacts", "inside"), ", ".join(inside)),
        (tr("ModelFacts", "because"), ";\n".join(model.why)),
    )


def about_file(fact: Fact, model: ModelFile | None) -> list[Line]:
    """Size, precision and place."""
    tr = QCoreApplication.translate
    locale = QLocale()
    numbers = sum(part.parameters for part in model.parts.values()) if model else 0
    tensors = sum(part.count for part in model.parts.values()) if model else 0
    dtype = dtype_of(model) if model else fact.dtype
    changed = datetime.fromtimestamp(fact.modified).strftime("%Y-%m-%d %H:%M")
    place = fact.path.parent.name if fact.path else ""
    counted = (
        tr("ModelFacts", "{count} million in {tensors} tensors")
        if numbers >= 1e6
        else tr("ModelFacts", "{count} in {tensors} tensors")
    ).format(
        count=locale.toString(*((numbers / 1e6, "f", 1) if numbers >= 1e6 else (numbers,))),
        tensors=locale.toString(tensors),
    )
    return [
        *_lines((tr("ModelFacts", "size"), _bytes(fact.size)), mono=True),
        *_lines((tr("ModelFacts", "precision"), dtype), (tr("ModelFacts", "detail"), fact.detail)),
        *_lines((tr("ModelFacts", "numbers"), counted if numbers else "")),
        *_lines((tr("ModelFacts", "format"), model.format if model else "")),
        *_lines((tr("ModelFacts", "changed"), changed if fact.modified else ""), mono=True),
        *_lines((tr("ModelFacts", "folder"), place)),
    ]


def of_itself(said: Said) -> list[Line]:
    """What its maker says."""
    tr = QCoreApplication.translate
    return _lines(
        (tr("ModelFacts", "title"), said.title),
        (tr("ModelFacts", "author"), said.author),
        (tr("ModelFacts", "licence"), said.licence),
        (tr("ModelFacts", "base"), said.base),
        (tr("ModelFacts", "trained at"), " × ".join(_NUMBER.findall(said.resolution))),
        (tr("ModelFacts", "pictures"), said.pictures),
    )


def _bytes(count: int) -> str:
    said = QCoreApplication.translate("ModelFacts", "{count} bytes")
    return said.format(count=QLocale().toString(count)) if count else ""


def _lines(*pairs: Line, mono: bool = False) -> list[Line]:
    """What is not known has no line."""
    return [
        (name, spanned(value, "text", mono).replace("\n", "<br>")) for name, value in pairs if value
    ]
