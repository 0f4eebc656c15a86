"""Arguments about model files, for the commands that look for such."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path


def add_models_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--models",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="a folder of models, laid out as ours, ComfyUI's or A1111's; may be given again",
    )


def add_rebind_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--rebind",
        action="store_true",
        help="take missing models where they lie under other names; reads files for their hashes",
    )
