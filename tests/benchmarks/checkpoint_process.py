"""One side of the comparison with plain diffusers, in a process of its own, for
test_checkpoints.

    python checkpoint_process.py ours|diffusers CHECKPOINT DTYPE SIDE STEPS CONFIG

Prints one JSON object: seconds to load, seconds of every guided step, seconds of the VAE's
decoding, and the peak of anonymous memory in bytes (mapped pages of files do not count: the
system may drop them at any time).
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

PROMPTS = ("a photo of a pony in a meadow", "blurry, low quality")


class PeakMemory(threading.Thread):
    """Samples this process's anonymous resident memory every 10 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0

    def run(self) -> None:
        while True:
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    self.peak = max(self.peak, int(line.split()[1]) * 1024)
            time.sleep(0.01)


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    into.append(time.perf_counter() - start)


def main() -> None:
    who, path, dtype, side, steps, config = sys.argv[1:]
    import torch

    memory = PeakMemory()
    memory.start()
    measure = {"ours": ours, "diffusers": plain_diffusers}[who]
    with torch.no_grad():
        result = measure(Path(path), getattr(torch, dtype), int(side), int(steps), Path(config))
    print(json.dumps({**result, "peak_anonymous": memory.peak}))


def second(load: Callable[[], Any]) -> tuple[Any, float]:
    """What the second of two loads gives, and its seconds: the first one pays for imports too."""
    load()
    gc.collect()
    start = time.perf_counter()
    return load(), time.perf_counter() - start


def step_times(run: Callable[[Callable[[], None]], Any]) -> tuple[list[float], Any]:
    """Runs with a callback after every step; the time from one callback to the next."""
    stamps = [time.perf_counter()]
    result = run(lambda: stamps.append(time.perf_counter()))
    return [later - earlier for earlier, later in pairwise(stamps)], result


def ours(path: Path, dtype: Any, side: int, steps: int, _config: Path) -> dict[str, Any]:
    import torch

    from ponystudio.api import Conditioning, Entry
    from ponystudio.diffusion.loading.load import load
    from ponystudio.diffusion.sampling.run import sample

    def load_parts() -> list[Any]:
        wanted = {"clip": dtype, "model": dtype, "vae": torch.float32}
        return [load(path, part, device="cpu", dtype=dtype) for part, dtype in wanted.items()]

    (encoder, denoiser, autoencoder), load_seconds = second(load_parts)
    positive, negative = (
        Conditioning(
            (Entry(encoded.context, encoded.padding, encoded.pooled),), denoiser.family.name
        )
        for encoded in map(encoder.encode, PROMPTS)
    )
    seconds, values = step_times(
        lambda tick: sample(
            denoiser,
            positive,
            negative,
            torch.zeros(1, 4, side // 8, side // 8),
            seed=1,
            steps=steps,
            cfg=7.5,
            sampler="euler",
            scheduler="simple",
            on_step=lambda *_: tick(),
        )
    )
    decode: list[float] = []
    with timed(decode):
        autoencoder.decode(values)
    return {"load": load_seconds, "steps": seconds, "decode": decode[0]}


def plain_diffusers(path: Path, dtype: Any, side: int, steps: int, config: Path) -> dict[str, Any]:
    import diffusers
    import torch

    kind = json.loads((config / "model_index.json").read_text())["_class_name"]
    pipeline, load_seconds = second(
        lambda: getattr(diffusers, kind).from_single_file(
            str(path), config=str(config), local_files_only=True, torch_dtype=dtype
        )
    )
    pipeline.set_progress_bar_config(disable=True)
    seconds, latents = step_times(
        lambda tick: (
            pipeline(
                PROMPTS[0],
                negative_prompt=PROMPTS[1],
                num_inference_steps=steps,
                guidance_scale=7.5,
                height=side,
                width=side,
                output_type="latent",
                generator=torch.Generator().manual_seed(1),
                callback_on_step_end=lambda *args: (tick(), args[3])[1],
            ).images
        )
    )
    vae = pipeline.vae.float()
    gc.collect()
    decode: list[float] = []
    with timed(decode):
        vae.decode(latents.float() / vae.config.scaling_factor)
    return {"load": load_seconds, "steps": seconds, "decode": decode[0]}


if __name__ == "__main__":
    main()
