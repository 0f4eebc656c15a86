"""Judging and sorting pictures by what an image encoder sees in them: small networks that score how
much people like a picture, groups of pictures that are alike, and the styles of Pony Diffusion V7.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ponystudio.diffusion.sampling.fitting import check_seen
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights, tensor
from ponystudio.errors import DamagedFile, MismatchedValues, ModelFileError, UnreadFile, WrongKind
from ponystudio.library.formats.weights_file import open_weights
from ponystudio.system.regular_file import open_regular

if TYPE_CHECKING:
    from torch import nn

# What the file of centres that was published with Pony Diffusion V7 calls them.
CENTRES = "cluster_centers"
LARGEST = 256 << 20
NO_CENTRES = "Choose clustering_results_n2048_gpu.npz, or another file with `cluster_centers`."


class AestheticScorer(Network["nn.Sequential"]):
    """A head that turns the features of a picture, `width` of them, into how much it is liked.

    `of_one`: it scores in 0..1, as Pony's does, not in about 1..10, as LAION's do.
    """

    part = "aesthetic_head"

    def __init__(
        self,
        module: nn.Sequential,
        weights: Weights | None = None,
        *,
        width: int,
        of_one: bool = False,
    ) -> None:
        super().__init__(module, weights)
        self.width, self.of_one = width, of_one

    @torch.no_grad()
    def __call__(self, embeds: Tensor) -> Tensor:
        """The scores [B], float32, of pictures [B,width], as an image encoder gives them.

        Raises MismatchedValues for features of another width.
        """
        check_seen("aesthetic head", self.width, embeds.shape[-1], "vision_output")
        unit = normalize(embeds.float(), dim=-1)
        scores: Tensor = self.module(unit.to(self.device, self.dtype))
        return scores.float().flatten()


def tag(score: float) -> str:
    """What Pony Diffusion calls pictures of a score in 0..1: score_0 to score_9."""
    return f"score_{int(min(max(score, 0.0), 0.99) * 10)}"


def groups(embeds: Tensor, *, count: int = 0, similarity: float = 0.8) -> list[list[int]]:
    """The numbers of pictures [B,width] that are alike, the largest group first.

    Groups are put together by the mean cosine of their pictures (average linkage), the most alike
    first: until there are `count`, or at 0 as long as that mean is at least `similarity`.
    """
    unit = normalize(embeds.float().cpu(), dim=-1)
    found = [[number] for number in range(len(unit))]
    sums = unit @ unit.t()  # of the cosines between the pictures of two groups
    sizes = torch.ones(len(unit))
    while len(found) > max(1, count):
        means = sums / (sizes[:, None] * sizes)
        means.fill_diagonal_(-2)
        best = int(means.argmax())
        i, j = sorted(divmod(best, len(found)))
        if not count and float(means[i, j]) < similarity:
            break
        found[i] += found.pop(j)
        kept = [k for k in range(len(sizes)) if k != j]
        sums[i] += sums[j]
        sums[:, i] += sums[:, j]
        sizes[i] += sizes[j]
        sums, sizes = sums[kept][:, kept], sizes[kept]
    return sorted(map(sorted, found), key=lambda group: (-len(group), group[0]))


def nearest_centres(embeds: Tensor, centres: Tensor) -> list[int]:
    """The number of the centre [n,width] that each picture [B,width] lies nearest to (Euclidean).

    Raises MismatchedValues for features of another width.
    """
    if embeds.shape[-1] != centres.shape[-1]:
        raise MismatchedValues(
            f"The styles are told by {centres.shape[-1]} features of a picture, and the image"
            f" encoder gives {embeds.shape[-1]}.",
            remedy="Choose the encoder that they were made with: CSD, a CLIP ViT-L without its"
            " projection, for those of Pony Diffusion V7.",
            socket="vision_output",
        )
    nearest: list[int] = torch.cdist(embeds.float().cpu(), centres).argmin(dim=1).tolist()
    return nearest


def read_centres(path: Path) -> Tensor:
    """The centres of styles in a file, float32 [n,width]: `cluster_centers` of an .npz, in which
    nothing is ever executed, or of a file of tensors.

    Raises WrongKind where there are none, DamagedFile, UnreadFile.
    """
    if path.suffix.lower() != ".npz":
        with open_weights(path) as file:
            info = file.tensors.get(CENTRES)
            if info is None or len(info.shape) != 2:
                raise _none_in(path)
            return tensor(file, CENTRES).float().clone()
    import numpy

    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            name = f"{CENTRES}.npy"
            if name not in archive.namelist():
                raise _none_in(path)
            if archive.getinfo(name).file_size > LARGEST:
                raise DamagedFile("The centres are too large.", where=str(path))
            content = io.BytesIO(archive.read(name))
            values = numpy.lib.format.read_array(content, allow_pickle=False)
            if values.ndim != 2 or values.dtype.kind != "f":
                raise _none_in(path)
            return torch.from_numpy(values.astype(numpy.float32))
    except OSError as error:
        raise UnreadFile(f"The file cannot be read: {error}.", where=str(path)) from None
    except ModelFileError:
        raise
    except Exception as error:  # both libraries have errors of many kinds for what is damaged
        raise DamagedFile(f"The file cannot be read: {error}.", where=str(path)) from None


def _none_in(path: Path) -> WrongKind:
    return WrongKind("There are no centres of styles.", where=str(path), remedy=NO_CENTRES)
