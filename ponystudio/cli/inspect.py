"""`ponystudio inspect`: what a model file is, and how that was found out."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from ponystudio.cli.error_report import printable
from ponystudio.errors import UsageError, shortened
from ponystudio.library.file_checks import SMALL
from ponystudio.library.formats.content_id import hashes
from ponystudio.library.formats.number_check import check_numbers
from ponystudio.library.recognition.few_steps import few_steps
from ponystudio.library.recognition.model_file import ModelFile, Part, check_usable
from ponystudio.library.recognition.recognise import recognise

# Longer metadata values (training logs, whole graphs) are cut in the overview; --json has them all.
LONGEST = 100
# So are the names of what is listed, and its number.
MOST_LETTERS, MOST = 60, 200


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="a model file or folder")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--hashes",
        action="store_true",
        help="every hash by which the file may be known, and nothing else",
    )


def main(arguments: Namespace) -> int:
    if arguments.hashes:
        print_hashes(arguments.file, as_json=arguments.json)
        return 0
    model = recognise(arguments.file)
    sums = hashes(arguments.file) if arguments.file.is_file() else {}
    if arguments.json:
        print(json.dumps({**asdict(model), "hashes": sums}, indent=2, default=str))
    else:
        print(printable("\n".join(_overview(model, sums))))
    check_usable(model)
    if model.kind in SMALL:
        check_numbers(arguments.file)
    return 0


def print_hashes(path: Path, *, as_json: bool) -> None:
    """Of any file, whatever it is. Raises UsageError for a folder."""
    if path.is_dir():
        raise UsageError(
            "A folder has no hash of its own.",
            where=str(path),
            remedy="Name one of the files in it.",
        )
    sums = hashes(path, every=True)
    if as_json:
        print(json.dumps(sums, indent=2))
        return
    width = max(map(len, sums))
    for name, value in sums.items():
        print(printable(f"{name:<{width}}  {_short(value)}"))


def _overview(model: ModelFile, sums: Mapping[str, str]) -> Iterator[str]:
    yield f"file        {model.path}"
    yield f"format      {model.format}"
    yield f"kind        {model.kind}"
    if model.family:
        yield f"family      {model.family}"
    if few := few_steps(model):
        yield (
            f"few steps   {few.method}, as {few.why}: {few.steps} steps, {few.sampler},"
            f" {few.scheduler}, guidance {few.cfg:g}"
        )
    if model.prediction:
        yield f"prediction  {model.prediction}{', zero terminal SNR' if model.zsnr else ''}"
    for title, rows in (
        ("parts", {name: _part(part) for name, part in model.parts.items()}),
        ("hashes", sums),
        ("metadata", model.metadata),
    ):
        if rows:
            yield title
            shown = {shortened(name, MOST_LETTERS): value for name, value in [*rows.items()][:MOST]}
            width = max(map(len, shown))
            for name, value in shown.items():
                yield f"  {name:<{width}}  {_short(str(value))}"
            if len(rows) > MOST:
                yield f"  and {len(rows) - MOST:,} more, which --json has"
    yield "why"
    for reason in model.why:
        yield f"  - {reason}"


def _part(part: Part) -> str:
    return (
        f"{part.count:,} tensors, {part.parameters / 1e6:,.1f} M parameters, {part.dtype}, "
        f"under {part.prefix or 'no prefix'}"
    )


def _short(text: str) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text):,} characters)"
