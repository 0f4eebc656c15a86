"""What tests of pictures begin with."""

from helpers.gallery import gallery
from helpers.result_library import output, results, scanned, toasts
from helpers.strip import strip

__all__ = ["gallery", "output", "results", "scanned", "strip", "toasts"]
