"""`ponystudio verify`: make a picture again from what it carries, and compare."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as Flag
from typing import Any

from ponystudio.cli.error_report import Refused
from ponystudio.cli.graph_argument import OpenedGraph, open_graph
from ponystudio.cli.interrupts import cancellable, interruptible
from ponystudio.cli.model_arguments import add_models_argument, add_rebind_argument
from ponystudio.cli.progress import TextReport
from ponystudio.engine.protocol.run_events import Event, Output
from ponystudio.engine.verification import TOLERANCE, compare
from ponystudio.errors import Differs, UsageError
from ponystudio.graph.formats.receipt import Receipt
from ponystudio.library import user_folders
from ponystudio.pictures.picture_graph import read_receipt
from ponystudio.system.file_names import absolute
from ponystudio.system.own_program import working_folder

# No more are started, whatever a picture says.
MOST_THREADS = 256


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("picture", metavar="PICTURE", type=Path, help="one that was made here")
    add_models_argument(parser)
    add_rebind_argument(parser)


def main(arguments: Namespace) -> int:
    then = read_receipt(arguments.picture)
    words = Namespace(**vars(arguments), graph=arguments.picture, settings=[])
    opened = interruptible(lambda: open_graph(words))
    if errors := opened.errors_in_the_way([then.node]):
        raise Refused(errors)
    picture = absolute(arguments.picture)
    os.chdir(working_folder())
    with _scratch() as folder:
        verdict = compare(picture, _make_again(opened, then, Path(folder)))
    if verdict.unlike and not verdict.close:
        what = f"Made again, it is another picture: {verdict.unlike}."
        raise Differs(what, where=str(arguments.picture), remedy=verdict.why)
    same = f"{arguments.picture}: made again, the same"
    if verdict.unlike:
        print(f"{same} within {TOLERANCE} of 255: {verdict.unlike}.")
    else:
        print(f"{same} in every pixel.")
    for cause in verdict.causes:
        print(f"note: {cause}", file=sys.stderr)
    return 0


def _scratch() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="ponystudio-verify-")
    except OSError as error:
        raise UsageError(
            f"There is no folder for temporary files that can be written: {error.strerror}.",
            remedy="Set TMPDIR to one that can be.",
        ) from None


def _make_again(opened: OpenedGraph, then: Receipt, folder: Path) -> Path:
    """The same picture of the same batch, made on what it was made on if that is here."""
    made: list[Path] = []

    def on_event(event: Event) -> None:
        if not isinstance(event, Output):
            display(event)
        elif event.node == then.node:
            made.append(Path(event.path))

    def work(cancel: Flag) -> None:
        from ponystudio.engine.headless import run_graph  # loads torch: bad input comes first

        device, dtype = _device_and_dtype(then.environment)
        with _threads(then.part("versions").get("threads")):
            run_graph(
                opened.graph,
                folders=opened.folders,
                output=folder,
                device=device,
                dtype=dtype,
                index_path=user_folders.model_index(),
                packs=opened.packs,
                targets=(then.node,),
                on_event=on_event,
                cancel=cancel,
            )

    with TextReport(sys.stdout, sys.stderr) as display, redirect_stdout(sys.stderr):
        cancellable(work)
    return then.own(made)


@contextmanager
def _threads(count: object) -> Iterator[None]:
    """As many as there were: on the CPU sums of other numbers of parts round otherwise."""
    import torch

    before = torch.get_num_threads()
    if isinstance(count, int) and 1 <= count <= MOST_THREADS:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _device_and_dtype(environment: Mapping[str, Any]) -> tuple[str, str]:
    """The device and dtype to ask for; "auto" where what there was is not here."""
    from ponystudio.engine.memory.devices import DTYPES, choose

    device = str(environment.get("device", "auto"))
    try:
        choose(device)
    except UsageError:
        device = "auto"
    for dtype in ("auto", *DTYPES):
        if choose(device, dtype).precision == environment.get("dtype"):
            return device, dtype
    return device, "auto"
