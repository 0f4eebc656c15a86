"""`python -m ponystudio`, and the `ponystudio` program."""

import os
import sys


def main() -> int:
    """Do what the command line says, and end whatever threads are left; returns the exit code."""
    try:
        from ponystudio.cli.arguments import main as do
        from ponystudio.cli.interrupts import leave
    except KeyboardInterrupt:
        return 130
    return leave(do())


def _forget_working_folder() -> None:
    """`python -m` looks first where the user stands: what lies there is not to be run."""
    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib may be what lies there
    except OSError:  # it was deleted
        here = ""
    if not sys.flags.safe_path and sys.path[:1] in ([here], [""]):
        del sys.path[0]


if __name__ == "__main__":
    _forget_working_folder()
    sys.exit(main())
