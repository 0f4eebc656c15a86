"""`python -m ponystudio`, and the `ponystudio` program."""

import sys


def main() -> int:
    """Do what the command line says, and end whatever threads are left; returns the exit code."""
    try:
        from ponystudio.cli.arguments import main as do
        from ponystudio.cli.interrupts import leave
    except KeyboardInterrupt:
        return 130
    return leave(do())


if __name__ == "__main__":
    sys.exit(main())
