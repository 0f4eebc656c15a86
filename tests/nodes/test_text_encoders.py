"""Text encoders and tokenizers as nodes give them: recipes that open, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers import encoders
from helpers.core_graphs import core
from helpers.node_context import FakeContext
from ponystudio.api import Clip
from ponystudio.diffusion.families import families
from ponystudio.diffusion.loading import load
from ponystudio.engine.packs import load_packs
from ponystudio.errors import DamagedFile, MismatchedValues, MissingFile
from ponystudio.graph.checking import check
from ponystudio.graph.keys import Environment, result_keys
from ponystudio.graph.model import Graph
from ponystudio.library.content import content_id
from ponystudio_nodes.loading import TEXT_FAMILIES, TextEncoderFile, load_clip, set_tokenizer


def loaded(name, *paths):
    return load_clip(
        files=[TextEncoderFile(path) for path in paths], family=name, ctx=FakeContext()
    )


def opened(recipe):
    path, options = Path(recipe.path), recipe.options
    return load(path, "clip", device="cpu", dtype=torch.float32, options=options)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Every tiny encoder alone; AuraFlow's tokenizer in a folder of its own."""
    root = tmp_path_factory.mktemp("encoders")
    for name, towers in encoders.TOWERS.items():
        for tower in towers:
            encoders.write(name, tower, root / f"{name} {tower}.safetensors")
    encoders.write_tokenizer(root / "tokenizers" / "llama.model")
    return root


def files(root, name):
    return [root / f"{name} {tower}.safetensors" for tower in encoders.TOWERS[name]]


@pytest.fixture
def tokenizer(root):
    return root / "tokenizers" / "llama.model"


def test_every_family_may_be_chosen():
    assert set(TEXT_FAMILIES) == families().keys()


@pytest.mark.parametrize("name", ["flux", "sd3"])
def test_what_it_gives_opens_in_any_order(root, name):
    recipe = loaded(name, *reversed(files(root, name)))
    contents = [f"content of {path.name}" for path in reversed(files(root, name))]
    assert [content for _, content in recipe.files] == contents
    clip = opened(recipe)
    assert clip.family.name == recipe.family == name
    assert clip.encode("a pony").context.any()
    clip.close()


def test_the_tokenizer_is_given_by_its_node(root, tokenizer):
    recipe = loaded("auraflow", *files(root, "auraflow"))
    with pytest.raises(MissingFile, match=r"Tokenizer \(core\.set_tokenizer\)"):
        opened(recipe)
    told = set_tokenizer(recipe, file=tokenizer, ctx=FakeContext())
    assert told.files[-1] == (str(tokenizer), "content of llama.model")
    clip = opened(told)
    assert clip.encode("a pony").context.shape == (1, 256, 48)
    clip.close()


class TestRefusals:
    @pytest.mark.parametrize(("name", "count"), [("sd1", 2), ("flux", 3), ("sd3", 4), ("sd3", 0)])
    def test_more_files_than_it_reads(self, root, name, count):
        with pytest.raises(MismatchedValues, match=f"are {count} files.*reads CLIP-L"):
            loaded(name, *[files(root, "sd3")[0]] * count)

    def test_a_tokenizer_where_none_is_needed(self, tokenizer):
        clip = Clip("x", "x", "sdxl")
        with pytest.raises(MismatchedValues, match="SDXL reads prompts with CLIP-L and Open"):
            set_tokenizer(clip, file=tokenizer, ctx=FakeContext())

    def test_a_damaged_one(self, tmp_path):
        path = tmp_path / "tokenizer.json"
        path.write_text("{}")
        with pytest.raises(DamagedFile, match="This is no tokenizer"):
            set_tokenizer(Clip("x", "x", "auraflow"), file=path, ctx=FakeContext())


def test_other_bytes_are_another_result(root, tmp_path):
    """Of the second file and of the tokenizer too; under which names they lie does not matter."""
    catalog = load_packs(tmp_path).catalog
    environment = Environment("cpu", "fp32", "2", "math", {"core": "1"})

    def keys(second, tokenizer):
        rows = [{"file": "first"}, {"file": "second"}]
        graph = Graph.of(
            core("clip", "load_clip", files=rows, family="flux"),
            core("tokens", "set_tokenizer", clip=("clip", "clip"), file="tokenizer"),
            core("prompt", "encode_prompt", clip=("tokens", "clip"), text="a"),
        )
        assert check(graph, catalog) == []
        paths = {"first": files(root, "flux")[0], "second": second, "tokenizer": tokenizer}
        found = result_keys(
            graph, catalog, graph.nodes, environment, lambda _, name: content_id(paths[name])
        )
        return [key.digest for key in found.values()]

    t5, other_t5 = files(root, "flux")[1], files(root, "sd3")[2]
    first = encoders.write_tokenizer(tmp_path / "a.model")
    again = encoders.write_tokenizer(tmp_path / "b.model")
    other = tmp_path / "c.json"
    other.write_text(encoders.tokenizer_json(encoders.tokenizer_model()))
    assert keys(t5, first) == keys(t5, again)
    assert not set(keys(t5, first)) & set(keys(other_t5, first))
    assert keys(t5, first)[0] == keys(t5, other)[0]
    assert not set(keys(t5, first)[1:]) & set(keys(t5, other)[1:])
