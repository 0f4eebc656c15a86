"""One side of the comparison of test_streaming, in a process of its own.

    python streaming_process.py whole|streamed|diffusers FILE SIDE STEPS

Runs guided steps of AuraFlow in bf16, of a file of the denoiser alone. Prints one JSON object:
seconds to load, seconds of every step, and the share of those that was spent waiting for blocks.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

CFG = 4.0
CONTEXT = 256, 2048


def main() -> None:
    who, path, side, steps = sys.argv[1:]
    import torch

    generator = torch.Generator().manual_seed(3)
    prompts = torch.randn(2, 1, *CONTEXT, generator=generator)
    run = plain_diffusers if who == "diffusers" else ours
    with torch.no_grad():
        print(json.dumps(run(who, Path(path), int(side) // 8, int(steps), prompts)))


def timed(steps: Callable[[Callable[[], None]], Any]) -> list[float]:
    """Seconds from one call of what `steps` is given to the next."""
    stamps = [time.perf_counter()]
    steps(lambda: stamps.append(time.perf_counter()))
    return [later - earlier for earlier, later in pairwise(stamps)]


def ours(who: str, path: Path, cells: int, steps: int, prompts: Any) -> dict[str, Any]:
    import torch

    from ponystudio.api import Conditioning, Entry
    from ponystudio.diffusion.loading.load import load
    from ponystudio.diffusion.sampling.run import sample

    start = time.perf_counter()
    room = path.stat().st_size // 2 if who == "streamed" else None
    denoiser = load(path, "model", device="cpu", dtype=torch.bfloat16, room=room)
    loaded = time.perf_counter() - start
    if denoiser.stream:
        denoiser.stream.begin()
    seconds = timed(
        lambda tick: sample(
            denoiser,
            *(Conditioning((Entry(context),), "auraflow") for context in prompts),
            torch.zeros(1, 4, cells, cells),
            seed=1,
            steps=steps,
            cfg=CFG,
            sampler="euler",
            scheduler="auto",
            on_step=lambda *_: tick(),
        )
    )
    waited = denoiser.stream.ahead.waited if denoiser.stream else 0.0
    denoiser.close()
    return {"load": loaded, "steps": seconds, "waited": waited / sum(seconds)}


def plain_diffusers(_: str, path: Path, cells: int, steps: int, prompts: Any) -> dict[str, Any]:
    """Its own network, scheduler and conversion of names; one tensor is read and cast at a time."""
    import torch
    from diffusers import AuraFlowTransformer2DModel, FlowMatchEulerDiscreteScheduler
    from diffusers.loaders.single_file_utils import (
        convert_auraflow_transformer_checkpoint_to_diffusers as converted,
    )
    from safetensors import safe_open

    start = time.perf_counter()
    with safe_open(path, "pt") as file:
        names = list(file.keys())
        state = {name: file.get_tensor(name).to(torch.bfloat16) for name in names}
    places = state["positional_encoding"].shape[1]
    with torch.device("meta"):
        network = AuraFlowTransformer2DModel(pos_embed_max_size=places)
    found = {name: value for name, value in converted(state).items() if value is not None}
    network.load_state_dict(found, assign=True)
    del found, state
    network.eval()
    loaded = time.perf_counter() - start
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.73)
    scheduler.set_timesteps(sigmas=[1 - n / steps for n in range(steps)])
    context = prompts.flatten(0, 1).bfloat16()

    def run(tick: Callable[[], None]) -> None:
        x = torch.randn(1, 4, cells, cells, generator=torch.Generator().manual_seed(1))
        for t in scheduler.timesteps:
            both = torch.cat([x, x]).bfloat16()
            out = network(both, encoder_hidden_states=context, timestep=(t / 1000).expand(2))
            positive, negative = out.sample.float().split(1)
            v = negative + CFG * (positive - negative)
            x = scheduler.step(v, t, x).prev_sample
            tick()

    return {"load": loaded, "steps": timed(run), "waited": 0.0}


if __name__ == "__main__":
    main()
