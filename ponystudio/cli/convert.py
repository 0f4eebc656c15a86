"""`ponystudio convert`: a checkpoint of any kind to one .safetensors; nothing in it is executed."""

from __future__ import annotations

from argparse import Namespace

from ponystudio.errors import UsageError
from ponystudio.library.convert import convert


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
