"""LoRAs of AuraFlow, FLUX.1 and SD3: the weights under their original names become what the formula
says of them, whether they are one layer here or several.
"""

from __future__ import annotations

import re
from contextlib import closing

import pytest
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from safetensors.torch import save_file

from helpers import flows
from ponystudio.diffusion.families import families, find_family
from ponystudio.diffusion.loading import lora_patching
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.lora import lora_file
from ponystudio.errors import MismatchedValues, UnsupportedModel

NETWORKS = ("auraflow", "flux-dev", "sd3", "sd3.5")
RANK, ALPHA, STRENGTH = 3, 2.0, 0.7
KOHYA = ("lora_up.weight", "lora_down.weight")
PEFT = ("lora_B.weight", "lora_A.weight")


def flattened(prefix):
    return lambda layer: prefix + layer.replace(".", "_")


def dotted(prefix):
    return lambda layer: prefix + layer


# How a file calls a layer of the original network, or one of ours, and its two matrices.
ORIGINAL = {
    "kohya": (flattened("lora_unet_"), KOHYA),
    "LyCORIS": (flattened("lycoris_"), KOHYA),
    "ComfyUI": (dotted("diffusion_model."), PEFT),
    "no prefix": (dotted(""), PEFT),
}
OURS = {
    "diffusers": (dotted("transformer."), PEFT),
    "PEFT": (dotted("base_model.model."), PEFT),
    "OneTrainer": (flattened("lora_transformer_"), KOHYA),
    "LyCORIS": (flattened("lycoris_"), KOHYA),
    "kohya": (flattened("lora_unet_"), KOHYA),
}


@pytest.fixture(scope="module", params=NETWORKS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def denoiser(name, tmp_path_factory):
    with closing(opened(name, tmp_path_factory.mktemp("flows"))) as network:
        yield network


@pytest.fixture(scope="module")
def flux(tmp_path_factory):
    with closing(opened("flux", tmp_path_factory.mktemp("flux"))) as network:
        yield network


def opened(name, folder):
    path = flows.write(name, folder / f"{name}.safetensors")
    return load(path, "model", device="cpu", dtype=torch.float32)


@pytest.fixture
def patched(tmp_path):
    """Applies a LoRA of the given tensors; the network is as before after the test."""
    touched = []

    def patched(network, tensors, strength=STRENGTH):
        path = tmp_path / "lora.safetensors"
        save_file({key: value.contiguous() for key, value in tensors.items()}, path)
        if network not in touched:
            touched.append(network)
        with closing(lora_file.read(path)) as file:
            done = lora_patching.apply(network, [(file, strength)])
        assert not done.unmatched
        return network.module.state_dict()

    yield patched
    for network in touched:
        lora_patching.restore(network)


def drawn(*shape, seed=0):
    seed += sum(n * 31**i for i, n in enumerate(shape))
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.3


def pair(shape, seed, rank=RANK):
    """up and down of a layer, linear or a convolution, and their product."""
    out, *inner = shape
    up, down = drawn(out, rank, seed=seed), drawn(rank, *inner, seed=seed + 1)
    product = torch.einsum("or,r...->o...", up, down)
    return up.view(out, rank, *[1] * len(inner[1:])), down, product


def adapter(state, naming):
    """A LoRA of every layer of `state` that has a matrix; layer → Δ."""
    called, (upward, downward) = naming
    tensors, products = {}, {}
    for seed, (key, value) in enumerate(state.items()):
        layer, _, leaf = key.rpartition(".")
        if leaf == "weight" and value.ndim > 1:
            up, down, product = pair(value.shape, seed)
            tensors[f"{called(layer)}.{upward}"] = up
            tensors[f"{called(layer)}.{downward}"] = down
            tensors[f"{called(layer)}.alpha"] = torch.tensor(ALPHA)
            products[key] = ALPHA / RANK * product
    assert len(products) > 20
    return tensors, products


def check(state, before, products, strength=STRENGTH):
    """That the products are in the weights, and nothing else is."""
    assert state.keys() == before.keys()
    for key, value in state.items():
        if key in products:
            torch.testing.assert_close(
                value, before[key] + strength * products[key], rtol=1e-5, atol=1e-5
            )
        else:
            assert torch.equal(value, before[key]), key


class TestEveryLayer:
    @pytest.mark.parametrize("naming", ORIGINAL)
    def test_under_its_original_name(self, naming, name, denoiser, patched):
        before = flows.original(name)
        tensors, products = adapter(before, ORIGINAL[naming])
        after = flows.originals(name, patched(denoiser, tensors))
        check(after, before, products)

    @pytest.mark.parametrize("naming", OURS)
    def test_under_diffusers_name(self, naming, name, denoiser, patched):
        before = flows.network(name).state_dict()
        tensors, products = adapter(before, OURS[naming])
        check(patched(denoiser, tensors), before, products)

    def test_and_its_bias(self, name, denoiser, patched):
        before = flows.original(name)
        biases = {key: value for key, value in before.items() if key.endswith(".bias")}
        added = {key: drawn(*value.shape, seed=n) for n, (key, value) in enumerate(biases.items())}
        called = flattened("lora_unet_")
        tensors = {called(k.removesuffix(".bias")) + ".diff_b": v for k, v in added.items()}
        after = flows.originals(name, patched(denoiser, tensors))
        check(after, before, added)

    def test_and_what_is_no_layer(self, name, denoiser, patched):
        """Norms and tables of parameters, by their whole difference."""
        state = flows.original(name)
        odd = [k for k in state if not k.endswith((".weight", ".bias")) and k != "pos_embed"]
        odd += [k for k in state if k.endswith("weight") and state[k].ndim == 1]
        assert bool(odd) == (name != "sd3")
        added = {key: drawn(*state[key].shape) for key in odd}
        tensors = {f"diffusion_model.{k.removesuffix('.weight')}.diff": v for k, v in added.items()}
        if odd:
            check(flows.originals(name, patched(denoiser, tensors)), state, added)

    @pytest.mark.parametrize("strength", [1.0, -0.5])
    def test_at_another_strength_and_without_it_again(self, strength, name, denoiser, patched):
        before = flows.original(name)
        tensors, products = adapter(before, ORIGINAL["kohya"])
        check(flows.originals(name, patched(denoiser, tensors)), before, products)
        after = flows.originals(name, patched(denoiser, tensors, strength))
        check(after, before, products, strength)
        lora_patching.apply(denoiser, [])
        assert not denoiser.patched
        check(flows.originals(name, denoiser.module.state_dict()), before, {})

    def test_changes_the_picture(self, name, denoiser, patched):
        inputs = flows.told(name)
        plain = denoiser(**inputs)
        tensors, _ = adapter(flows.original(name), ORIGINAL["kohya"])
        patched(denoiser, tensors, 0.1)
        assert not torch.allclose(denoiser(**inputs), plain, atol=1e-2)
        lora_patching.restore(denoiser)
        assert torch.equal(denoiser(**inputs), plain)


def test_three_layers_apart_are_one_together(flux, patched):
    """Block-diagonal ups over stacked downs, as trainers merge what they trained apart."""
    pairs = [pair((32, 32), seed) for seed in (10, 20, 30)]
    names = [f"transformer.transformer_blocks.1.attn.to_{x}" for x in "qkv"]
    apart = {f"{n}.{leaf}": x for n, p in zip(names, pairs, strict=True)
             for leaf, x in zip(PEFT, p, strict=False)}  # fmt: skip
    one = "lora_unet_double_blocks_1_img_attn_qkv"
    together = {
        f"{one}.lora_up.weight": torch.block_diag(*(up for up, _, _ in pairs)),
        f"{one}.lora_down.weight": torch.cat([down for _, down, _ in pairs]),
    }
    first = {key: value.clone() for key, value in patched(flux, apart).items()}
    second = patched(flux, together)
    assert len(flux.patched) == 3
    for key, value in second.items():
        torch.testing.assert_close(value, first[key], rtol=1e-6, atol=1e-6)


# Layers that are cut, or whose halves stand the other way round.
FUSED = {
    "flux": (
        "double_blocks.0.txt_attn.qkv",
        "single_blocks.2.linear1",
        "final_layer.adaLN_modulation.1",
    ),
    "sd3.5": (
        "joint_blocks.1.x_block.attn2.qkv",
        "joint_blocks.2.context_block.adaLN_modulation.1",
    ),
    "auraflow": ("modF.1",),
}


def loha(out, inner):
    a, b, c, d = drawn(out, 2), drawn(2, inner), drawn(out, 2, seed=1), drawn(2, inner, seed=1)
    roles = {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d}
    return {**roles, "alpha": torch.tensor(3.0)}, lambda w: w + 3 / 2 * (a @ b) * (c @ d)


def lokr(out, inner):
    left, right = drawn(2, 4), drawn(out // 2, inner // 4)
    product = torch.einsum("ab,cd->acbd", left, right).reshape(out, inner)
    return {"lokr_w1": left, "lokr_w2": right}, lambda w: w + product


def lokr_factored(out, inner):
    left, a, b = drawn(2, 4), drawn(out // 2, 2), drawn(2, inner // 4)
    product = torch.einsum("ab,cd->acbd", left, a @ b).reshape(out, inner)
    roles = {"lokr_w1": left, "lokr_w2_a": a, "lokr_w2_b": b, "alpha": torch.tensor(1.0)}
    return roles, lambda w: w + product / 2


def whole(out, inner):
    return {"diff": drawn(out, inner)}, lambda w: w + drawn(out, inner)


def with_lengths(kind):
    def made(out, inner):
        roles, changed = kind(out, inner)
        lengths = drawn(out, 1).abs() + 1

        def turned(w):
            v = changed(w)
            return v * lengths / v.norm(dim=1, keepdim=True)

        return {**roles, "dora_scale": lengths}, turned

    return made


def low_rank(out, inner):
    up, down, product = pair((out, inner), 7)
    return {"lora_up.weight": up, "lora_down.weight": down}, lambda w: w + product


KINDS = {
    "LoHa": loha,
    "LoKr": lokr,
    "LoKr, factored": lokr_factored,
    "whole difference": whole,
    "DoRA": with_lengths(low_rank),
    "DoRA of a LoHa": with_lengths(loha),
    "DoRA of a whole difference": with_lengths(whole),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "layer"), [(name, layer) for name, found in FUSED.items() for layer in found]
)
def test_every_kind_on_a_layer_that_is_cut(name, layer, kind, patched, tmp_path):
    before = flows.original(name)
    w = before[f"{layer}.weight"]
    roles, changed = KINDS[kind](*w.shape)
    tensors = {f"{flattened('lora_unet_')(layer)}.{role}": x for role, x in roles.items()}
    with closing(opened(name, tmp_path)) as network:
        after = flows.originals(name, patched(network, tensors))
        check(after, before, {f"{layer}.weight": changed(w) - w})
        lora_patching.restore(network)


class TestLengthsOfColumns:
    def tensors(self, layer, shape):
        up, down, _ = pair(shape, 0)
        return {
            f"diffusion_model.{layer}.lora_B.weight": up,
            f"diffusion_model.{layer}.lora_A.weight": down,
            f"diffusion_model.{layer}.dora_scale": torch.full((1, shape[1]), 2.0),
        }

    def test_need_all_the_rows(self, flux, patched):
        tensors = self.tensors("double_blocks.0.img_attn.qkv", (96, 32))
        with pytest.raises(UnsupportedModel, match=r"columns of .*img_attn_qkv.*several here"):
            patched(flux, tensors)
        assert not flux.patched

    def test_do_not_mind_their_order(self, flux, patched):
        state = patched(flux, self.tensors("final_layer.adaLN_modulation.1", (64, 32)), 1.0)
        torch.testing.assert_close(
            state["norm_out.linear.weight"].norm(dim=0), torch.full((32,), 2.0)
        )


def xlabs(block, layer, shape, seed):
    up, down, product = pair(shape, seed)
    name = f"{block}.processor.{layer}"
    return {f"{name}.up.weight": up, f"{name}.down.weight": down}, product


# Their layers, what they are of the original, and how many of its rows.
XLABS = {
    ("double_blocks.1", "qkv_lora1"): ("double_blocks.1.img_attn.qkv", 96, 32),
    ("double_blocks.1", "qkv_lora2"): ("double_blocks.1.txt_attn.qkv", 96, 32),
    ("double_blocks.0", "proj_lora1"): ("double_blocks.0.img_attn.proj", 32, 32),
    ("double_blocks.0", "proj_lora2"): ("double_blocks.0.txt_attn.proj", 32, 32),
    ("single_blocks.2", "qkv_lora"): ("single_blocks.2.linear1", 96, 32),
    ("single_blocks.2", "proj_lora"): ("single_blocks.2.linear2", 32, 160),
}


@pytest.mark.parametrize("prefix", ["", "diffusion_model."])
def test_processors_of_xlabs(prefix, flux, patched):
    before, tensors, products = flows.original("flux"), {}, {}
    for seed, ((block, layer), (theirs, *shape)) in enumerate(XLABS.items()):
        made, product = xlabs(prefix + block, layer, shape, seed)
        tensors |= made
        # Of a single block's first layer the rows of q, k and v come first.
        products[f"{theirs}.weight"] = torch.zeros_like(before[f"{theirs}.weight"])
        products[f"{theirs}.weight"][: len(product)] = product
    check(flows.originals("flux", patched(flux, tensors)), before, products)


def diffusers_flux():
    """FLUX of one block each, of full width: diffusers' converters know no other."""
    with torch.device("meta"):
        return FluxTransformer2DModel(num_layers=1, num_single_layers=1, guidance_embeds=True)


def of_full_width(layers, called, suffixes=KOHYA, alpha=4.0):
    tensors = {}
    for seed, (layer, (out, inner)) in enumerate(layers.items()):
        up, down = drawn(out, 2, seed=seed), drawn(2, inner, seed=seed)
        tensors |= {f"{called(layer)}.{suffixes[0]}": up, f"{called(layer)}.{suffixes[1]}": down}
        if alpha:
            tensors[f"{called(layer)}.alpha"] = torch.tensor(alpha)
    return tensors


class TestAgainstDiffusers:
    """Its converters of FLUX's dialects give the same matrices for the same layers."""

    def compare(self, tensors, tmp_path, changed):
        save_file(tensors, tmp_path / "lora.safetensors")
        module = diffusers_flux()
        with closing(lora_file.read(tmp_path / "lora.safetensors")) as file:
            deltas = file.for_module("model", module, find_family("flux")).deltas
        converted, alphas = FluxPipeline.lora_state_dict(dict(tensors), return_alphas=True)
        assert not alphas
        theirs = {
            key.removeprefix("transformer.").replace(".lora_B", ""): key
            for key in converted
            if "lora_B" in key
        }
        assert theirs.keys() == deltas.keys()
        assert len(deltas) == changed
        for path, key in theirs.items():
            up, down = converted[key], converted[key.replace("lora_B", "lora_A")]
            x = drawn(down.shape[1])
            ours = deltas[path]
            torch.testing.assert_close(
                ours.scale * ours.up @ (ours.down @ x), up @ (down @ x), rtol=1e-4, atol=1e-4
            )

    def test_kohya(self, tmp_path):
        layers = {
            "double_blocks.0.img_attn.qkv": (9216, 3072),
            "double_blocks.0.txt_attn.qkv": (9216, 3072),
            "double_blocks.0.img_attn.proj": (3072, 3072),
            "double_blocks.0.txt_mlp.0": (12288, 3072),
            "double_blocks.0.img_mod.lin": (18432, 3072),
            "single_blocks.0.linear1": (21504, 3072),
            "single_blocks.0.linear2": (3072, 15360),
            "single_blocks.0.modulation.lin": (9216, 3072),
        }
        self.compare(of_full_width(layers, flattened("lora_unet_")), tmp_path, 3 + 3 + 3 + 4 + 2)

    def test_kohyas_last_layer(self, tmp_path):
        """Without an alpha, which diffusers passes over there."""
        layers = {
            "final_layer.linear": (64, 3072),
            "final_layer.adaLN_modulation.1": (6144, 3072),
        }
        tensors = of_full_width(layers, flattened("lora_unet_"), alpha=0)
        self.compare(tensors, tmp_path, 2)

    def test_onetrainer(self, tmp_path):
        layers = {
            "transformer_blocks.0.attn.to_q": (3072, 3072),
            "transformer_blocks.0.attn.add_v_proj": (3072, 3072),
            "single_transformer_blocks.0.attn.to_k": (3072, 3072),
            "x_embedder": (3072, 64),
            "norm_out.linear": (6144, 3072),
        }
        self.compare(of_full_width(layers, flattened("lora_transformer_")), tmp_path, 5)

    def test_xlabs(self, tmp_path):
        tensors = {}
        for seed, ((_, layer), (_, out, inner)) in enumerate(XLABS.items()):
            block = "double_blocks.0" if layer[-1] in "12" else "single_blocks.0"
            shape = (3072 * out // 32, 3072 * inner // 32)
            tensors |= xlabs(block, layer, shape, seed)[0]
        self.compare(tensors, tmp_path, 3 + 3 + 1 + 1 + 3 + 1)


# A layer that tells its base, by the title of that.
TELLING = {
    "Stable Diffusion 1": ("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k", 768),
    "SDXL": ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 2048),
    "FLUX.1": ("lora_unet_single_blocks_0_linear1", 3072),
    "AuraFlow": ("lora_unet_double_layers_0_attn_w1q", 3072),
    "Stable Diffusion 3": ("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536),
}
# The same of layers that several bases have, or whose names they share.
SHARED = {
    "FLUX.1": ("lora_transformer_transformer_blocks_0_attn_to_q", 3072),
    "Stable Diffusion 3": ("lora_transformer_transformer_blocks_0_attn_to_q", 1536),
    "AuraFlow": ("lora_transformer_single_transformer_blocks_0_norm1_linear", 3072),
}


def written(tmp_path, layer, width):
    up, down = torch.ones(64, 2), torch.ones(2, width)
    path = tmp_path / "lora.safetensors"
    save_file({f"{layer}.lora_up.weight": up, f"{layer}.lora_down.weight": down}, path)
    return path


class TestOtherBases:
    @pytest.mark.parametrize("wanted", ["sdxl", "flux", "auraflow", "sd3"])
    @pytest.mark.parametrize(
        ("base", "layer", "width"),
        [(base, *told) for table in (TELLING, SHARED) for base, told in table.items()],
    )
    def test_are_told_by_both_names(self, base, layer, width, wanted, tmp_path):
        path = written(tmp_path, layer, width)
        title = families()[wanted].title
        if title == base:
            assert lora_file.notes(path, wanted) == []
            return
        with pytest.raises(MismatchedValues) as caught:
            lora_file.notes(path, wanted)
        assert caught.value.what == f"This LoRA was made for {base}, the model is {title}."

    def test_a_layer_of_two_bases_is_refused_for_neither(self, tmp_path):
        path = written(tmp_path, "transformer.single_transformer_blocks.0.attn.to_q", 3072)
        for wanted in ("flux", "auraflow"):
            assert lora_file.notes(path, wanted) == []

    @pytest.mark.parametrize("base", TELLING)
    def test_do_not_fit_the_network(self, base, name, denoiser, tmp_path):
        family = denoiser.family
        with (
            closing(lora_file.read(written(tmp_path, *TELLING[base]))) as file,
            pytest.raises(MismatchedValues) as caught,
        ):
            file.for_module("model", denoiser.module, family)
        made_for = f"another model of {base}" if family.title == base else base
        said = re.escape(f"made for {made_for} and does not fit this model ({family.title}): ")
        assert re.search(said, caught.value.what)
        assert "\n" not in str(caught.value)

    def test_whose_layers_partly_fit(self, flux, tmp_path):
        """AuraFlow's single blocks share the names and widths of FLUX's."""
        names = ["single_transformer_blocks.0.attn.to_q", "joint_transformer_blocks.0.attn.to_q"]
        tensors = {}
        for called in names:
            up, down, _ = pair((32, 32), 0)
            tensors[f"transformer.{called}.lora_B.weight"] = up
            tensors[f"transformer.{called}.lora_A.weight"] = down
        save_file(tensors, tmp_path / "lora.safetensors")
        with (
            closing(lora_file.read(tmp_path / "lora.safetensors")) as file,
            pytest.raises(MismatchedValues, match=r"made for AuraFlow .*\(FLUX\.1\)"),
        ):
            file.for_module("model", flux.module, flux.family)

    @pytest.mark.parametrize("rows", [95, 97, 192])
    def test_a_fused_layer_of_other_rows(self, rows, flux, tmp_path):
        layer = "lora_unet_double_blocks_0_img_attn_qkv"
        tensors = {f"{layer}.{role}": x for role, x in loha(rows, 32)[0].items()}
        save_file(tensors, tmp_path / "lora.safetensors")
        with (
            closing(lora_file.read(tmp_path / "lora.safetensors")) as file,
            pytest.raises(MismatchedValues, match=r"attn.to_q.weight is \[32, 32\]"),
        ):
            file.for_module("model", flux.module, flux.family)

    def test_known_families_are_all_that_run(self):
        assert {find_family(n).title for n in ("sd1", "sdxl", "flux", "auraflow", "sd3")} == set(
            TELLING
        )
