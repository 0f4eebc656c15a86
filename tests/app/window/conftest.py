"""What tests of the window begin with."""

from helpers.drops import canvas

__all__ = ["canvas"]
