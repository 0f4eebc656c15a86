"""Merged models: what their weights are, what comes before and after them, and what is refused."""

from __future__ import annotations

import json
import shutil
from contextlib import closing

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers import checkpoints, flows, mixtures
from helpers.core_graphs import checkpoint, core, picture
from helpers.mixtures import UNET, mixed
from helpers.node_context import FakeContext
from helpers.seed_models import hints, state
from ponystudio.api import Clip, Merge, Model, Patch, Predicts, Rescaled
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.diffusion.loading.part_weights import mix
from ponystudio.engine.cache.result_codec import decode, encode
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.allocation_limit import AllocationLimit
from ponystudio.engine.memory.devices import choose
from ponystudio.engine.memory.weights_pool import WeightsPool, weights_of
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.preflight import check_models
from ponystudio.engine.protocol.run_events import WeightsEvent
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.errors import MismatchedValues, StorageFull
from ponystudio.graph.model import Graph
from ponystudio.graph.validation import check
from ponystudio.library.formats.content_id import content_id
from ponystudio.library.formats.weights_file import open_weights
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes import merging


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture
def pool():
    pool = WeightsPool(
        choose("cpu", "fp32"),
        budget=10**10,
        emit=lambda _: None,
        allocation_limit=AllocationLimit(active=False),
    )
    yield pool
    pool.close_idle()


def recipe(path, family, kind=Model):
    return kind(str(path), f"content of {path.name}", family)


def models(family, folder):
    return [recipe(path, flows.family_of(family)) for path in mixtures.pair(family, folder)]


def weights(pool, recipe):
    with pool.open(recipe, check=lambda: None) as network:
        return {name: value.clone() for name, value in network.module.named_parameters()}


def by_hand(pool, recipe, folder, formula):
    """The weights of a file that was merged without us."""
    a, b = (load_file(path) for path in mixtures.pair(recipe.family, folder))
    if isinstance(recipe, Model):
        a = {name: value for name, value in a.items() if name.startswith(UNET)}
    path = folder / "by hand.safetensors"
    save_file(mixed(a, b, formula), path, metadata=hints(recipe.family))
    return weights(pool, type(recipe)(str(path), str(formula), recipe.family))


def same(ours, theirs):
    """But for the last bit of half precision."""
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.allclose(value, theirs[name], rtol=2**-10, atol=2**-14), name


@pytest.mark.parametrize(
    ("how", "ratio", "wanted"),
    [
        ("weighted", 0.25, [2.5, 4.25, 6]),
        ("add", 1.0, [4, 7, 10]),
        ("subtract", 0.5, [-1, -1.5, -2]),
    ],
)
def test_the_arithmetic(how, ratio, wanted):
    a, b = torch.tensor([1.0, 2, 3]), torch.tensor([3.0, 5, 7])
    mix(how, ratio, a, b)
    assert a.tolist() == wanted


class TestWeights:
    @pytest.mark.parametrize("family", ["sdxl", "flux", "sd3.5"])
    def test_are_those_of_a_merge_by_hand(self, pool, folder, family, tmp_path):
        a, b = models(family, folder)
        merged = merging.merge_models(a, b, ratio=0.25, ctx=FakeContext())
        first, second = load_file(a.path), load_file(b.path)
        path = tmp_path / "by hand.safetensors"
        merge = mixed(first, second, lambda _, a, b: 0.25 * a + 0.75 * b)
        save_file(merge, path, metadata=mixtures.said(family))
        same(weights(pool, merged), weights(pool, recipe(path, a.family)))

    def test_have_the_ratio_of_the_longest_beginning(self, pool, folder):
        a, b = models("sdxl", folder)
        ratios = (("", "", 0.5), ("input_blocks.", "", 1.0), ("input_blocks.4.1.", "", 0.0))
        merged = a.with_patch(Merge(b, "weighted", ratios))

        def formula(name, a, b):
            if name.startswith(f"{UNET}input_blocks.4.1."):
                return b
            return a if name.startswith(f"{UNET}input_blocks.") else (a + b) / 2

        same(weights(pool, merged), by_hand(pool, a, folder, formula))

    def test_of_single_blocks_and_layers(self, pool, folder):
        a, b = models("sdxl", folder)
        text = "IN04: 0\nOUT03-OUT05 = 0.25, M00:attn2: 0"
        merged = merging.merge_models(a, b, ratio=1.0, blocks=text, ctx=FakeContext())

        def formula(name, a, b):
            layer = name.removeprefix(UNET)
            if layer.startswith(("output_blocks.3.", "output_blocks.4.", "output_blocks.5.")):
                return 0.25 * a + 0.75 * b
            middle = layer.startswith("middle_block.") and "attn2" in layer
            return b if middle or layer.startswith("input_blocks.4.") else a

        same(weights(pool, merged), by_hand(pool, a, folder, formula))

    def test_a_list_of_block_weights_counts_the_share_of_the_second(self, pool, folder):
        a, b = models("sdxl", folder)
        alphas = [1.0, *[k / 19 for k in range(19)]]
        merged = merging.merge_models(
            a, b, blocks=",".join(map(str, alphas)), share="second", ctx=FakeContext()
        )

        def formula(name, a, b):
            kind, n, *_ = name.removeprefix(UNET).split(".")
            first = {"input_blocks": 0, "middle_block": 9, "output_blocks": 10, "out": 18}
            n = first.get(kind, 0) + (int(n) if kind in ("input_blocks", "output_blocks") else 0)
            return (1 - n / 19) * a + n / 19 * b

        same(weights(pool, merged), by_hand(pool, a, folder, formula))

    def test_what_was_learned_is_added_to_a_model_for_inpainting(self, pool, folder, tmp_path):
        tuned, base = models("sd1", folder)
        wide = state("sd1", in_channels=9)
        save_file(wide, tmp_path / "inpainting.safetensors")
        inpainting = recipe(tmp_path / "inpainting.safetensors", "sd1")
        made = weights(
            pool, merging.add_difference(inpainting, tuned, base, ratio=0.5, ctx=FakeContext())
        )
        first = f"{UNET}input_blocks.0.0.weight"
        a, b = (load_file(model.path)[first].float() for model in (tuned, base))
        wanted = wide[first].float()
        wanted[:, :4] += 0.5 * (a - b)
        assert torch.allclose(made["conv_in.weight"], wanted, rtol=2**-10, atol=2**-12)
        parts = merging.subtract_models(tuned, base, multiplier=0.5, ctx=FakeContext())
        same(weights(pool, merging.add_models(inpainting, parts, ctx=FakeContext())), made)

    def test_of_text_encoders(self, pool, folder):
        a, b = (recipe(path, "sdxl", Clip) for path in mixtures.pair("sdxl", folder))
        merged = merging.merge_clips(a, b, how="add", ratio=0.5)
        same(weights(pool, merged), by_hand(pool, a, folder, lambda _, a, b: a + 0.5 * b))


class TestOrder:
    def test_a_lora_before_a_merge_is_in_what_is_mixed(self, pool, folder, tmp_path):
        a, b = models("sd1", folder)
        lora = Patch(str(checkpoints.micro_lora(tmp_path / "lora.safetensors")), "lora", 2.0)
        plain, patched = weights(pool, a), weights(pool, a.with_patch(lora))
        second, second_patched = weights(pool, b), weights(pool, b.with_patch(lora))
        half = (("", "", 0.25),)
        name = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight"
        for recipe_, wanted in (
            (a.with_patch(Merge(b, "weighted", half)).with_patch(lora), (plain, second, 1)),
            (a.with_patch(Merge(b.with_patch(lora), "weighted", half)), (plain, second_patched, 0)),
            (
                a.with_patch(lora).with_patch(Merge(b, "weighted", half)).with_patch(lora),
                (patched, second, 1),
            ),
        ):
            one, two, on_top = wanted
            made = 0.25 * one[name] + 0.75 * two[name] + on_top * (patched[name] - plain[name])
            assert torch.allclose(weights(pool, recipe_)[name], made, rtol=2**-10, atol=2**-12)

    def test_a_merge_is_a_state_of_one_network(self, pool, folder):
        a, b = models("sd1", folder)
        plain = weights(pool, a)
        merged = merging.merge_models(a, b, ratio=0.5, ctx=FakeContext())
        assert not torch.equal(weights(pool, merged)["conv_in.weight"], plain["conv_in.weight"])
        assert all(torch.equal(value, plain[name]) for name, value in weights(pool, a).items())
        assert len(pool._entries) == 1

    def test_blocks_that_come_and_go_are_merged_alike(self, pool, folder, monkeypatch):
        a, b = models("flux", folder)
        merged = merging.merge_models(a, b, ratio=0.3, ctx=FakeContext())
        whole = weights(pool, merged)
        pool.close_idle()
        monkeypatch.setattr(type(pool), "_room", lambda *_: 0)
        with pool.open(merged, check=lambda: None) as network:
            block = network.stream.blocks[0]
            found = network.stream._bring(block, None)
        assert all(torch.equal(value, whole[name]) for name, value in found.items())


def test_a_merge_is_kept_as_a_result(folder):
    a, b = models("sd1", folder)
    merged = merging.merge_models(a, b.with_patch(Patch("/lora", "lora's", 0.5)), ctx=FakeContext())
    assert decode(encode(merged, {}))[0] == merged
    contents = [content for _, content in merged.files]
    assert contents == ["content of sd1 A.safetensors", "content of sd1 B.safetensors", "lora's"]
    assert [lora.path for lora in merged.loras] == ["/lora"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("blocks", "said"),
        [
            ("IN12: 0.5", "no block 'IN12'; it has IN00, IN01"),
            ("IN04:attn9: 0.5", "No layer of IN04 has 'attn9' in its name"),
            ("IN04", "'IN04' gives no ratio"),
            ("0.5, 0.5, 1", "are 3 ratios, and this model has 25 blocks"),
            ("BASE: 1", "BASE is the text encoder"),
        ],
    )
    def test_of_what_is_said_of_blocks(self, folder, blocks, said):
        a, b = models("sd1", folder)
        with pytest.raises(MismatchedValues, match=said) as refused:
            merging.merge_models(a, b, blocks=blocks, ctx=FakeContext())
        assert refused.value.socket == "blocks"

    def test_of_another_family_size_or_prediction(self, folder, tmp_path):
        a, b = models("sd1", folder)
        with pytest.raises(MismatchedValues, match=r"One is of Stable Diffusion 1.* other of SDXL"):
            merging.merge_models(a, models("sdxl", folder)[0], ctx=FakeContext())
        with pytest.raises(MismatchedValues, match=r"layer .* is .* there"):
            merging.add_models(
                *(models(name, folder)[0] for name in ("sd3", "sd3.5")), ctx=FakeContext()
            )
        chosen = Model(b.path, b.content, "sd1", options=(("prediction", "v"),))
        for velocity in (chosen, b.with_modifier(Predicts("v"))):
            with pytest.raises(MismatchedValues, match="first model predicts noise and the second"):
                merging.merge_models(a, velocity, ctx=FakeContext())

    def test_what_does_not_concern_weights_is_told(self, folder):
        a, b = models("sd1", folder)
        ctx = FakeContext()
        merged = merging.merge_models(
            a.with_modifier(Rescaled(0.5)), b.with_modifier(Rescaled(0.7)), ctx=ctx
        )
        assert merged.modifiers == (Rescaled(0.5),)
        assert merged.patches[0].other == b
        assert ctx.notes == [
            "What changes sd1 B.safetensors while it samples is no matter of its weights, and not"
            " merged."
        ]


class TestGraphs:
    @pytest.fixture
    def root(self, folder, tmp_path):
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "checkpoints").symlink_to(folder)
        (tmp_path / "models" / "loras").mkdir()
        checkpoints.micro_lora(tmp_path / "models" / "loras" / "lora.safetensors")
        mixtures.pair("sd1", folder)
        mixtures.pair("sdxl", folder)
        return tmp_path

    def sources(self, **merge):
        return (
            *checkpoint("sd1 A.safetensors"),
            core("other", "load_checkpoint", file="sd1 B.safetensors"),
            core(
                "merge",
                "merge_models",
                model=("checkpoint", "model"),
                other=("other", "model"),
                **merge,
            ),
        )

    def test_a_merge_paints_and_another_ratio_loads_nothing(self, root):
        events, packs = [], load_packs(root / "none")
        folders = ModelFolders([root / "models"])
        latents = []
        with closing(Engine(packs, choose("cpu", "fp32"), emit=events.append)) as engine:
            for ratio in (0.25, 0.75):
                events.clear()
                graph = Graph.of(*picture(*self.sources(ratio=ratio), model="merge"))
                assert check_models(graph, packs, folders, graph.nodes) == []
                engine.run(RunRequest(graph, folders, root, root / "previews"))
                latents.append(read_latent(max(root.glob("*.latent")))[0])
        assert latents[0].isfinite().all()
        assert not torch.allclose(latents[0], latents[1], atol=1e-2)
        done = [event.action for event in events if isinstance(event, WeightsEvent)]
        assert done == ["patch"]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"blocks": "IN99: 1"}, "This model has no block 'IN99'"),
            ({"other": ("foreign", "model")}, "their weights have nothing in common"),
        ],
    )
    def test_what_is_wrong_is_told_before_the_run(self, root, change, said):
        packs, folders = load_packs(root / "none"), ModelFolders([root / "models"])
        foreign = core("foreign", "load_checkpoint", file="sdxl A.safetensors")
        nodes = (foreign, *self.sources())
        merge = core(
            "merge",
            "merge_models",
            **{"model": ("checkpoint", "model"), "other": ("other", "model"), **change},
        )
        graph = Graph.of(*picture(*nodes[:-1], merge, model="merge"))
        (error,) = check_models(graph, packs, folders, graph.nodes)
        assert said in error.what
        assert (error.node, error.socket) == ("merge", next(iter(change)))

    def test_a_lora_may_change_the_model_alone(self, root):
        packs, folders = load_packs(root / "none"), ModelFolders([root / "models"])
        lora = core("lora", "apply_lora", model=("checkpoint", "model"), file="lora.safetensors")
        nodes = (*checkpoint("sd1 A.safetensors"), lora)
        graph = Graph.of(*picture(*nodes, model="lora"))
        assert check_models(graph, packs, folders, graph.nodes) == []
        with closing(Engine(packs, choose("cpu", "fp32"), emit=lambda _: None)) as engine:
            engine.run(RunRequest(graph, folders, root, root / "previews"))
        wrong = Graph.of(*picture(*nodes, model="lora", clip="lora"))
        errors = check_models(wrong, packs, folders, wrong.nodes)
        assert {(error.node, error.socket) for error in errors} == {
            ("positive", "clip"),
            ("negative", "clip"),
        }
        assert "lora passes on no clip" in errors[0].what


class TestSaving:
    @pytest.fixture
    def root(self, folder, tmp_path):
        (tmp_path / "models" / "loras").mkdir(parents=True)
        (tmp_path / "models" / "checkpoints").symlink_to(folder)
        checkpoints.micro_lora(tmp_path / "models" / "loras" / "lora.safetensors")
        mixtures.pair("sd1", folder)
        return tmp_path

    def made(self, **saving):
        """Two checkpoints and a LoRA; their text encoders merged too."""
        return (
            *checkpoint("sd1 A.safetensors"),
            core("other", "load_checkpoint", file="sd1 B.safetensors"),
            core(
                "merge",
                "merge_models",
                model=("checkpoint", "model"),
                other=("other", "model"),
                blocks="IN: 0.25\nM00: 1",
            ),
            core("clip", "merge_clips", clip=("checkpoint", "clip"), other=("other", "clip")),
            core(
                "lora",
                "apply_lora",
                model=("merge", "model"),
                clip=("clip", "clip"),
                file="lora.safetensors",
                strength=0.8,
            ),
            core(
                "save_checkpoint",
                "save_checkpoint",
                model=("lora", "model"),
                clip=("lora", "clip"),
                vae=("checkpoint", "vae"),
                **saving,
            ),
        )

    def run(self, root, *nodes):
        packs, folders = load_packs(root / "none"), ModelFolders([root / "models"])
        graph = Graph.of(*nodes)
        assert check_models(graph, packs, folders, graph.nodes) == []
        with closing(Engine(packs, choose("cpu", "fp32"), emit=lambda _: None)) as engine:
            engine.run(RunRequest(graph, folders, root, root / "previews"))

    def test_a_saved_merge_paints_what_the_graph_painted(self, root):
        nodes = self.made(prefix="merges/of_%date:yyyy%", title="Both", author="A. Nobody")
        self.run(root, *picture(*nodes, model="lora", clip="lora"))
        (path,) = (root / "merges").iterdir()
        live = read_latent(max(root.glob("*.latent")))[0]
        self.run(root, *picture(*checkpoint(str(path))))
        assert torch.equal(read_latent(max(root.glob("*.latent")))[0], live)

        with open_weights(path) as file:
            said = file.metadata
        assert said["modelspec.title"] == "Both"
        assert said["modelspec.architecture"] == "stable-diffusion-v1"
        assert said["modelspec.merged_from"].startswith(
            "sd1 A.safetensors, sd1 B.safetensors, lora"
        )
        recipe = json.loads(said["sd_merge_recipe"])
        merge, lora = recipe["model"]["steps"]
        assert merge["with"]["file"] == "sd1 B.safetensors"
        assert ["middle_block.", "", 1.0] in merge["ratios"]
        assert (lora["lora"]["file"], lora["strength"]) == ("lora.safetensors", 0.8)
        b = content_id(root / "models" / "checkpoints" / "sd1 B.safetensors")
        assert merge["with"]["sha256"] == b
        assert json.loads(said["sd_merge_models"])[b] == {"name": "sd1 B.safetensors"}
        assert "merge_models" in said["ponystudio.graph"]

    def test_a_full_disk_is_told_before_anything_is_written(self, root, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 1000))
        with pytest.raises(StorageFull, match="bytes are needed"):
            self.run(root, *self.made())
        assert not list(root.glob("checkpoints/*"))

    def test_without_anything_to_save_or_of_two_families(self, root, folder):
        mixtures.pair("sdxl", folder)
        packs, folders = load_packs(root / "none"), ModelFolders([root / "models"])
        alone = Graph.of(core("save", "save_checkpoint"))
        (error,) = check(alone, packs.catalog)
        assert error.what == "There is nothing for it to work on."
        other = core("other", "load_checkpoint", file="sdxl A.safetensors")
        save = core(
            "save", "save_checkpoint", model=("checkpoint", "model"), clip=("other", "clip")
        )
        graph = Graph.of(*checkpoint("sd1 A.safetensors"), other, save)
        (error,) = check_models(graph, packs, folders, graph.nodes)
        assert "The model is of Stable Diffusion 1, the text encoder of SDXL" in error.what


class TestComparing:
    def test_loras_and_merges_count(self, folder, tmp_path, monkeypatch):
        a, b = models("sd1", folder)
        ctx = FakeContext()
        monkeypatch.setattr(ctx, "weights", weights_of, raising=False)
        merged = merging.merge_models(a, b, ratio=0.5, blocks="M00: 1", ctx=ctx)
        lora = Patch(str(checkpoints.micro_lora(tmp_path / "lora.safetensors")), "lora", 1.0)
        found = {}
        for name, second in (("other", b), ("merged", merged), ("lora", a.with_patch(lora))):
            said = merging.compare_models(a, second, ctx=ctx)
            assert said.image.pixels.shape[:2] == (1, 3)
            rows = (line.rsplit("distance", 1) for line in said.text.splitlines())
            found[name] = {
                row[0].split()[0]: float(row[1].strip(" %")) for row in rows if len(row) == 2
            }
        assert found["merged"]["IN04"] == pytest.approx(found["other"]["IN04"] / 2, rel=0.01)
        assert found["merged"]["M00"] == 0
        assert found["lora"]["self-attention"] > 0 == found["lora"]["norms"]
        assert any("moved" in note or "strangers" in note for note in ctx.notes)

    def test_one_text_encoder_is_not_enough(self, folder, monkeypatch):
        a, _ = models("sdxl", folder)
        clip = recipe(mixtures.pair("sdxl", folder)[0], "sdxl", Clip)
        ctx = FakeContext()
        monkeypatch.setattr(ctx, "weights", weights_of, raising=False)
        assert "text encoder" not in merging.compare_models(a, a, clip, ctx=ctx).text
        assert "Only one text encoder" in ctx.notes[0]
        assert "OpenCLIP-bigG 00" in merging.compare_models(a, a, clip, clip, ctx=ctx).text
