"""What a run is made on, besides what decides the keys of its results: for receipts, and for the
question why a picture came out another one.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ponystudio.engine.memory.devices import DeviceChoice

# Whose versions may change a picture.
_PACKAGES = ("diffusers", "transformers", "numpy", "pillow", "torchsde", "scipy")


def versions(choice: DeviceChoice) -> Mapping[str, Any]:
    """Plain JSON. `threads` are those that torch computes with on the CPU, whose sums may end
    otherwise in other numbers of parts."""
    return {
        **_of_process(),
        "card": _card(choice.device),
        "threads": torch.get_num_threads(),
    }


@cache
def _of_process() -> Mapping[str, str]:
    found = {"python": platform.python_version(), "system": f"{platform.system()} {_machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _machine() -> str:
    return platform.machine() or os.name


def _card(device: torch.device) -> str:
    """What computes, as its maker calls it; of a CPU which instructions torch uses."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    if device.type == "cpu":
        return str(torch.backends.cpu.get_cpu_capability())
    return str(device.type)
