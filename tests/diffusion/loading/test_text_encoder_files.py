"""Text encoders in files of their own: any layout, any order, and what is wrong in one line."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
import torch
from safetensors.torch import save_file

from helpers import encoders, flows
from helpers.sparse import write_sparse
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.loading.text_encoder_files import check, nouns
from ponystudio.errors import DamagedFile, MissingFile, UnsupportedModel, WrongKind
from ponystudio.library.convert import convert

FP32 = torch.float32
PROMPT = "a (pony:1.2) on the moon"
# Of true widths, by the shapes that tell what it is.
SHAPES = {
    "clip_l": {
        "text_model.embeddings.token_embedding.weight": [49408, 768],
        "text_model.encoder.layers.0.mlp.fc1.weight": [3072, 768],
    },
    "clip_g": {
        "text_model.embeddings.token_embedding.weight": [49408, 1280],
        "text_model.encoder.layers.0.mlp.fc1.weight": [5120, 1280],
    },
    "t5xxl": {"encoder.block.0.layer.1.DenseReluDense.wi_1.weight": [10240, 4096]},
    "pile_t5xl": {
        "encoder.block.0.layer.1.DenseReluDense.wi_1.weight": [5120, 2048],
        "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight": [32, 32],
    },
    "umt5_xxl": {
        "encoder.block.0.layer.1.DenseReluDense.wi_1.weight": [10240, 4096],
        "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight": [32, 64],
    },
    "vae": {"decoder.conv_in.weight": [512, 4, 3, 3]},
}


def encoded(name, first, *more, **options):
    told = [("family", name), *(("with", str(path)) for path in more), *options.items()]
    clip = load(first, "clip", device="cpu", dtype=FP32, options=told)
    found = clip.encode(PROMPT)
    clip.close()
    return found


def same(one, other):
    """But for the last bits: kernels differ by where in its page a tensor lies."""
    torch.testing.assert_close(one.context, other.context, rtol=1e-5, atol=1e-5)
    assert (one.pooled is None) == (other.pooled is None)
    if one.pooled is not None:
        torch.testing.assert_close(one.pooled, other.pooled, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Checkpoints, and each of their encoders alone."""
    root = tmp_path_factory.mktemp("encoders")
    for name, towers in encoders.TOWERS.items():
        encoders.write_checkpoint(name, root / f"{name}.safetensors")
        for tower in towers:
            encoders.write(name, tower, root / f"{name} {tower}.safetensors")
    encoders.write_tokenizer(root / "tokenizer.model")
    return root


@pytest.fixture(scope="module")
def whole(root):
    """By family, the prompt that the encoders of a whole file make."""
    return {name: encoded(name, root / f"{name}.safetensors") for name in encoders.TOWERS}


def alone(root, name):
    return [root / f"{name} {tower}.safetensors" for tower in encoders.TOWERS[name]]


@pytest.mark.parametrize("name", encoders.TOWERS)
def test_alone_in_any_order(root, whole, name):
    for files in permutations(alone(root, name)):
        same(encoded(name, *files), whole[name])


def test_a_checkpoint_and_what_it_lacks(root, whole, tmp_path):
    state = encoders.all_in_one("sd3")
    two = {k: v for k, v in state.items() if "t5xxl" not in k}
    save_file({**two, "vae.decoder.conv_in.weight": torch.zeros(1)}, tmp_path / "two.safetensors")
    t5 = root / "sd3 t5xxl.safetensors"
    same(encoded("sd3", tmp_path / "two.safetensors", t5), whole["sd3"])
    same(encoded("sd3", t5, tmp_path / "two.safetensors"), whole["sd3"])


def test_with_folders_of_one_encoder_alone(root, whole, tmp_path):
    """Each is described by its own config."""
    folder = encoders.write_folder("flux", tmp_path / "flux")
    for index, component in enumerate(("text_encoder", "text_encoder_2")):
        file = alone(root, "flux")[1 - index]
        same(encoded("flux", folder / component, file), whole["flux"])
        same(encoded("flux", file, folder / component), whole["flux"])


@pytest.mark.parametrize("name", ["flux", "sd3"])
def test_with_a_folder_of_one_encoder_that_was_made_one_file(root, name, tmp_path):
    """It says what it said there, as whichever encoder of a family it is read."""
    number = len(encoders.TOWERS[name])
    folder = encoders.write_folder(name, tmp_path / name) / f"text_encoder_{number}"
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_epsilon": 0.5}))
    convert(folder, tmp_path / "one.safetensors")
    *others, plain = alone(root, name)
    made = encoded(name, *others, tmp_path / "one.safetensors")
    same(made, encoded(name, *others, folder))
    assert not torch.allclose(made.context, encoded(name, *others, plain).context, atol=0.01)


def test_what_a_file_says_of_itself_is_for_its_own_encoder(root, whole, tmp_path):
    path = tmp_path / "clip_l.safetensors"
    said = {"text_encoder": {"hidden_act": "relu"}, "text_encoder_2": {"hidden_act": "tanh"}}
    metadata = {"ponystudio.config": json.dumps(said)}
    save_file(encoders.state("sd3", "clip_l"), path, metadata=metadata)
    changed = encoded("sd3", *alone(root, "sd3")[1:], path)
    width = 32
    off = (changed.context[:, :77] - whole["sd3"].context[:, :77]).abs()
    assert off[..., :width].max() > 0.1
    assert off[..., width:].max() < 1e-4


@pytest.mark.parametrize(("name", "tower"), [("flux", "t5xxl"), ("auraflow", "pile_t5xl")])
def test_in_llama_cpps_names(root, whole, tmp_path, name, tower):
    path = encoders.write_tokenizer(tmp_path / "tokenizer.model").with_name("t5.safetensors")
    save_file(dict(encoders.llama_cpp(encoders.state(name, tower))), path)
    others = [root / f"{name} {other}.safetensors" for other in encoders.TOWERS[name][:-1]]
    same(encoded(name, path, *others), whole[name])


def test_numbers_of_few_bits_with_a_scale(root, whole, tmp_path):
    state = encoders.state("flux", "t5xxl")
    stored = {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}
    for name, value in state.items():
        if name.endswith(("wi_0.weight", "wo.weight")):
            scale = value.abs().max() / 448
            stored[name] = (value / scale).to(torch.float8_e4m3fn)
            stored[name.replace(".weight", ".scale_weight")] = scale
        else:
            stored[name] = value
    save_file(stored, tmp_path / "t5.safetensors")
    found = encoded("flux", tmp_path / "t5.safetensors", alone(root, "flux")[0])
    off = (found.context - whole["flux"].context).norm() / whole["flux"].context.norm()
    assert 0 < off < 0.1


class TestTokenizers:
    """AuraFlow's; `test_sentence_pieces` has every place where one may lie."""

    @pytest.fixture
    def path(self, tmp_path):
        return encoders.write_checkpoint("auraflow", tmp_path / "pony.safetensors")

    def test_one_that_is_chosen(self, path, tmp_path, whole):
        own = encoders.write_tokenizer(tmp_path / "own" / "tokens.model")
        same(encoded("auraflow", path, tokenizer=str(own)), whole["auraflow"])

    def test_one_beside_a_further_file(self, whole, tmp_path):
        """The order of the files means nothing."""
        folder = tmp_path / "sd3"
        folder.mkdir()
        path = encoders.write("auraflow", "pile_t5xl", folder / "aura.safetensors")
        encoders.write_tokenizer(folder / "tokenizer.model")
        same(encoded("auraflow", path), whole["auraflow"])

    def test_one_among_the_tensors(self, tmp_path, whole):
        kept = torch.frombuffer(bytearray(encoders.tokenizer_model()), dtype=torch.uint8)
        path = encoders.write_checkpoint(
            "auraflow", tmp_path / "pony.safetensors", **{"text_encoders.spiece_model": kept}
        )
        same(encoded("auraflow", path), whole["auraflow"])

    def test_none(self, path):
        with pytest.raises(MissingFile, match=r"no tokenizer for Pile-T5-XL.*core\.set_tokenizer"):
            encoded("auraflow", path)

    def test_a_damaged_one(self, path, tmp_path):
        (tmp_path / "tokenizer.json").write_text("{}")
        with pytest.raises(DamagedFile, match=r"tokenizer\.json: This is no tokenizer"):
            encoded("auraflow", path)

    def test_another_models(self, path, tmp_path):
        from ponystudio_resources import path as resource

        shipped = resource("tokenizers", "t5", "spiece.model")
        with pytest.raises(UnsupportedModel, match=r"not that of Pile-T5-XL"):
            encoded("auraflow", path, tokenizer=str(shipped))


@pytest.fixture(scope="module")
def true_widths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("true")
    for name, shapes in SHAPES.items():
        write_sparse(folder / f"{name}.safetensors", shapes)
    return folder


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "files", "at", "said"),
        [
            ("sdxl", ["clip_l"], "clip_l", "There is no OpenCLIP-bigG in this file, and SDXL"),
            ("sdxl", ["clip_g"], "clip_g", "There is no CLIP-L in this file, and SDXL reads it"),
            ("flux", ["clip_l"], "clip_l", "There is no T5-XXL in this file, and FLUX.1"),
            ("sd3", ["clip_g", "t5xxl"], "clip_g", "There is no CLIP-L in these files"),
            ("sdxl", ["clip_l", "t5xxl"], "t5xxl",
             "This file holds T5-XXL, and SDXL reads CLIP-L and OpenCLIP-bigG."),
            ("sd3", ["clip_l", "clip_g", "pile_t5xl"], "pile_t5xl", "This file holds Pile-T5-XL"),
            ("auraflow", ["t5xxl"], "t5xxl", "holds T5-XXL, and AuraFlow reads Pile-T5-XL."),
            ("flux", ["umt5_xxl", "clip_l"], "umt5_xxl", "a text encoder of 4096 numbers a token"),
            ("sd2", ["clip_l"], "clip_l", "holds CLIP-L, and Stable Diffusion 2 reads OpenCLIP-H"),
            ("sd1", ["vae"], "vae", "holds no text encoder that is known here, and Stable"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit(self, true_widths, name, files, at, said):
        paths = [true_widths / f"{file}.safetensors" for file in files]
        with pytest.raises(WrongKind) as caught:
            check(paths, find_family(name))
        assert said in str(caught.value)
        assert at in caught.value.where
        assert "\n" not in str(caught.value)
        assert caught.value.remedy

    def test_two_of_the_same(self, true_widths, tmp_path):
        first = true_widths / "clip_l.safetensors"
        second = write_sparse(tmp_path / "again.safetensors", SHAPES["clip_l"])
        for paths in permutations([first, second]):
            with pytest.raises(WrongKind, match="This file holds CLIP-L, and so does") as caught:
                check(paths, find_family("sdxl"))
            assert caught.value.where == str(paths[1])
            assert paths[0].name in caught.value.what

    def test_a_file_that_is_not_there(self, true_widths, tmp_path):
        with pytest.raises(MissingFile):
            check([true_widths / "clip_l.safetensors", tmp_path / "gone"], find_family("sdxl"))

    def test_those_that_fit_pass(self, true_widths):
        paths = [true_widths / f"{name}.safetensors" for name in ("t5xxl", "clip_g", "clip_l")]
        check(paths, find_family("sd3"))
        check(paths[1:], find_family("sd3"))
        check(paths[1:], find_family("sdxl"))

    def test_a_lost_tensor_is_named(self, root, tmp_path):
        state = encoders.state("flux", "t5xxl")
        lost = [name for name in state if name.endswith("block.1.layer.0.SelfAttention.v.weight")]
        save_file({k: v for k, v in state.items() if k not in lost}, tmp_path / "t5.safetensors")
        files = [tmp_path / "t5.safetensors", alone(root, "flux")[0]]
        for paths in permutations(files):
            with pytest.raises(
                DamagedFile, match=r"lacks 1 of its tensors.*block\.1.*SelfAttention\.v"
            ) as caught:
                encoded("flux", *paths)
            assert caught.value.where == str(files[0])

    def test_one_too_many_is_named(self, root, tmp_path):
        extra = {"encoder.block.1.gate.weight": torch.zeros(1)}
        files = [encoders.write("flux", "t5xxl", tmp_path / "t5.safetensors", **extra)]
        files.append(alone(root, "flux")[0])
        for paths in permutations(files):
            with pytest.raises(UnsupportedModel, match=r"1 tensors too many.*gate") as caught:
                encoded("flux", *paths)
            assert caught.value.where == str(files[0])

    def test_a_folder_of_something_else_is_named(self, root, tmp_path):
        """Also as the second file, whatever is wrong with it."""
        clip = alone(root, "flux")[0]
        folder = tmp_path / "pipeline"
        flows.network("flux").save_pretrained(folder / "transformer")
        (folder / "model_index.json").write_text("{}")
        for paths in permutations([clip, folder]):
            with pytest.raises(WrongKind, match="no text encoder in this folder") as caught:
                encoded("flux", *paths)
            assert caught.value.where == str(folder)

    def test_what_one_says_wrongly_names_both(self, root, tmp_path):
        said = {"ponystudio.config": json.dumps({"text_encoder_2": {"layer_norm_epsilon": -1}})}
        path = tmp_path / "t5.safetensors"
        save_file(encoders.state("flux", "t5xxl"), path, metadata=said)
        clip = alone(root, "flux")[0]
        with pytest.raises(UnsupportedModel, match="its layer_norm_epsilon is '-1'") as caught:
            encoded("flux", clip, path)
        assert caught.value.where == f"{clip.name}, {path.name}"


def test_nouns():
    assert nouns(find_family("sd1")) == "CLIP-L"
    assert nouns(find_family("sd3")) == "CLIP-L, OpenCLIP-bigG and T5-XXL"
