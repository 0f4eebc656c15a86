"""Scores of every published layout, groups of pictures that are alike, styles by their centres."""

from __future__ import annotations

from contextlib import closing

import numpy
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ponystudio.diffusion.images.aesthetics import groups, nearest_centres, read_centres, tag
from ponystudio.diffusion.loading.load import load
from ponystudio.errors import DamagedFile, MismatchedValues, WrongKind
from ponystudio.library.recognition.recognise import recognise


def improved():
    """LAION's improved predictor: linear layers, with dropout between them and nothing else."""
    return nn.Sequential(
        *(nn.Linear(768, 1024), nn.Dropout(0.2), nn.Linear(1024, 128), nn.Dropout(0.2)),
        *(nn.Linear(128, 64), nn.Dropout(0.1), nn.Linear(64, 16), nn.Linear(16, 1)),
    )


def of_pony():
    return nn.Sequential(
        *(nn.Linear(768, 1024), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(1024, 512), nn.ReLU(), nn.Dropout(0.3), nn.Linear(512, 1)),
    )


@pytest.mark.parametrize(
    ("make", "prefix", "wrapper", "of_one"),
    [
        (improved, "layers.", None, False),
        (of_pony, "model.", "state_dict", True),
        (lambda: nn.Linear(768, 1), "", None, False),
    ],
    ids=["LAION improved", "Pony", "linear"],
)
def test_every_layout_scores_as_its_network_does(make, prefix, wrapper, of_one, tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = make().eval()
    stored = {prefix + name: value for name, value in theirs.state_dict().items()}
    path = tmp_path / "head.pth"
    torch.save({wrapper: stored, "epoch": 3} if wrapper else stored, path)
    assert recognise(path).kind == "aesthetic_head"
    embeds = torch.randn(3, 768) * 5
    with (
        closing(load(path, "aesthetic_head", device="cpu", dtype=torch.float32)) as scorer,
        torch.no_grad(),
    ):
        assert scorer.of_one is of_one
        unit = embeds / embeds.norm(dim=1, keepdim=True)
        torch.testing.assert_close(scorer(embeds), theirs(unit).flatten())
        with pytest.raises(MismatchedValues, match="reads 768") as caught:
            scorer(torch.zeros(1, 1024))
    assert "CLIP ViT-L/14" in caught.value.remedy


def test_scores_as_words():
    scores = (-0.2, 0.0, 0.099, 0.5, 0.73, 0.999, 1.4)
    assert [tag(score)[-1] for score in scores] == list("0005799")


def around(*directions):
    """Pictures near these directions, as unlike each other as axes are."""
    axes = torch.eye(8)
    noise = torch.randn(len(directions), 8, generator=torch.Generator().manual_seed(2))
    return (axes[list(directions)] + noise * 0.05) * 7


class TestGroups:
    def test_by_similarity_as_many_as_there_are(self):
        embeds = around(0, 1, 0, 2, 1, 0)
        assert groups(embeds, similarity=0.7) == [[0, 2, 5], [1, 4], [3]]
        assert len(groups(embeds, similarity=1.0)) == 6

    def test_by_number(self):
        embeds = around(0, 1, 0, 2, 1, 0)
        assert groups(embeds, count=3) == [[0, 2, 5], [1, 4], [3]]
        assert groups(embeds, count=9) == [[n] for n in range(6)]
        assert groups(embeds, count=1) == [list(range(6))]

    def test_means_are_those_of_all_pairs(self):
        """Average linkage, as scipy has it."""
        from scipy.cluster.hierarchy import fcluster, linkage

        embeds = torch.randn(24, 5, generator=torch.Generator().manual_seed(4)).double()
        labels = fcluster(linkage(embeds.numpy(), "average", metric="cosine"), 6, "maxclust")
        theirs = {frozenset(numpy.flatnonzero(labels == label).tolist()) for label in set(labels)}
        assert {frozenset(group) for group in groups(embeds, count=6)} == theirs


class TestStyles:
    CENTRES = torch.tensor([[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]])

    def test_the_nearest_centre(self):
        embeds = torch.tensor([[2.0, 3.0], [9.0, 1.0], [-1.0, 0.0]])
        assert nearest_centres(embeds, self.CENTRES) == [1, 2, 0]
        with pytest.raises(MismatchedValues, match="2 features"):
            nearest_centres(torch.zeros(1, 3), self.CENTRES)

    def test_files_of_centres(self, tmp_path):
        numpy.savez_compressed(tmp_path / "a.npz", cluster_centers=self.CENTRES.numpy())
        save_file({"cluster_centers": self.CENTRES.half()}, tmp_path / "a.safetensors")
        for name in ("a.npz", "a.safetensors"):
            assert torch.equal(read_centres(tmp_path / name), self.CENTRES)

    def test_what_holds_none(self, tmp_path):
        numpy.savez(tmp_path / "other.npz", labels=numpy.zeros(3))
        save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
        for name in ("other.npz", "other.safetensors"):
            with pytest.raises(WrongKind, match="no centres"):
                read_centres(tmp_path / name)

    def test_nothing_in_it_is_executed(self, tmp_path):
        objects = numpy.array([[print, 1.0]], dtype=object)
        numpy.savez(tmp_path / "hostile.npz", cluster_centers=objects)
        (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
        for name in ("hostile.npz", "torn.npz"):
            with pytest.raises(DamagedFile):
                read_centres(tmp_path / name)
