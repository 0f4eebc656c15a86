"""What tests of pictures begin with."""

from helpers.result_library import notices, output, results, scanned

__all__ = ["notices", "output", "results", "scanned"]
