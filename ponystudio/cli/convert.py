"""`ponystudio convert`: a checkpoint of any kind to one .safetensors; nothing in it is executed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ponystudio.errors import UsageError
from ponystudio.library.convert import convert


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="IN", type=Path, help="a .ckpt, .pt, .bin or folder")
    parser.add_argument("target", metavar="OUT", type=Path, help="the .safetensors to write")
    parser.add_argument("--ema", action="store_true", help="take the averaged weights")
    parser.add_argument("--half", action="store_true", help="store as 16-bit floats")


def main(arguments: Namespace) -> int:
    if arguments.target.suffix.lower() != ".safetensors":
        raise UsageError(
            "The result is always a .safetensors file.",
            where=str(arguments.target),
            remedy=f"Call it {arguments.target.stem}.safetensors.",
        )
    convert(arguments.source, arguments.target, ema=arguments.ema, half=arguments.half)
    print(arguments.target)
    return 0
