"""ControlNets and their kin: files of the true layout give diffusers' own numbers, in the network
and in the model that it steers.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest
import torch
from diffusers.pipelines.flux.pipeline_flux import FluxPipeline
from safetensors.torch import save_file

from helpers import controls, flows
from ponystudio.diffusion.architectures import DenoiserInputs, Residuals
from ponystudio.diffusion.control.control_network import ActiveControl, fitted
from ponystudio.diffusion.loading.load import load
from ponystudio.errors import MismatchedValues, ParamChoice, WrongKind
from ponystudio.library.recognition.recognise import recognise

FP32 = torch.float32
CLOSE = {"rtol": 1e-3, "atol": 1e-3}
SIZE = (8, 12)
LATENTS = 16


def opened(path, base=None):
    options = () if base is None else (("base", str(base)),)
    return load(path, "controlnet", device="cpu", dtype=FP32, options=options)


class Case:
    """A kind, its network and its model, both ours, and what both are told."""

    def __init__(self, name, folder):
        self.name, self.family = name, controls.BASES[name]
        self.path = controls.write(name, folder / "control.safetensors")
        self.base_path = controls.base(name, folder)
        needs = recognise(self.path).control.needs_model
        self.network = opened(self.path, self.base_path if needs else None)
        self.denoiser = load(self.base_path, "model", device="cpu", dtype=FP32)
        drawn = torch.Generator().manual_seed(5)
        if self.family in controls.UNETS:
            width = {"sd1": 64, "sd2": 64, "sdxl": 96}[self.family]
            self.told = {
                "x": torch.randn(2, 4, *SIZE, generator=drawn),
                "t": torch.tensor([800.0, 17.0]),
                "context": torch.randn(2, 7, width, generator=drawn),
            }
            if self.family == "sdxl":
                self.told["pooled"] = torch.randn(2, 64, generator=drawn)
                self.told["sizes"] = torch.tensor([[64, 96, 0, 0, 64, 96]] * 2).float()
        else:
            self.told = flows.told(self.family, batch=2, size=SIZE)
        self.picture = torch.rand(2, 3, 8 * SIZE[0], 8 * SIZE[1], generator=drawn)
        self.mask = (torch.rand(2, 1, 8 * SIZE[0], 8 * SIZE[1], generator=drawn) > 0.7).float()
        self.takes_mask = "inpainting" in name
        self.kind = {"union": "canny", "flux union": "depth"}.get(name, "auto")

    def encode(self, pixels):
        """What stands for an autoencoder: any function of the pixels of a cell."""
        cells = torch.nn.functional.pixel_unshuffle(pixels, 8)[:, :: 3 * 64 // LATENTS]
        return cells * 2 - 0.3

    def active(self, strength=1.0, **options):
        given = {"kind": self.kind, "mask": self.mask if self.takes_mask else None} | options
        encode = self.encode if self.network.signature.encoded else None
        shape = (2, self.denoiser.in_channels, *SIZE)
        return ActiveControl(
            self.network, self.picture, shape, strength=strength, encode=encode, **given
        )

    def asked(self, active, pictures=(0, 1)):
        told = {k: v for k, v in self.told.items() if k not in ("x", "t")}
        added = active.at(None, pictures)
        return added(self.told["x"], self.told["t"], DenoiserInputs(**told), self.denoiser.module)

    def latent(self):
        """The hint of a transformer, as the pipelines prepare it."""
        family = self.denoiser.family
        hole = self.mask if self.takes_mask else torch.zeros_like(self.mask)
        shift = 0 if self.name == "sd3" else family.shift  # InstantX leaves it out
        latent = (self.encode(self.picture * (1 - hole)) - shift) * family.scaling_factor
        if not self.takes_mask:
            return latent
        left = 1 - torch.nn.functional.interpolate(self.mask, size=SIZE, mode="nearest-exact")
        return torch.cat([latent, left], dim=1)

    @torch.no_grad()
    def theirs(self):
        """What diffusers' network adds, asked as its pipelines do, and the model's answer then."""
        told, module = self.told, controls.kin(self.name).module
        x, t, context = told["x"], told["t"], told["context"]
        if self.family in controls.UNETS:
            unet, extra = controls.unet(self.family), {}
            if self.family == "sdxl":
                extra = {"text_embeds": told["pooled"], "time_ids": told["sizes"]}
                extra = {"added_cond_kwargs": extra}
            if "adapter" in self.name:
                features = module(self.picture)
                out = unet(
                    x, t, context, **extra, down_intrablock_additional_residuals=list(features)
                ).sample
                return Residuals(inside=tuple(features)), out
            more = {"controlnet_cond": self.picture}
            if self.name == "union":
                kinds = torch.zeros(2, 8)
                kinds[:, 3] = 1
                more = {
                    "controlnet_cond": [self.picture],
                    "control_type": kinds,
                    "control_type_idx": [3],
                }
            down, mid = module(x, t, context, **more, **extra, return_dict=False)
            out = unet(
                x,
                t,
                context,
                **extra,
                down_block_additional_residuals=down,
                mid_block_additional_residual=mid,
            ).sample
            return Residuals(down=tuple(down), mid=mid), out
        model, pooled = flows.network(self.family), told["pooled"]
        if flows.family_of(self.family) == "sd3":
            alone, zeros = self.name == "sd3.5", self.name == "sd3"
            samples = module(
                model.pos_embed(x) if alone else x,
                controlnet_cond=self.latent(),
                encoder_hidden_states=None if alone else context,
                pooled_projections=torch.zeros_like(pooled) if zeros else pooled,
                timestep=t,
                return_dict=False,
            )[0]
            out = model(x, context, pooled, t, block_controlnet_hidden_states=samples).sample
            return samples, out
        b, c, h, w = x.shape
        hint = self.latent()
        known = {"hidden_states": FluxPipeline._pack_latents(x, b, c, h, w)}
        known |= {"encoder_hidden_states": context, "pooled_projections": pooled, "timestep": t}
        known["img_ids"] = FluxPipeline._prepare_latent_image_ids(b, h // 2, w // 2, "cpu", FP32)
        known["txt_ids"] = torch.zeros(context.shape[1], 3)
        known["guidance"] = told["guidance"]
        xlabs = self.name == "flux by XLabs"
        packed = None if xlabs else FluxPipeline._pack_latents(hint, b, hint.shape[1], h, w)
        doubles, singles = module(
            **known,
            controlnet_cond=self.picture * 2 - 1 if xlabs else packed,
            controlnet_mode=torch.full((b, 1), 2) if module.union else None,
            return_dict=False,
        )
        out = model(
            **known,
            controlnet_block_samples=doubles,
            controlnet_single_block_samples=singles,
            controlnet_blocks_repeat=xlabs,
        ).sample
        return (*doubles, *(singles or ())), FluxPipeline._unpack_latents(out, h * 8, w * 8, 8)


# One of each module, and those whose pictures are prepared in another way.
FEW = ("sd1", "union", "adapter for sdxl", "sd3 inpainting", "flux union", "flux by XLabs")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return cache(lambda name: Case(name, tmp_path_factory.mktemp("control")))


@pytest.fixture(params=FEW)
def case(request, cases):
    return cases(request.param)


@pytest.fixture
def union(cases):
    return cases("union")


@pytest.mark.parametrize("name", controls.BASES)
def test_the_network_and_the_model_are_diffusers(name, cases):
    case = cases(name)
    expected, out = case.theirs()
    added = case.asked(case.active())
    if isinstance(expected, Residuals):
        for ours, theirs in (
            *zip(added.down, expected.down, strict=True),
            *zip(added.inside, expected.inside, strict=True),
            *([(added.mid, expected.mid)] if expected.mid is not None else []),
        ):
            assert theirs.std() > 0.01
            assert torch.allclose(ours, theirs, **CLOSE)
    else:
        assert torch.allclose(added.blocks[0], expected[0], **CLOSE)
        assert expected[0].std() > 0.01
    plain = case.denoiser(**case.told)
    steered = case.denoiser(**case.told, controls=[case.active().at(None, (0, 1))])
    assert (steered - plain).std() > 0.01
    assert torch.allclose(steered, out, **CLOSE)


def test_strengths_and_chains(case):
    """Half of it twice is all of it, and what two add is added up."""
    half, whole = case.active(0.5).at(None, (0, 1)), case.active().at(None, (0, 1))
    twice = case.denoiser(**case.told, controls=[half, half])
    assert torch.allclose(twice, case.denoiser(**case.told, controls=[whole]), **CLOSE)
    none = case.active(0.0).at(None, (0, 1))
    plain = case.denoiser(**case.told)
    assert torch.allclose(case.denoiser(**case.told, controls=[none]), plain, **CLOSE)


def test_rows_take_their_own_picture(case):
    """As where both prompts of two pictures go in one call, or only some of their rows."""
    active = case.active()
    told = {k: torch.cat([v, v])[1:3] for k, v in case.told.items()}
    both = case.denoiser(**case.told, controls=[active.at(None, (0, 1))])
    swapped = case.denoiser(**told, controls=[active.at(None, (1, 0))])
    assert torch.allclose(swapped, both.flip(0), **CLOSE)


def test_the_picture_is_read_once_a_run(case, monkeypatch):
    active, reads = case.active(), []
    read = case.network.read
    monkeypatch.setattr(case.network, "read", lambda picture: reads.append(1) or read(picture))
    for _ in range(3):
        case.denoiser(**case.told, controls=[active.at(None, (0, 1))])
    assert len(reads) == 1


def test_a_part_sees_its_part_of_the_picture(case):
    part = (2, 4, 4, 6)
    inside = {**case.told, "x": case.told["x"][..., 2:6, 4:10]}
    ours = case.denoiser(**inside, controls=[case.active().at(part, (0, 1))])
    cut = case.picture[..., 16:48, 32:80]
    mask = case.mask[..., 16:48, 32:80] if case.takes_mask else None
    encode = case.encode if case.network.signature.encoded else None
    alone = ActiveControl(case.network, cut, (2, 4, 4, 6), kind=case.kind, mask=mask, encode=encode)
    theirs = case.denoiser(**inside, controls=[alone.at(None, (0, 1))])
    assert torch.allclose(ours, theirs, **CLOSE)


def test_latents_of_odd_sides(case):
    size = (7, 9)
    x = case.told["x"][..., :7, :9]
    active = ActiveControl(
        case.network,
        case.picture,
        (2, 4, *size),
        kind=case.kind,
        mask=case.mask if case.takes_mask else None,
        encode=case.encode if case.network.signature.encoded else None,
    )
    out = case.denoiser(**{**case.told, "x": x}, controls=[active.at(None, (0, 1))])
    assert out.shape[-2:] == size
    assert out.isfinite().all()


def test_what_was_added_to_weights_stays(cases):
    """When a pool takes it off its device."""
    case = cases("control-LoRA")
    before = case.asked(case.active())
    case.network.to("cpu")
    after = case.asked(case.active())
    assert torch.equal(after.mid, before.mid)


def test_a_kind_that_is_not_told_is_a_plain_control(union):
    """No kind is switched on, and the picture goes in as it is read."""
    added = union.asked(union.active(kind="auto"))
    module = controls.kin("union").module
    seen = []
    hook = module.conv_in.register_forward_hook(
        lambda _m, _i, out: out + module.controlnet_cond_embedding(union.picture)
    )
    told = union.told
    try:
        with torch.no_grad():
            seen = module(
                told["x"],
                told["t"],
                told["context"],
                controlnet_cond=[],
                control_type=torch.zeros(2, 8),
                control_type_idx=[],
                added_cond_kwargs={"text_embeds": told["pooled"], "time_ids": told["sizes"]},
                return_dict=False,
            )
    finally:
        hook.remove()
    assert torch.allclose(added.mid, seen[1], **CLOSE)
    told_kind = union.asked(union.active(kind="depth"))
    assert not torch.allclose(added.mid, told_kind.mid, **CLOSE)


def test_a_kind_that_it_does_not_know_is_refused(union):
    with pytest.raises(ParamChoice, match="blur") as caught:
        union.active(kind="blur")
    assert "openpose" in caught.value.remedy


def test_a_hole_is_minus_one_in_pictures(union):
    mask = torch.zeros(1, 1, 64, 96)
    mask[..., :32] = 1
    active = union.active(mask=mask)
    holed = torch.where(mask > 0.5, torch.tensor(-1.0), union.picture)
    plain = ActiveControl(union.network, holed, (2, 4, *SIZE), kind="canny")
    assert torch.equal(union.asked(active).mid, union.asked(plain).mid)


def test_a_mask_of_another_size_lies_where_it_lies_on_the_picture(union):
    """Though both are cut: it is brought to the picture first."""
    wide = torch.rand(1, 3, 64, 192, generator=torch.Generator().manual_seed(2))
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 16:] = 1  # the right half
    found = ActiveControl(union.network, wide, (1, 4, 8, 8), kind="canny", mask=mask)
    holed = wide.clone()
    holed[..., 96:] = -1
    plain = ActiveControl(union.network, holed, (1, 4, 8, 8), kind="canny")
    told = {k: v[:1] for k, v in union.told.items()}
    told["x"] = told["x"][..., :8]
    ours, theirs = (
        union.denoiser(**told, controls=[active.at(None, (0,))]) for active in (found, plain)
    )
    assert torch.equal(ours, theirs)


def test_the_edges_of_sd35_reach_its_encoder_as_in_training(cases, tmp_path):
    """255 times as strong and not −1..1, where the file says that it is for edges, or its name."""
    tensors = dict(controls.kin("sd3.5").tensors)
    for name, mark, wide in (("x", 1, True), ("x", 0, False), ("x canny", None, True)):
        tensors.pop("control_type", None)
        if mark is not None:
            tensors["control_type"] = torch.tensor([mark], dtype=torch.int32)
        path = tmp_path / f"{name}.safetensors"
        save_file(
            {k: v.contiguous().clone() for k, v in tensors.items()},
            path,
            metadata={"ponystudio.config": json.dumps({"controlnet": flows.HINTS})},
        )
        seen = []
        network = opened(path)

        def encode(pixels, seen=seen):
            seen.append(pixels * 2 - 1)  # as every encoder begins
            return pixels.new_zeros(1, 16, 8, 8)

        picture = torch.rand(1, 3, 64, 64)
        ActiveControl(network, picture, (1, 16, 8, 8), encode=encode)
        expected = picture * 255 * 0.5 + 0.5 if wide else picture * 2 - 1
        assert torch.allclose(seen[0], expected, atol=1e-4)


def test_the_mean_of_each_output(union):
    """What files named …_shuffle are used with."""
    pooled = replace(union.network.signature, pooled=True)
    plain = union.asked(union.active())
    before, union.network.signature = union.network.signature, pooled
    try:
        mean = union.asked(union.active())
    finally:
        union.network.signature = before
    for ours, whole in zip(mean.down, plain.down, strict=True):
        assert torch.allclose(ours, whole.mean(dim=(2, 3), keepdim=True), **CLOSE)
    out = union.denoiser(**union.told, controls=[union.active().at(None, (0, 1))])
    assert out.isfinite().all()


def test_a_model_of_other_widths_is_refused(tmp_path):
    network = opened(controls.write("sd1", tmp_path / "c.safetensors"))
    with pytest.raises(MismatchedValues, match="wide"):
        network.check_fit(controls.unet("sd2"))
    network.check_fit(controls.unet("sd1"))


@pytest.mark.parametrize("name", ["control-LoRA", "difference"])
def test_what_changes_a_model_needs_one(name, tmp_path):
    with pytest.raises(WrongKind, match="model") as caught:
        opened(controls.write(name, tmp_path / "c.safetensors"))
    assert "core.load_controlnet" in caught.value.remedy


def test_pictures_are_cut_around_their_centre():
    wide = torch.arange(12.0).expand(1, 1, 4, 12)
    assert fitted(wide, (4, 4))[0, 0, 0].tolist() == [4, 5, 6, 7]
    assert fitted(wide, (2, 2))[0, 0, 0].tolist() == [5, 7]
    line = torch.arange(1001.0).expand(1, 1, 1, 1001)
    assert fitted(line, (8, 1))[0, 0, :, 0].tolist() == [500] * 8
    tall = wide.transpose(2, 3)
    assert fitted(tall, (8, 8))[0, 0, :, 0].tolist() == [4, 4, 5, 5, 6, 6, 7, 7]


@pytest.mark.parametrize("name", ["sd1", "union", "sd3", "flux"])
def test_blocks_that_come_from_the_file(name, cases):
    """Where there is no memory for all of it at once."""
    case = cases(name)
    streamed = load(case.path, "controlnet", device="cpu", dtype=FP32, room=0)
    assert streamed.stream is not None
    whole, case.network = case.network, streamed
    try:
        streamed.stream.begin(lambda: None)
        found = case.asked(case.active())
        streamed.stream.rest()
    finally:
        case.network = whole
    expected = case.asked(case.active())
    for ours, theirs in ((found.down, expected.down), (found.blocks, expected.blocks)):
        assert all(torch.allclose(a, b, **CLOSE) for a, b in zip(ours, theirs, strict=True))
    streamed.close()


def test_a_folder_of_diffusers(cases, tmp_path):
    """With what its config says of it."""
    case = cases("flux union")
    controls.kin("flux union").module.save_pretrained(tmp_path / "net")
    found = recognise(tmp_path / "net")
    assert (found.kind, found.family) == ("controlnet", "flux")
    network, case.network = case.network, opened(tmp_path / "net")
    try:
        folder = case.asked(case.active())
    finally:
        case.network = network
    for ours, theirs in zip(folder.blocks, case.asked(case.active()).blocks, strict=True):
        assert torch.equal(ours, theirs)
