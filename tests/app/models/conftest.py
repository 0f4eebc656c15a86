"""What tests of models begin with."""

from helpers.models_page import home, page, window

__all__ = ["home", "page", "window"]
