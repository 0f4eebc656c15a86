"""Nodes for a real worker process: copied into its folder of single-file nodes."""

from __future__ import annotations

import ctypes
import os
import time

from ponystudio.api import Context, Image, node


@node("tiny.number")
def number(*, value: float = 1.0) -> float:
    print("a print that must not reach the pipe")
    os.write(1, b"nor this one")
    return value


@node("tiny.picture")
def picture(*, level: float = 0.5, side: int = 64) -> Image:
    import torch

    return Image(torch.full((1, 3, side, side), level))


@node("tiny.grown", version=2, upgrades={1: lambda params: {"value": 2 * params["half"]}})
def grown(*, value: float = 1.0) -> float:
    return value


@node("tiny.steps", effects=True)
def steps(a: float, *, count: int = 100, pause: float = 0.01, ctx: Context) -> None:
    import torch

    for step in range(count):
        time.sleep(pause)
        ctx.preview(lambda: Image(torch.zeros(1, 3, 8, 8)))
        ctx.progress(step + 1, count)


@node("tiny.loose", effects=True)
def loose(a: float, *, ctx: Context) -> None:
    """Says what is not of the types that it should be."""
    ctx.progress(a / 2, 2.0)  # type: ignore[arg-type]
    ctx.note(ValueError("odd"))  # type: ignore[arg-type]


@node("tiny.save", effects=True)
def save(image: Image, *, ctx: Context) -> None:
    ctx.save_picture(image, prefix="tiny", format="png")


@node("tiny.show", effects=True)
def show(image: Image, *, ctx: Context) -> None:
    ctx.show_picture(image)


@node("tiny.die", effects=True)
def die(a: float) -> None:
    time.sleep(0.1)  # crashes take their time, too
    os._exit(7)


@node("tiny.kernel", effects=True)
def kernel(a: float) -> None:
    """Busy in one long call of foreign code, as a kernel is."""
    ctypes.CDLL(None).sleep(60)


@node("tiny.hang", effects=True)
def hang(a: float) -> None:
    """Holds the interpreter's lock, so that there is no heartbeat."""
    print("hangs", flush=True)
    ctypes.PyDLL(None).sleep(60)
