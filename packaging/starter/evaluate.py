"""How good the starter model is: what goes into its card.

evaluate.py measure                     autoencoder, 200 prompts, eight concepts, contact sheet
evaluate.py eyes FOLDER                 64 pictures for somebody to name, prompts in FOLDER.json
evaluate.py score-names ANSWERS.json    how many were named rightly: {"00": "a unicorn", ...}
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from starter import concepts as known  # noqa: E402
from starter import figures, pictures, retrieval, sources  # noqa: E402
from starter.painting import Painter  # noqa: E402
from starter.profiles import PROFILES, Profile  # noqa: E402

HERE = Path(__file__).parent
CARD = ROOT / "resources/models/checkpoints"
EIGHT = ("unicorn", "horse", "zebra", "cat", "dog", "dragon", "rainbow", "apple")
SEEDS = (1, 2, 3, 4)
PROMPTS = 200
NAMED = 64

# What else is right when somebody names a picture.
ALSO = {
    "birthday cake": ("cake",),
    "doughnut": ("donut",),
    "fire": ("flame",),
    "frog": ("toad",),
    "hamburger": ("burger", "cheeseburger"),
    "horse": ("pony",),
    "ice cream": ("sundae",),
    "monkey": ("chimpanzee", "ape"),
    "mushroom": ("toadstool",),
    "palm tree": ("palm",),
    "rabbit": ("bunny", "hare"),
    "tree": ("pine", "fir"),
    "turtle": ("tortoise",),
}

# What a prompt asks for: concept, style, background.
Wish = tuple[str, str, str]

PREVIEW: Wish = ("unicorn", "3d", "blue")  # what stands for the model in lists of files


def prompt(wish: Wish) -> str:
    return f"{wish[0]}, {wish[1]}, {wish[2]} background"


def wishes(concepts: Sequence[str], styles: Sequence[str], n: int, seed: int) -> list[Wish]:
    """`n` wishes drawn uniformly over everything."""
    random, backgrounds = Random(seed), list(pictures.BACKGROUNDS)
    return [
        (random.choice(concepts), random.choice(styles), random.choice(backgrounds))
        for _ in range(n)
    ]


class Evaluation:
    """The checkpoint, and the drawings that it was trained on."""

    def __init__(self, checkpoint: Path, work: Path, profile: Profile) -> None:
        packages = sources.fetch(work / "packages")
        drawn = known.concepts(packages, profile)
        self.concepts = [concept.name for concept in drawn]
        self.styles = profile.styles[: profile.drawn]
        self.sprites = pictures.sprites(packages, drawn, self.styles, profile.size)
        self.painter = Painter(checkpoint, profile.size)
        self.judge = retrieval.Judge(self.sprites, self.concepts, self.styles)

    def decibels(self, n: int = 64) -> float:
        """The mean PSNR of pictures in views that were not trained on."""
        random, found = Random("held out"), []
        for key in random.sample(sorted(self.sprites), n):
            background = random.choice(list(pictures.BACKGROUNDS))
            places = [pictures.view(background, random)]
            picture = pictures.compose(self.sprites[key], key[1], places)
            latent = self.painter.autoencoder.encode(picture)
            error = (self.painter.autoencoder.decode(latent) - picture).square().mean()
            found.append(-10 * error.log10().item())
        return sum(found) / n

    def judged(self, wish: Wish, picture: Tensor) -> dict[str, str]:
        """What the picture made for a wish is taken for."""
        seen = retrieval.small(picture[None])[0]
        concept, style, background = wish
        return {
            "concept": self.judge.concept(seen, style, background),
            "style": self.judge.style(seen, concept, background),
            "background": self.judge.background(seen, concept, style),
        }

    def painted(self, asked: Sequence[Wish], seeds: Iterable[int]) -> list[Tensor]:
        """The pictures for some wishes, as many at once as there are processors."""
        prompts = [prompt(wish) for wish in asked]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        with ThreadPoolExecutor(threads) as pool:
            made = list(pool.map(self.painter.paint, prompts, seeds))
        torch.set_num_threads(threads)
        return made

    def followed(self, asked: Sequence[Wish]) -> dict[str, float]:
        """The share of pictures, seed = index, that are taken for what was asked."""
        right = {"concept": 0, "style": 0, "background": 0}
        for wish, picture in zip(asked, self.painted(asked, range(len(asked))), strict=True):
            judged = self.judged(wish, picture)
            for part, wanted in zip(right, wish, strict=True):
                right[part] += judged[part] == wanted
        return {part: count / len(asked) for part, count in right.items()}

    def eight(self) -> dict[str, int]:
        """For how many of four seeds each of eight concepts is taken for itself, in 3D on blue."""
        asked = [(concept, "3d", "blue") for concept in EIGHT for _ in SEEDS]
        counts = dict.fromkeys(EIGHT, 0)
        for wish, picture in zip(asked, self.painted(asked, SEEDS * len(EIGHT)), strict=True):
            counts[wish[0]] += self.judged(wish, picture)["concept"] == wish[0]
        return counts

    def sheet(self) -> list[Tensor]:
        """Pictures for the contact sheet: concepts in order, styles and backgrounds in turn."""
        backgrounds = list(pictures.BACKGROUNDS)
        asked = [
            (concept, self.styles[i % len(self.styles)], backgrounds[i % len(backgrounds)])
            for i, concept in enumerate(self.concepts)
        ]
        return self.painted(asked, [1] * len(asked))


def measure(evaluation: Evaluation) -> None:
    """Everything that needs no person, into evaluation.json, the contact sheet and the preview."""
    listed = HERE / "prompts.json"
    asked = wishes(evaluation.concepts, evaluation.styles, PROMPTS, seed=0)
    lines = ",\n".join(json.dumps(wish) for wish in asked)
    listed.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    found = {
        "decibels": round(evaluation.decibels(), 2),
        "followed": evaluation.followed(asked),
        "eight": evaluation.eight(),
    }
    print(json.dumps(found, indent=1))
    (CARD / "starter-evaluation.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    figures.contact_sheet(evaluation.sheet(), CARD / "starter-contact.webp")
    (preview,) = evaluation.painted([PREVIEW], [1])
    figures.save(preview, CARD / "starter.preview.webp")


def eyes(evaluation: Evaluation, folder: Path) -> None:
    """Pictures to be named; what they show stands beside the folder, not in it."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = wishes(evaluation.concepts, evaluation.styles, NAMED, seed=64)
    for seed, picture in enumerate(evaluation.painted(asked, range(len(asked)))):
        figures.save(picture, folder / f"{seed:02}.png")
    folder.with_suffix(".json").write_text(json.dumps(asked), encoding="utf-8")


def score(answers: Mapping[str, str], asked: Sequence[Wish]) -> int:
    """How many answers hold the concept's name, or one as good, as whole words."""
    right = 0
    for seed, (concept, _, _) in enumerate(asked):
        said = " ".join(re.findall(r"[a-z]+", answers.get(f"{seed:02}", "").lower()))
        names = (concept, *ALSO.get(concept, ()))
        hit = any(f" {name}{ending} " in f" {said} " for name in names for ending in ("", "s"))
        print(f"{seed:02}  {'right' if hit else 'wrong'}  {concept}: {said}")
        right += hit
    return right


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("measure", "eyes", "sprites", "score-names"))
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--profile", choices=PROFILES, default="cpu")
    parser.add_argument("--work", type=Path, default=ROOT / "build/starter")
    parser.add_argument("--checkpoint", type=Path, default=CARD / "starter.safetensors")
    given = parser.parse_args()
    profile = PROFILES[given.profile]
    if given.what == "score-names":
        drawn = known.concepts(sources.fetch(given.work / "packages"), profile)
        asked = wishes([c.name for c in drawn], profile.styles[: profile.drawn], NAMED, seed=64)
        answers = json.loads(given.path.read_text("utf-8"))
        print(score(answers, asked), "of", NAMED, "right")
        return
    evaluation = Evaluation(given.checkpoint, given.work, profile)
    if given.what == "measure":
        measure(evaluation)
    elif given.what == "eyes":
        eyes(evaluation, given.path)
    else:
        figures.sprite_sheet(evaluation.sprites, given.path)


if __name__ == "__main__":
    main()
