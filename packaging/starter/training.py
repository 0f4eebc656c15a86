"""What all three trainings share: bf16 weights with fp32 masters, and files that are never torn."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def rate_at(step: int, steps: int, peak: float, warm: int) -> float:
    """The learning rate: a cosine from `peak` to 0, warmed up over `warm` steps."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return peak * min(1.0, step / warm) * cosine


class Masters:
    """AdamW on fp32 copies of the parameters of a bf16 module, with their running average.

    Half precision halves the time of a step on CPUs that compute in bf16; updates smaller than
    its steps would be lost without the copies. `average` of decay `decay`, shorter at the start.
    """

    def __init__(self, module: nn.Module, decay: float, weight_decay: float = 0.01) -> None:
        self.names = [name for name, p in module.named_parameters() if p.requires_grad]
        parameters = dict(module.named_parameters())
        self.module_parameters = [parameters[name] for name in self.names]
        self.masters = [p.detach().float().clone() for p in self.module_parameters]
        self.average = [p.clone() for p in self.masters]
        self.decay = decay
        self.step = 0
        module.to(torch.bfloat16)
        self.optimizer = torch.optim.AdamW(
            self.masters, lr=0.0, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True
        )

    def update(self, rate: float, clip: float = 1.0) -> None:
        """One step along the gradients of the module, which are dropped."""
        for master, parameter in zip(self.masters, self.module_parameters, strict=True):
            assert parameter.grad is not None
            master.grad = parameter.grad.float()
            parameter.grad = None
        nn.utils.clip_grad_norm_(self.masters, clip)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        self.step += 1
        keep = min(self.decay, (1 + self.step) / (20 + self.step))
        with torch.no_grad():
            torch._foreach_copy_(self.module_parameters, self.masters)
            torch._foreach_lerp_(self.average, self.masters, 1 - keep)

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights by the module's names, fp32."""
        return dict(zip(self.names, self.average, strict=True))

    def state(self) -> dict[str, Any]:
        return {
            "masters": self.masters,
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self.masters, state["masters"])
            torch._foreach_copy_(self.average, state["average"])
            torch._foreach_copy_(self.module_parameters, self.masters)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


class Log:
    """One JSON object a line, also printed; `seconds` is the time spent, over all runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        self.before = json.loads(lines[-1])["seconds"] if lines else 0.0
        self.start = time.monotonic()

    def write(self, **values: Any) -> None:
        seconds = round(self.before + time.monotonic() - self.start, 1)
        line = json.dumps({**values, "seconds": seconds})
        print(self.path.stem, line, flush=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def save(value: Any, path: Path) -> None:
    """Write what torch.save can, whole or not at all."""
    part = path.with_suffix(".part")
    torch.save(value, part)
    part.replace(path)
