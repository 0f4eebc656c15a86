"""Small pictures that carry their graph, as a run saves them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.formats.embedded_metadata import GRAPH, RECEIPT
from ponystudio.graph.formats.picture_writer import embed
from ponystudio.graph.model import Graph, Link, Node

SHA = "9f31c2d07a55" + "0" * 52


def text_to_picture(
    prompt: str = "fox, 3d", negative: str = "blurry, text", seed: int = 77, **sample: Any
) -> Graph:
    """The default graph, with the params that matter here."""
    params = {"steps": 20, "cfg": 7.0, "sampler": "euler", "scheduler": "karras", **sample}
    return Graph.of(
        Node("checkpoint", "core.load_checkpoint", params={"file": "starter.safetensors"}),
        Node("latent", "core.empty_latent", params={"width": 512, "height": 512, "batch": 1}),
        *(
            Node(
                id,
                "core.encode_prompt",
                params={"text": text},
                inputs={"clip": Link("checkpoint", "clip")},
            )
            for id, text in (("positive", prompt), ("negative", negative))
        ),
        Node(
            "sampler",
            "core.sample",
            params={"seed": seed, **params},
            inputs={
                "model": Link("checkpoint", "model"),
                "positive": Link("positive", "conditioning"),
                "negative": Link("negative", "conditioning"),
                "latent": Link("latent", "latent"),
            },
        ),
        Node(
            "decode",
            "core.decode_latent",
            inputs={"vae": Link("checkpoint", "vae"), "latent": Link("sampler", "latent")},
        ),
        Node(
            "save",
            "core.save_image",
            params={"prefix": "fox", "format": "png"},
            inputs={"image": Link("decode", "image")},
        ),
    )


def drawn(size: tuple[int, int] = (64, 64), ground: str = "#8fcc88", face: str = "#ff8a30") -> Any:
    """A face on a plain ground, so that one sees which picture is which."""
    w, h = size
    picture = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(picture)
    box = lambda x0, y0, x1, y1: (x0 * w, y0 * h, x1 * w, y1 * h)  # noqa: E731
    draw.polygon([(w * x, h * y) for x, y in ((0.22, 0.5), (0.3, 0.12), (0.5, 0.36))], fill=face)
    draw.polygon([(w * x, h * y) for x, y in ((0.78, 0.5), (0.7, 0.12), (0.5, 0.36))], fill=face)
    draw.ellipse(box(0.16, 0.28, 0.84, 0.86), fill=face)
    draw.ellipse(box(0.28, 0.56, 0.72, 0.84), fill="#ffe0b0")
    for x in (0.34, 0.6):
        draw.ellipse(box(x, 0.44, x + 0.06, 0.56), fill="#222222")
    draw.ellipse(box(0.46, 0.6, 0.54, 0.66), fill="#222222")
    return picture


def save_picture(
    path: Path,
    graph: Graph | None = None,
    picture: Any = None,
    time: float | None = None,
    format: str = "png",
    loras: tuple[str, ...] = (),
) -> Path:
    """A picture file at `path` as engine/receipts writes it; `time` is when it seems made."""
    fields = {}
    if graph is not None:
        receipt = {
            "ponystudio": "0.1.0",
            "node": "save",
            "models": {
                "starter.safetensors": {"kind": "checkpoints", "sha256": SHA},
                **{name: {"kind": "loras"} for name in loras},
            },
            "environment": {"device": "cuda:0", "dtype": "fp16"},
        }
        fields = {GRAPH: graph_format.dumps(graph), RECEIPT: json.dumps(receipt)}
    path.parent.mkdir(parents=True, exist_ok=True)
    embed(picture or drawn(), path, format, fields)
    if time is not None:
        os.utime(path, (time, time))
    return path
