"""`ponystudio compare`: two checkpoints, block by block, and what it means for adapters."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponystudio.cli.error_report import printable
from ponystudio.errors import UsageError
from ponystudio.library.recognition.model_file import ModelFile, check_usable
from ponystudio.library.recognition.recognise import recognise

if TYPE_CHECKING:
    from ponystudio.diffusion.checkpoints.model_comparison import ModelComparison

NOUNS = {"eps": "noise", "v": "velocity", "flow": "flow"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", type=Path, help="a checkpoint, or a part of one")
    parser.add_argument("second", metavar="B", type=Path, help="another of the same family")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="write a chart, a .png")


def main(arguments: Namespace) -> int:
    if arguments.picture and arguments.picture.suffix.lower() != ".png":
        raise UsageError(
            "The chart is a .png file.",
            where=str(arguments.picture),
            remedy=f"Call it {arguments.picture.stem}.png.",
        )
    files = [recognise(path) for path in (arguments.first, arguments.second)]
    parts = _shared(files)
    found = _compared(files, parts)
    if arguments.picture:
        from ponystudio.diffusion.checkpoints.comparison_chart import chart
        from ponystudio.graph.atomic_write import writing

        with writing(arguments.picture) as file:
            chart(found).save(file, "PNG")
    print(json.dumps(_plain(found), indent=2) if arguments.json else printable(found.report))
    return 0


def _shared(files: list[ModelFile]) -> list[str]:
    for file in files:
        check_usable(file)
    parts = [part for part in ("model", "clip", "vae") if all(part in f.parts for f in files)]
    if not parts:
        raise UsageError(
            f"{files[0].path.name} is a {files[0].kind} and {files[1].path.name} a"
            f" {files[1].kind}: they have no part in common.",
            remedy="Compare two checkpoints, or two files of one kind.",
        )
    return parts


def _compared(files: list[ModelFile], parts: list[str]) -> ModelComparison:
    from ponystudio.diffusion.checkpoints.model_comparison import compare
    from ponystudio.diffusion.loading.part_weights import PartWeights

    with ExitStack() as stack:
        sides: list[dict[str, PartWeights]] = []
        for file in files:
            side = {}
            for part in parts:
                side[part] = PartWeights(file.path, part)
                stack.callback(side[part].close)
            sides.append(side)
        one, two = (NOUNS.get(file.prediction, "") for file in files)
        return compare(*sides, predictions=(one, two), check=_progress)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\r" if done < total else "\r\033[K"
        print(f"{done} of {total} tensors", end=end, file=sys.stderr, flush=True)


def _plain(found: ModelComparison) -> dict[str, Any]:
    def row(sums: Any) -> dict[str, float]:
        return {"cosine": sums.cosine, "distance": sums.distance, "numbers": sums.count}

    return {
        "files": found.names,
        "family": found.family,
        "parts": {
            part: {
                **row(found.total(part)),
                "alone": found.alone.get(part, 0),
                "blocks": {name: row(sums) for name, sums in blocks.items()},
            }
            for part, blocks in found.blocks.items()
        },
        "layers": {kind: row(sums) for kind, sums in found.layers.items()},
        "meaning": found.meaning,
    }
