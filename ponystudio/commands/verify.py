"""`ponystudio verify`: make a picture again from what it carries, and compare."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ponystudio.commands.complaints import Refused
from ponystudio.commands.interrupts import cancellable
from ponystudio.commands.opening import Opened, open_graph
from ponystudio.commands.progress import Report
from ponystudio.errors import Differs, GraphFileError, UsageError
from ponystudio.graph.carrier import RECEIPT, graph_text, read_fields

# What the environment of a receipt is called in a sentence.
_TITLES = {"device": "device", "dtype": "precision", "torch": "torch", "attention": "attention"}


def main(arguments: Namespace) -> int:
    then = _receipt(arguments.picture)
    opened = open_graph(Namespace(**vars(arguments), graph=arguments.picture, settings=[]))
    node = str(then.get("node", ""))
    if errors := opened.errors_in_the_way([node]):
        raise Refused(errors)
    with TemporaryDirectory(prefix="ponystudio-verify-") as folder:
        again = _made_again(opened, then, Path(folder))
        unlike = _difference(arguments.picture, again)
        causes = list(_causes(then, _receipt(again)))
    if unlike:
        remedy = f"What else is different: {'; '.join(causes)}."
        if not causes:
            remedy = (
                "Models and versions are the same: it was edited, or a node never repeats itself."
            )
        what = f"Made again, it is another picture: {unlike}."
        raise Differs(what, where=str(arguments.picture), remedy=remedy)
    print(f"{arguments.picture}: made again, the same in every pixel.")
    for cause in causes:
        print(f"note: {cause}", file=sys.stderr)
    return 0


def _receipt(picture: Path) -> Mapping[str, Any]:
    """Raises GraphFileError for a picture that does not say how it was made."""
    graph_text(picture)  # which says what is wrong with one without a graph
    try:
        receipt = json.loads(read_fields(picture).get(RECEIPT, ""))
        if isinstance(receipt, dict):
            return receipt
    except ValueError:
        pass
    raise GraphFileError(
        "The picture carries a graph and no receipt of how it was made.",
        where=str(picture),
        remedy="`ponystudio run` makes one like it, with a receipt.",
    )


def _made_again(opened: Opened, then: Mapping[str, Any], folder: Path) -> Path:
    """The same picture of the same batch, made on what it was made on if that is here."""
    from ponystudio.engine.headless import run_graph  # loads torch: bad input comes first

    device, dtype = _as_then(_part(then, "environment"))
    made: list[Path] = []

    def on_event(event: Mapping[str, Any]) -> None:
        if event["event"] == "output" and event["node"] == then["node"]:
            made.append(Path(event["path"]))
        elif event["event"] != "output":
            show(event)

    with Report(sys.stdout, sys.stderr) as show, redirect_stdout(sys.stderr):
        cancellable(
            lambda cancel: run_graph(
                opened.graph,
                folders=opened.folders,
                output=folder,
                device=device,
                dtype=dtype,
                packs=opened.packs,
                targets=(str(then["node"]),),
                on_event=on_event,
                cancel=cancel,
            )
        )
    index = _part(then, "batch").get("index", 0)
    if not isinstance(index, int) or not 0 <= index < len(made):
        raise Differs(f"Made again, there are {len(made)} pictures, and it is number {index}.")
    return made[index]


def _as_then(environment: Mapping[str, Any]) -> tuple[str, str]:
    """The device and dtype to ask for; "auto" where what there was is not here."""
    from ponystudio.engine.devices import DTYPES, choose

    device = str(environment.get("device", "auto"))
    try:
        choose(device)
    except UsageError:
        device = "auto"
    for dtype in ("auto", *DTYPES):
        if choose(device, dtype).precision == environment.get("dtype"):
            return device, dtype
    return device, "auto"


def _difference(one: Path, other: Path) -> str:
    """How far two pictures are from each other, in words; "" if they are the same."""
    from ponystudio.diffusion.picture_file import read_picture

    (old, old_alpha), (new, new_alpha) = read_picture(one), read_picture(other)
    if old.shape != new.shape:
        (height, width), (now_height, now_width) = old.shape[-2:], new.shape[-2:]
        return f"{now_width} × {now_height} pixels instead of {width} × {height}"
    apart = (old - new).abs().amax(1).maximum((old_alpha - new_alpha).abs().amax(1))
    count = int((apart > 0).sum())
    if not count:
        return ""
    share, most = 100 * count / apart.numel(), 255 * float(apart.max())
    return f"{share:.3g} % of its pixels differ, by {most:.3g} of 255 at most"


def _causes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What was different when the picture was made."""
    if then.get("ponystudio") != now.get("ponystudio"):
        yield f"PonyStudio was {then.get('ponystudio')}, is {now.get('ponystudio')}"
    before, after = _part(then, "environment"), _part(now, "environment")
    for name, title in _TITLES.items():
        if before.get(name) != after.get(name):
            yield f"{title} was {before.get(name)}, is {after.get(name)}"
    if before.get("code") != after.get("code"):
        yield "the code of nodes has changed"
    models = _part(now, "models")
    for name, model in _part(then, "models").items():
        if isinstance(model, dict) and model.get("content") != models.get(name, {}).get("content"):
            yield f"{name} is another file"


def _part(receipt: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a file says is anybody's."""
    part = receipt.get(name)
    return part if isinstance(part, dict) else {}
