"""What tests of pictures begin with."""

from helpers.gallery import gallery
from helpers.result_library import notices, output, results, scanned
from helpers.strip import strip

__all__ = ["gallery", "notices", "output", "results", "scanned", "strip"]
