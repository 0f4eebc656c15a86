"""AuraFlow and FLUX.1 of the released size, of random weights.

Run with `pytest -m full tests/diffusion -s`; it takes 50 GB of disk and half an hour, less where
PONYSTUDIO_FULL_MODELS names a folder that has the files.
"""

from __future__ import annotations

import json
import time
from contextlib import closing

import pytest
import torch

from helpers import full_flows
from helpers.measured import measured
from ponystudio.api import Conditioning, Entry
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.sampling.run import sample
from ponystudio_resources import path as resource

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
GB = 10**9
FLUX = (
    "diffusion_models/flux1-schnell.safetensors",
    "text_encoders/clip_l.safetensors",
    "text_encoders/t5xxl_fp16.safetensors",
    "vae/ae.safetensors",
)


def test_auraflow_streamed_is_the_whole_network_to_the_bit(tmp_path):
    """In bf16, of a file in fp16: two guided steps at 512 × 512."""
    name = "diffusion_models/pony-v7.safetensors"
    generator = torch.Generator().manual_seed(3)
    prompts = [
        Conditioning((Entry(torch.randn(1, 256, 2048, generator=generator)),), "auraflow")
        for _ in range(2)
    ]

    def sampled(path, room):
        start = time.perf_counter()
        options = {"device": "cpu", "dtype": torch.bfloat16, "room": room}
        with closing(load(path, "model", **options)) as denoiser:
            assert (denoiser.stream is None) == (room is None)
            loaded = time.perf_counter()
            if denoiser.stream:
                denoiser.stream.begin()
            values = sample(
                denoiser,
                *prompts,
                torch.zeros(1, 4, 64, 64),
                seed=1,
                steps=2,
                cfg=4.0,
                sampler="euler",
                scheduler="auto",
            )
            run = time.perf_counter() - loaded
            waited = denoiser.stream.prefetch.wait_seconds if denoiser.stream else 0.0
            print(f"\nroom {room}: load {loaded - start:.1f} s, two steps {run:.1f} s", end="")
            print(f", {waited / run:.0%} of it waiting")
        return values

    with full_flows.models(tmp_path / "models", name) as root:
        streamed = sampled(root / name, 7 * GB)
        assert torch.isfinite(streamed).all()
        assert streamed.std() > 0.1
        assert torch.equal(streamed, sampled(root / name, None))


def test_flux_in_little_memory(tmp_path):
    """The whole template, from words to a picture, in a group of 12 GB: 6 GB of its own at most."""
    with full_flows.models(tmp_path / "models", *FLUX) as root:
        words = ["-m", "ponystudio", "run", resource("graphs", "flux.json"), "--models", root]
        for param in ("latent.width=256", "latent.height=256", "sampler.steps=1"):
            words += ["--set", param]
        words += ["--output", tmp_path / "out", "--no-disk-cache", "--events"]
        done = measured([*words, "--device", "cpu", "--dtype", "bf16"], limit=12 * GB)
    assert done.code == 0, done.error
    events = [json.loads(line) for line in done.out.splitlines()]
    took = {e["node"]: e["seconds"] for e in events if e["event"] == "node_finished"}
    print(f"\npeak {done.peak / GB:.2f} GB of its own, {done.seconds:.0f} s", end="")
    print(", in a group of 12 GB" if done.limited else ", in no group")
    for event in events:
        if event["event"] == "weights":
            print(event["action"], event["file"], f"{event['bytes'] / GB:.2f} GB", event["seconds"])
    print({node: seconds for node, seconds in took.items() if seconds > 1})
    streams = {e["file"]: e for e in events if e.get("action") == "stream"}
    denoiser = streams["flux1-schnell.safetensors"]
    print(f"{denoiser['seconds'] / took['sampler']:.0%} of the sampler's time was waiting")
    assert (tmp_path / "out" / "flux_00001.png").exists()
    assert done.peak < 6 * GB
