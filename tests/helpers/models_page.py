"""The page of model files, over a few small ones, and what is seen of it."""

from __future__ import annotations

import shutil

import numpy
import pytest
from PySide6.QtWidgets import QLabel, QPushButton
from safetensors.numpy import save_file

from helpers.running import until
from helpers.window import open_window
from ponystudio.app.models.models_page import ModelsPage
from ponystudio.studio.models.model_list import FACT
from ponystudio_resources import path as resource


@pytest.fixture
def home(tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    shipped = next(resource("models", "upscale_models").glob("realesr-animevideov3-x4*"))
    folder = tmp_path / "data/models/upscale_models"
    folder.mkdir(parents=True)
    shutil.copy(shipped, folder / f"mine{shipped.suffix}")
    loras = tmp_path / "data/models/loras"
    loras.mkdir()
    (loras / "broken.safetensors").write_bytes(b"nothing of a model")
    said = {"modelspec.license": "CC0-1.0", "modelspec.trigger_phrase": "ink wash, sumi-e"}
    said |= {
        "ss_tag_frequency": '{"10_ink": {"ink": 12}}',
        "modelspec.usage_hint": "Use it gently.",
    }
    write_lora(loras / "ink.safetensors", 768, said)
    write_lora(loras / "clay.safetensors", 2048, {})
    embeddings = tmp_path / "data/models/embeddings"
    embeddings.mkdir()
    vector = numpy.zeros((1, 768), numpy.float32)
    save_file({"emb_params": vector}, embeddings / "birb.safetensors")
    return tmp_path


def write_lora(path, width: int, metadata: dict[str, str]) -> None:
    """Of one layer, for a text encoder's output of that width."""
    block = "input_blocks_4_1" if width == 2048 else "down_blocks_0_attentions_0"
    name = f"lora_unet_{block}_transformer_blocks_0_attn2_to_k"
    down, up = numpy.zeros((4, width), numpy.float16), numpy.zeros((320, 4), numpy.float16)
    tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    save_file(tensors, path, metadata=metadata)


@pytest.fixture
def window(home):
    with open_window() as window:
        window.toggle_panel("models")
        yield window


@pytest.fixture
def page(window) -> ModelsPage:
    page = window.shell.pages.currentWidget()
    assert isinstance(page, ModelsPage)
    until(lambda: page.model.rowCount() >= 8, 10)
    until(lambda: all(page.model.index(r).data(FACT) for r in range(page.model.rowCount())), 10)
    return page


def names(page) -> list[str]:
    return [page.model.index(row).data().split(".")[0] for row in range(page.model.rowCount())]


def choose(page, name: str) -> None:
    page.list.setCurrentIndex(page.model.index(names(page).index(name)))


def chip(page, words: str) -> QPushButton:
    return next(b for b in page.findChildren(QPushButton) if b.text().startswith(words))


def texts(widget) -> str:
    shown = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    return "\n".join(shown)
