"""What a user may say that a model predicts, where its file does not or is wrong. Torch-free."""

from __future__ import annotations

AUTO = "auto"
# Word → (prediction, whether its noise ends without signal).
PREDICTIONS = {
    "eps": ("eps", False),
    "v": ("v", False),
    "v, zero SNR": ("v", True),
    "eps, zero SNR": ("eps", True),
}
CHOICES = (AUTO, *PREDICTIONS)
