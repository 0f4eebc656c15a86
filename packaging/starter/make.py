"""Make the starter model: python packaging/starter/make.py --profile cpu|gpu

What a stage made is kept in the work folder and not made again; the denoiser's training goes on
where it was interrupted. `--from` begins it with the weights of an earlier starter model.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

import torch  # noqa: E402
from torch.nn.functional import avg_pool2d  # noqa: E402

from ponystudio.diffusion.loading.load import load  # noqa: E402
from starter import (  # noqa: E402
    autoencoder,
    captions,
    concepts,
    denoiser,
    export,
    latents,
    pictures,
    sources,
    text,
)
from starter.profiles import PROFILES  # noqa: E402

MODEL = ROOT / "resources/models/checkpoints/starter.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", choices=PROFILES, default="cpu")
    parser.add_argument("--work", type=Path, default=ROOT / "build/starter")
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--from", dest="start", type=Path, help="weights to begin with")
    parser.add_argument("--samples", type=int, help="to train the denoiser on")
    parser.add_argument("--date", default="", help="for the header, as YYYY-MM-DD")
    given = parser.parse_args()
    profile = PROFILES[given.profile]
    if given.samples:
        profile = replace(profile, samples=given.samples)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = given.work / given.profile
    folder.mkdir(parents=True, exist_ok=True)

    packages = sources.fetch(given.work / "packages")
    known = concepts.concepts(packages, profile)
    sprites = pictures.sprites(packages, known, profile.styles, profile.size)
    vae = autoencoder.train(sprites, profile, folder, device)
    coded, labels = latents.make(vae, sprites, known, profile, folder)
    tokens = captions.tokens(known, profile.styles)
    encoder = text.train(known, tokens, profile, folder, device)
    drawn = labels[:, 1] < profile.drawn
    start = None
    if given.start:
        module = load(given.start, "model", device="cpu", dtype=torch.float32).module
        start = module.state_dict()
    unet = denoiser.train(
        coded[drawn],
        labels[drawn],
        known,
        encoder,
        profile,
        folder,
        start=start,
        device=device,
    )
    for network in (vae, encoder, unet):
        network.to("cpu")
    text.steady(encoder, unet)
    # A prime stride meets every style and background.
    scaled = coded[::31].float()
    parts = [autoencoder.decode(vae, part / autoencoder.SCALE) for part in scaled.split(16)]
    small = avg_pool2d(torch.cat(parts) * 2 - 1, 8)
    fit = export.write(
        given.out,
        unet,
        vae,
        encoder.clip,
        encoder.tokens,
        scaled,
        small,
        {"modelspec.date": given.date} if given.date else {},
    )
    print(f"{given.out}: the previews' guess has R² {fit:.3f}")


if __name__ == "__main__":
    main()
