"""Files that ship with PonyStudio: models, configs, tokenizers, graphs, icons, the catalog."""

from pathlib import Path

ROOT = Path(__file__).parent


def path(*names: str) -> Path:
    """The path of a shipped file or folder, e.g. path("tokenizers", "clip", "vocab.json")."""
    return ROOT.joinpath(*names)
