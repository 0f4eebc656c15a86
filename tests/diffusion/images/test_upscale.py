from __future__ import annotations

import functools
import importlib.util
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import ponystudio_resources
from helpers.paths import DATA, needs_data
from ponystudio.diffusion.images.picture_file import read_picture
from ponystudio.diffusion.images.realesrgan import RRDBNet, SRVGGNetCompact, Upscaling
from ponystudio.diffusion.images.upscale import PAD, SuperResolution, load_upscaler
from ponystudio.errors import Cancelled, PonyStudioError, UnknownModel, UnsupportedModel, WrongKind

SHIPPED = ponystudio_resources.path("models", "upscale_models")
without_spandrel = pytest.mark.skipif(
    importlib.util.find_spec("spandrel") is not None, reason="spandrel is installed"
)

# Every 60th row from 10 and every 80th column from 20 of what the ncnn engine (version
# 1.0.20261020, fp32, without Winograd) makes of a part of the shipped photograph with the files
# from which the shipped weights were converted: an implementation that shares nothing with ours.
NCNN = {
    "realesr-animevideov3-x4": """
        0.69617 0.50639 0.68502 0.10448 0.67421 0.63764 0.62808 0.60154 0.66201 0.64310 0.37455
        0.70583 0.55356 0.28877 0.53160 0.08305 0.50919 0.48754 0.51519 0.41382 0.49822 0.43319
        0.17965 0.50811 0.43251 0.12199 0.39230 0.07713 0.42519 0.38391 0.22369 0.31047 0.34323
        0.21633 0.07275 0.30753""",
    "realesrgan-x4plus-anime": """
        0.65145 0.50007 0.67898 0.05650 0.67167 0.64117 0.57493 0.60084 0.65018 0.63455 0.34458
        0.69571 0.52122 0.29575 0.53217 0.05562 0.51401 0.49496 0.48546 0.40571 0.47825 0.44229
        0.15635 0.50401 0.42103 0.11358 0.41381 0.04358 0.43411 0.39993 0.23271 0.29276 0.35803
        0.24474 0.05124 0.31434""",
}


def photograph(left: int = 90, top: int = 40, width: int = 64, height: int = 48) -> Tensor:
    pixels, *_ = read_picture(ponystudio_resources.path("pictures", "cat.png"))
    return pixels[..., top : top + height, left : left + width].contiguous()


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Pieces this small gain nothing from more, and lose much where the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@functools.cache
def enlarged_photograph(name: str) -> Tensor:
    return load_upscaler(SHIPPED / f"{name}.safetensors")(photograph())


def compact(scale: int = 2) -> SRVGGNetCompact:
    torch.manual_seed(4)
    return SRVGGNetCompact(features=8, convs=3, scale=scale)


def dense(**how: int) -> RRDBNet:
    torch.manual_seed(4)
    return RRDBNet(**{"features": 8, "growth": 4, "blocks": 1, **how})


@pytest.mark.parametrize("name", NCNN)
def test_the_shipped_weights_give_what_another_engine_gives(name: str) -> None:
    enlarged = enlarged_photograph(name)
    assert enlarged.shape == (1, 3, 192, 256)
    wanted = torch.tensor([float(value) for value in NCNN[name].split()])
    assert torch.allclose(enlarged[0, :, 10::60, 20::80].flatten(), wanted, atol=1e-5)


@pytest.mark.parametrize("name", NCNN)
def test_an_enlargement_is_sharp_and_true(name: str) -> None:
    """Made small again it is the picture; and it has detail that Lanczos does not make."""
    from ponystudio.diffusion.images.resample import scale_picture

    pixels = photograph()
    enlarged = enlarged_photograph(name)
    psnr = -10 * math.log10((scale_picture(enlarged, (48, 64), "area") - pixels).square().mean())
    assert psnr > 25
    smooth = scale_picture(pixels, (192, 256), "lanczos")
    assert enlarged.diff(dim=3).abs().quantile(0.99) > smooth.diff(dim=3).abs().quantile(0.99)


def test_tiles_change_nothing_where_the_network_looks_no_further() -> None:
    upscaler = load_upscaler(SHIPPED / "realesr-animevideov3-x4.safetensors")
    assert upscaler.module.field == 18 < PAD
    pixels = photograph(width=70, height=61)
    whole = upscaler(pixels, tile=70)
    for tile in (33, 64):
        assert torch.allclose(upscaler(pixels, tile=tile), whole, atol=2e-6)


def test_tiles_hardly_show_where_the_network_looks_far() -> None:
    upscaler = load_upscaler(SHIPPED / "realesrgan-x4plus-anime.safetensors")
    assert upscaler.module.field > PAD
    pixels = photograph(left=20, top=20, width=120, height=12)
    difference = (upscaler(pixels, tile=60) - upscaler(pixels, tile=120)).abs()
    assert 0 < difference.max() < 1.5 / 255
    assert difference.mean() < 0.1 / 255


@pytest.mark.parametrize("unshuffle", [1, 2, 4])
def test_odd_sizes_and_tiles_of_networks_that_unshuffle(unshuffle: int) -> None:
    network = dense(unshuffle=unshuffle)
    upscaler = SuperResolution(network)
    pixels = photograph(width=37, height=27)
    whole = upscaler(pixels)
    assert whole.shape == (1, 3, 27 * network.scale, 37 * network.scale)
    filled = nn.functional.pad(pixels, (0, -37 % unshuffle, 0, -27 % unshuffle), "reflect")
    wanted = network(filled)[..., : 27 * network.scale, : 37 * network.scale].clamp(0, 1)
    assert torch.equal(whole, wanted)
    if network.field <= PAD:
        assert torch.allclose(upscaler(pixels, tile=10), whole, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2)])
def test_the_smallest_pictures(shape: tuple[int, int]) -> None:
    for network in (compact(), dense(unshuffle=4)):
        enlarged = SuperResolution(network)(torch.rand(1, 3, *shape))
        assert enlarged.shape[-2:] == (shape[0] * network.scale, shape[1] * network.scale)


def test_batches_are_their_pictures_and_results_stay_in_range() -> None:
    upscaler = SuperResolution(compact())
    with torch.no_grad():
        upscaler.module.body[-1].bias += torch.linspace(-2, 2, 12)
    batch = torch.cat((photograph(), photograph(left=10)))
    together = upscaler(batch)
    assert torch.equal(together, torch.cat([upscaler(picture) for picture in batch.split(1)]))
    assert together.min() == 0
    assert together.max() == 1


def test_it_tells_of_every_tile_and_can_be_stopped() -> None:
    upscaler = SuperResolution(compact())
    seen: list[tuple[int, int]] = []
    upscaler(torch.rand(2, 3, 20, 30), tile=16, on_tile=lambda *at: seen.append(at))
    assert seen == [(n, 8) for n in range(1, 9)]

    def stop(done: int, pieces: int) -> None:
        if done == 2:
            raise Cancelled

    calls: list[Any] = []
    upscaler.module.register_forward_pre_hook(lambda *call: calls.append(call))
    with pytest.raises(Cancelled):
        upscaler(torch.rand(2, 3, 20, 30), tile=16, on_tile=stop)
    assert len(calls) == 2


def test_tiles_are_even_and_no_larger_than_asked() -> None:
    upscaler = SuperResolution(compact())
    sizes: list[tuple[int, ...]] = []
    upscaler.module.register_forward_pre_hook(lambda _, x: sizes.append(tuple(x[0].shape[-2:])))
    upscaler(torch.rand(1, 3, 10, 100), tile=34)
    field = upscaler.module.field
    assert sizes == [(10, 34 + field), (10, 34 + 2 * field), (10, 32 + field)]


def test_half_precision_and_what_a_network_tells_of_itself(tmp_path: Path) -> None:
    save_file(compact().half().state_dict(), tmp_path / "n.safetensors")
    full = load_upscaler(tmp_path / "n.safetensors")
    half = load_upscaler(tmp_path / "n.safetensors", "cpu", torch.bfloat16)
    assert (full.scale, full.dtype, full.device) == (2, torch.float32, torch.device("cpu"))
    assert full.nbytes == 2 * half.nbytes
    result = half(photograph())
    assert result.dtype == torch.float32
    assert torch.allclose(result, full(photograph()), atol=0.02)
    half.close()
    assert half.device == torch.device("meta")


WRAPPINGS = {
    "flat": lambda state: state,
    "params_ema before params": lambda state: {
        "params": {name: torch.zeros_like(value) for name, value in state.items()},
        "params_ema": state,
    },
    "params": lambda state: {"params": state},
    "wrapped module": lambda state: {
        "params_ema": {f"module.{name}": value for name, value in state.items()}
    },
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("legacy", [False, True])
def test_every_layout_of_pth(tmp_path: Path, wrapping: str, legacy: bool) -> None:
    network = dense()
    path = tmp_path / "net_g_5000.pth"
    torch.save(
        WRAPPINGS[wrapping](network.state_dict()),
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    x = photograph(width=16, height=16)
    assert torch.equal(load_upscaler(path)(x), network(x).clamp(0, 1))


@needs_data
def test_a_real_pth_is_the_shipped_network() -> None:
    """Its biases are in half precision, which the shipped copy spares itself."""
    pth = load_upscaler(DATA / "upscale" / "realesr-animevideov3-x4_fp16.pth")
    shipped = load_upscaler(SHIPPED / "realesr-animevideov3-x4.safetensors")
    for name, value in shipped.module.state_dict().items():
        assert torch.equal(pth.module.get_parameter(name), value.half().float())
    assert torch.allclose(pth(photograph()), shipped(photograph()), atol=5e-3)


def test_the_oldest_dialect_loads(tmp_path: Path) -> None:
    network = dense()
    table = {"conv_first": "model.0", "conv_body": "model.1.sub.1", "conv_up1": "model.3"}
    table |= {"conv_up2": "model.6", "conv_hr": "model.8", "conv_last": "model.10"}

    def old(name: str) -> str:
        stem, _, leaf = name.rpartition(".")
        if stem in table:
            return f"{table[stem]}.{leaf}"
        _, block, rdb, conv = stem.split(".")
        return f"model.1.sub.{block}.{rdb.upper()}.{conv}.0.{leaf}"

    save_file({old(name): v for name, v in network.state_dict().items()}, tmp_path / "old.pth")
    x = photograph(width=16, height=16)
    assert torch.equal(load_upscaler(tmp_path / "old.pth")(x), network(x).clamp(0, 1))


@without_spandrel
def test_refusals_name_the_file_and_let_it_go(tmp_path: Path) -> None:
    discriminator = {f"conv{n}.weight_orig": torch.zeros(1) for n in range(1, 9)}
    discriminator |= {"conv0.weight": torch.zeros(1), "conv9.weight": torch.zeros(1)}
    wider = {**compact().state_dict(), "body.9.weight": torch.zeros(8)}
    files: dict[str, tuple[dict[str, Tensor], type[PonyStudioError]]] = {
        "net_d_5000": (discriminator, WrongKind),
        "wider": (wider, UnsupportedModel),
        "stranger": ({"a": torch.zeros(1)}, UnknownModel),
    }
    for name, (state, error) in files.items():
        path = tmp_path / f"{name}.safetensors"
        save_file(state, path)
        with pytest.raises(error) as caught:
            load_upscaler(path)
        assert caught.value.where == str(path)
        assert caught.value.remedy
        maps = Path("/proc/self/maps")
        assert not maps.exists() or str(path) not in maps.read_text()


def test_networks_of_spandrel(tmp_path: Path) -> None:
    """SPAN, which is not known here."""
    spandrel = pytest.importorskip("spandrel")
    from spandrel.architectures.SPAN import SPAN

    torch.manual_seed(0)
    network = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=16, upscale=2)
    save_file(network.state_dict(), tmp_path / "span.safetensors")
    upscaler = load_upscaler(tmp_path / "span.safetensors")
    wanted = spandrel.ModelLoader().load_from_file(tmp_path / "span.safetensors")
    pixels = photograph(width=16, height=16)
    assert isinstance(upscaler.module, Upscaling)
    assert upscaler.scale == 2
    assert torch.allclose(upscaler(pixels), wanted(pixels), atol=1e-6)


class FakeSpandrel(ModuleType):
    """What is used of spandrel: it knows networks with a weight of this name, and no other."""

    class UnsupportedModelError(Exception):
        pass

    class ImageModelDescriptor:
        architecture = SimpleNamespace(name="Fake")
        scale = 3

        def __init__(self, input_channels: int) -> None:
            self.input_channels, self.model = input_channels, nn.Conv2d(3, 3, 1)

        def __call__(self, x: Tensor) -> Tensor:
            return x.repeat_interleave(3, 2).repeat_interleave(3, 3)

    def __init__(self, known: str, channels: int = 3) -> None:
        super().__init__("spandrel")
        self._known, self._channels = known, channels

    def ModelLoader(self) -> FakeSpandrel:
        return self

    def load_from_state_dict(self, state: dict[str, Tensor]) -> ImageModelDescriptor:
        if self._known not in state:
            raise self.UnsupportedModelError
        return self.ImageModelDescriptor(self._channels)


@pytest.fixture
def compact_file(tmp_path: Path) -> Path:
    save_file(compact().state_dict(), tmp_path / "compact.safetensors")
    return tmp_path / "compact.safetensors"


def test_spandrel_has_the_first_word_where_it_is_installed(
    compact_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", FakeSpandrel("body.0.weight"))
    pixels = torch.rand(1, 3, 5, 7)
    upscaler = load_upscaler(compact_file)
    assert not isinstance(upscaler.module, SRVGGNetCompact)
    assert torch.equal(
        upscaler(pixels, tile=4), pixels.repeat_interleave(3, 2).repeat_interleave(3, 3)
    )


@pytest.mark.parametrize("spandrel", [None, FakeSpandrel("of another")], ids=["none", "ignorant"])
def test_else_the_own_networks_are_there(
    compact_file: Path, monkeypatch: pytest.MonkeyPatch, spandrel: ModuleType | None
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", spandrel)
    assert isinstance(load_upscaler(compact_file).module, SRVGGNetCompact)


def test_a_file_at_which_spandrel_fails_is_for_the_own_networks(
    compact_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: FakeSpandrel, state: dict[str, Tensor]) -> None:
        raise RuntimeError(f"size mismatch for {next(iter(state))}")

    monkeypatch.setattr(FakeSpandrel, "load_from_state_dict", fail)
    monkeypatch.setitem(sys.modules, "spandrel", FakeSpandrel("body.0.weight"))
    assert isinstance(load_upscaler(compact_file).module, SRVGGNetCompact)


def test_a_spandrel_that_cannot_be_loaded_is_none(
    compact_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As with a torchvision that was made for another torch."""
    broken = tmp_path / "packages" / "spandrel.py"
    broken.parent.mkdir()
    broken.write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    monkeypatch.syspath_prepend(broken.parent)
    assert isinstance(load_upscaler(compact_file).module, SRVGGNetCompact)


def test_what_nobody_knows_or_what_enlarges_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "spandrel", FakeSpandrel("of another"))
    with pytest.raises(UnknownModel, match="Neither PonyStudio nor spandrel"):
        load_upscaler(tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "spandrel", FakeSpandrel("a", channels=1))
    with pytest.raises(UnsupportedModel, match="does not enlarge"):
        load_upscaler(tmp_path / "a.safetensors")
