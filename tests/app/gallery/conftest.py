"""What tests of pictures begin with."""

from helpers.result_library import output, results, scanned, toasts

__all__ = ["output", "results", "scanned", "toasts"]
