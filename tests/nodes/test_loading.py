"""Text encoders and tokenizers as nodes give them: recipes that open, and what is refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import torch

from helpers import encoders, flows
from helpers.core_graphs import core
from helpers.node_context import FakeContext
from ponystudio.api import Clip, Conditioning
from ponystudio.diffusion.families import families
from ponystudio.diffusion.loading.load import load
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.devices import choose
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.engine.run_services import RunObserver
from ponystudio.errors import DamagedFile, MismatchedValues, MissingFile
from ponystudio.graph.model import Graph
from ponystudio.graph.result_keys import Environment, result_keys
from ponystudio.graph.validation import check
from ponystudio.library.formats.content_id import content_id
from ponystudio.library.model_folders import ModelFolders
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


@pytest.mark.parametrize("form", ["load_checkpoint", "load_clip"])
def test_another_tokenizer_beside_a_model_is_another_result(form, tmp_path):
    """It is found without being named, and counts as if it were a part of the model."""
    model = tmp_path / "model.safetensors"
    if form == "load_clip":
        encoders.write("auraflow", "pile_t5xl", model)
        node = core("clip", form, files=[{"file": str(model)}], family="auraflow")
    else:
        denoiser = {f"model.{name}": value for name, value in flows.original("auraflow").items()}
        encoders.write_checkpoint("auraflow", model, **denoiser)
        node = core("clip", form, file=str(model))
    graph = Graph.of(node, core("prompt", "encode_prompt", clip=("clip", "clip"), text="a  pony"))
    request = RunRequest(graph, ModelFolders([tmp_path]), tmp_path, tmp_path, targets=("prompt",))
    first = encoders.tokenizer_model()
    plans, contexts = [], []

    class Keep(RunObserver):
        def on_result(self, step, outputs, seconds):
            contexts.extend(
                x.entries[0].context for x in outputs.values() if isinstance(x, Conditioning)
            )

    engine = Engine(load_packs(tmp_path), choose("cpu", "fp32"), emit=lambda _: None)
    with closing(engine):
        for content in (first, first, encoders.tokenizer_json(first).encode(), first):
            (tmp_path / "tokenizer.model").write_bytes(content)
            plans.append(engine.explain(request))
            engine.run(request, observer=Keep())
    assert [said["prompt"].status for said in plans] == ["runs", "cached"] * 2
    assert plans[2]["clip"].detail.endswith("other content")
    before, after = contexts
    assert not torch.allclose(before, after)


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
