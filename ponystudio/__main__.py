"""`python -m ponystudio`, and the `ponystudio` program."""

import sys

from ponystudio.cli.arguments import main

if __name__ == "__main__":
    sys.exit(main())
