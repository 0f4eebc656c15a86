"""The weights pool: what is loaded, patched, moved and closed, and when."""

from __future__ import annotations

import os
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from helpers import checkpoints
from helpers.sparse import write_sparse
from ponystudio.api import Clip, Model, Patch, Shift, Vae
from ponystudio.engine.memory import weights_pool as module
from ponystudio.engine.memory.allocation_limit import AllocationLimit
from ponystudio.engine.memory.devices import DeviceChoice
from ponystudio.engine.memory.weights_pool import WeightsPool, predicted_size
from ponystudio.errors import Cancelled
from ponystudio.library.formats.content_id import content_id

SIZE = 4 * 100


class Network:
    """Stands for a network of 100 parameters, on devices that torch only pretends to have."""

    def __init__(self, device):
        self.module, self.stream, self.modifiers = torch.nn.Linear(99, 1), None, ()
        self.device, self.nbytes, self.closed = torch.device(device), SIZE, False

    def to(self, device):
        self.device = torch.device(device)
        return self

    def close(self):
        self.closed = True

    @contextmanager
    def modified(self, modifiers):
        before, self.modifiers = self.modifiers, modifiers
        yield
        self.modifiers = before


@pytest.fixture
def events():
    return []


@pytest.fixture
def make_pool(events, monkeypatch):
    monkeypatch.setattr(module, "free_device_memory", lambda _: 10**9)
    monkeypatch.setattr(module.main_memory, "available", lambda: 10**10)
    monkeypatch.setattr(module, "release_cached", lambda _: None)
    monkeypatch.setattr(module, "predicted_size", lambda *_: SIZE)

    def make(
        device="cpu",
        budget=10**9,
        dtype=torch.float32,
        load=lambda path, part, device, **_: Network(device),
    ):
        parts = dict.fromkeys(("model", "clip", "vae"), dtype)
        return WeightsPool(
            DeviceChoice(torch.device(device), device, parts, "a test"),
            budget=budget,
            emit=lambda event: events.append((event.file, event.action)),
            allocation_limit=AllocationLimit(active=False),
            loader=load,
        )

    return make


def go():
    pass


def model(name="a", **more):
    return Model(f"/{name}.safetensors", name, "sd1", **more)


def test_weights_are_loaded_once(make_pool, events):
    pool = make_pool()
    with pool.open(model(), check=go) as first:
        pass
    with pool.open(model(), check=go) as second:
        assert second is first
    assert events == [("a.safetensors", "load")]


def test_parts_options_and_contents_are_apart(make_pool, events):
    pool = make_pool()
    for recipe in (
        model(),
        Clip("/a.safetensors", "a", "sd1"),
        model("b"),
        model(options=(("ema", True),)),
    ):
        with pool.open(recipe, check=go):
            pass
    assert [action for _, action in events] == ["load"] * 4


def test_on_a_gpu_the_least_recently_used_is_offloaded_and_comes_back(make_pool, events):
    pool = make_pool("cuda", budget=2 * SIZE)
    for name in "aba":
        with pool.open(model(name), check=go):
            pass
    with pool.open(model("c"), check=go):
        pass
    assert events[-2:] == [("b.safetensors", "offload"), ("c.safetensors", "load")]
    with pool.open(model("b"), check=go) as network:
        assert network.device.type == "cuda"
    assert events[-2:] == [("a.safetensors", "offload"), ("b.safetensors", "load")]


def test_without_room_in_the_main_memory_the_oldest_there_are_closed(
    make_pool, events, monkeypatch
):
    pool = make_pool("cuda", budget=SIZE)
    networks = {}
    for name in "abc":
        with pool.open(model(name), check=go) as networks[name]:
            pass
    assert [networks[name].device.type for name in "abc"] == ["cpu", "cpu", "cuda"]
    free = [module.RESERVE]  # each network that is closed there makes room for one
    monkeypatch.setattr(
        module.main_memory,
        "available",
        lambda: free[0] + SIZE * sum(network.closed for network in networks.values()),
    )
    events.clear()
    with pool.open(model("d"), check=go):
        pass
    assert events == [
        ("a.safetensors", "close"),
        ("c.safetensors", "offload"),
        ("d.safetensors", "load"),
    ]
    free[0] = 0
    events.clear()
    with pool.open(model("e"), check=go):
        pass
    assert ("d.safetensors", "close") in events
    assert "offload" not in [action for _, action in events]


def test_on_a_cpu_the_least_recently_used_is_closed(make_pool, events):
    pool = make_pool("cpu", budget=SIZE)
    with pool.open(model("a"), check=go) as network:
        pass
    with pool.open(model("b"), check=go):
        assert network.closed
    assert [action for _, action in events] == ["load", "close", "load"]


def test_what_is_open_is_locked(make_pool):
    pool = make_pool("cpu", budget=SIZE)
    with pool.open(model("a"), check=go) as a, pool.open(model("b"), check=go) as b:
        assert pool.offload_idle() == 0
        assert not a.closed
        assert not b.closed
    assert pool.offload_idle() == 2 * SIZE


def test_an_offloaded_file_can_be_let_go_of(make_pool, events):
    pool = make_pool("cuda")
    with pool.open(model("a"), check=go) as network:
        pass
    pool.close_idle(module.Path("/b.safetensors"))
    assert not network.closed
    pool.close_idle(module.Path("/a.safetensors"))
    assert network.closed


# --- With real weights ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp("pool")
    return SimpleNamespace(
        model=checkpoints.micro(root / "m.safetensors"),
        lora=checkpoints.micro_lora(root / "l.safetensors"),
    )


def test_weights_of_a_file_that_was_changed_where_it_lies_serve_nobody(make_pool, tmp_path):
    """They are mapped: what was loaded under the old content may show the new one."""
    pool, file, copy = make_pool(), tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for path in (file, copy):
        path.write_bytes(b"the first model")
    old = Model(str(file), "first", "sd1")
    with pool.open(old, check=go) as network:
        pass
    with pool.open(Model(str(copy), "first", "sd1"), check=go) as again:
        assert again is network
    before = file.stat()
    while file.stat().st_ctime_ns == before.st_ctime_ns:
        with file.open("r+b") as opened:
            opened.write(b"the other model")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pool.open(Model(str(copy), "first", "sd1"), check=go) as fresh:
        assert fresh is not network
    assert network.closed


@pytest.fixture
def real(events):
    parts = dict.fromkeys(("model", "clip", "vae"), torch.float32)
    pool = WeightsPool(
        DeviceChoice(torch.device("cpu"), "cpu", parts, "a test"),
        budget=10**9,
        emit=lambda event: events.append((event.file, event.action)),
        allocation_limit=AllocationLimit(active=False),
    )
    yield pool
    pool.close_idle()


def recipe(files, cls=Clip, *strengths):
    patches = tuple(Patch(str(files.lora), content_id(files.lora), s) for s in strengths)
    return cls(str(files.model), content_id(files.model), "sd1", patches)


def state(network):
    return {name: value.clone() for name, value in network.module.state_dict().items()}


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def opened(pool, recipe, check=go):
    with pool.open(recipe, check=check) as network:
        return state(network)


def test_patches_are_a_state_and_leave_no_trace(files, real, events):
    plain = opened(real, recipe(files))
    patched = opened(real, recipe(files, Clip, 0.7))
    assert not equal(plain, patched)
    assert equal(opened(real, recipe(files, Clip, 0.7)), patched)
    assert equal(opened(real, recipe(files)), plain)
    assert [action for _, action in events] == ["load", "patch", "unpatch"]


def test_equal_patches_are_summed_and_nothing_is_left_of_opposites(files, real, events):
    half = opened(real, recipe(files, Clip, 0.5))
    assert equal(opened(real, recipe(files, Clip, 0.25, 0.25)), half)
    assert equal(opened(real, recipe(files, Clip, 0.5, -0.5)), opened(real, recipe(files)))
    assert [action for _, action in events] == ["load", "patch", "unpatch"]


def test_a_cancel_while_patching_leaves_the_stored_bits(files, real):
    plain = opened(real, recipe(files))
    calls = 0

    def check():
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        opened(real, recipe(files, Clip, 0.7), check)
    assert equal(opened(real, recipe(files)), plain)
    assert not equal(opened(real, recipe(files, Clip, 0.7)), plain)


def test_two_states_at_once_are_two_copies(files, real):
    with (
        real.open(recipe(files), check=go) as plain,
        real.open(recipe(files, Clip, 1.0), check=go) as patched,
    ):
        assert plain is not patched
        assert not equal(state(plain), state(patched))


def test_a_cancel_is_seen_inside_the_network(files, real):
    vae = recipe(files, Vae)
    cancelled = False

    def check():
        if cancelled:
            raise Cancelled

    with real.open(vae, check=check) as autoencoder:
        cancelled = True
        with pytest.raises(Cancelled):
            autoencoder.decode(torch.zeros(1, 4, 8, 8))


# Larger than the memory


class Stream:
    def __init__(self):
        self.calls = []
        self.prefetch = SimpleNamespace(bytes_read=7, wait_seconds=0.5)

    def begin(self, check):
        self.calls.append("begin")

    def rest(self):
        self.calls.append("rest")


@pytest.fixture
def rooms(make_pool, monkeypatch):
    """Makes a pool whose networks stream where they are given a room; (pool, rooms, networks)."""

    monkeypatch.setattr(module, "WORK", SIZE // 4)

    def make(budget, device="cuda", free=10**10, fails_whole=False):
        monkeypatch.setattr(module, "free_device_memory", lambda _: free)
        given, networks = [], []

        def load(path, part, device, room, **_):
            given.append(room)
            if room is None and fails_whole:
                raise torch.OutOfMemoryError("CUDA out of memory")
            networks.append(Network(device))
            if room is not None:
                networks[-1].stream = Stream()
                networks[-1].nbytes = min(room, SIZE)
            return networks[-1]

        return make_pool(device, budget, load=load), given, networks

    return make


def test_what_fits_stays_whole(rooms):
    pool, given, _ = rooms(10**9)
    with pool.open(model(), check=go):
        pass
    assert given == [None]


def test_what_does_not_fit_gets_what_is_left_beside_the_work(rooms, events):
    pool, given, _ = rooms(SIZE * 9 // 10, free=SIZE * 3 // 4)
    with pool.open(model(), check=go) as network:
        assert network.stream.calls == ["begin"]
    assert given == [SIZE // 2]
    assert network.stream.calls == ["begin", "rest"]
    assert events[-1] == ("a.safetensors", "stream")


def test_text_encoders_leave_before_the_denoiser_comes_in_blocks(rooms, events, monkeypatch):
    sizes = {"model": SIZE + 4, "clip": SIZE}
    monkeypatch.setattr(module, "predicted_size", lambda recipe, _: sizes[recipe.part])
    pool, given, _ = rooms(SIZE)
    with pool.open(Clip("/t.safetensors", "t", "flux"), check=go):
        pass
    with pool.open(model(), check=go):
        pass
    assert events[1] == ("t.safetensors", "offload")
    assert given == [None, SIZE * 3 // 4]


@pytest.mark.parametrize(("device", "expected"), [("cpu", 0), ("cuda", None)])
def test_a_large_text_encoder_comes_in_blocks_in_main_memory(rooms, device, expected):
    pool, given, _ = rooms(10**9, device, free=3 * SIZE)
    with pool.open(Clip("/t.safetensors", "t", "flux"), check=go):
        pass
    assert given == [expected]


def test_autoencoders_never_come_in_blocks(rooms):
    pool, given, _ = rooms(SIZE // 2)
    with pool.open(Vae("/v.safetensors", "v", ""), check=go):
        pass
    assert given == [None]


def test_a_network_in_blocks_is_closed_not_moved(rooms, events):
    pool, _, networks = rooms(SIZE // 2)
    with pool.open(model(), check=go):
        pass
    pool.offload_idle()
    assert networks[0].closed
    assert events[-1] == ("a.safetensors", "close")


OPENED = {("a", "model"), ("v", "vae")}


def test_rooms_are_halved_and_at_last_none(rooms):
    pool, given, _ = rooms(10**10, free=module.WORK + 8 * SIZE)
    while True:
        with pool.open(model(), check=go):
            pass
        if not pool.halve_rooms(OPENED):
            break
    assert given == [None, SIZE // 2, SIZE // 4, 0]


def test_what_never_came_to_be_gets_a_smaller_room_too(rooms):
    pool, given, _ = rooms(10**10, fails_whole=True)
    with pytest.raises(torch.OutOfMemoryError), pool.open(model(), check=go):
        pass
    assert pool.halve_rooms(OPENED)
    with pool.open(model(), check=go):
        pass
    assert given == [None, SIZE // 2]


def test_only_denoisers_and_text_encoders_have_rooms(rooms):
    pool, _, networks = rooms(10**10)
    with pool.open(Vae("/v.safetensors", "v", ""), check=go):
        pass
    assert not pool.halve_rooms({("v", "vae")})
    assert not networks[0].closed


def test_unloading_forgets_who_was_short_of_room(rooms):
    pool, given, _ = rooms(10**10)
    pool.halve_rooms(OPENED)
    pool.close_idle()
    with pool.open(model(), check=go):
        pass
    assert given == [None]


def test_opened_twice_the_blocks_come_once(rooms):
    pool, _, _ = rooms(SIZE // 2)
    bent = model(modifiers=(Shift(2.0),))
    with pool.open(bent, check=go) as outer:
        with pool.open(model(), check=go) as inner:
            assert inner is outer
            assert inner.modifiers == ()
        assert outer.modifiers == (Shift(2.0),)
        assert outer.stream.calls == ["begin"]
    assert outer.stream.calls == ["begin", "rest"]


def test_other_modifiers_are_no_other_network(rooms):
    pool, given, _ = rooms(10**9)
    with pool.open(model(modifiers=(Shift(2.0),)), check=go) as network:
        assert network.modifiers == (Shift(2.0),)
    with pool.open(model(), check=go) as again:
        assert again is network
        assert again.modifiers == ()
    assert len(given) == 1


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (Model("/a", "a", "sdxl"), torch.float16),
        (Model("/a", "a", "flux"), torch.bfloat16),
        (Clip("/a", "a", "sdxl"), torch.float16),
        (Clip("/a", "a", "auraflow"), torch.bfloat16),
    ],
)
def test_networks_that_overflow_fp16_get_what_is_wider(recipe, expected, make_pool, monkeypatch):
    monkeypatch.setattr(DeviceChoice, "wide", torch.bfloat16)
    dtypes = []

    def load(path, part, device, dtype, **_):
        dtypes.append(dtype)
        return Network(device)

    with make_pool("cuda", dtype=torch.float16, load=load).open(recipe, check=go):
        assert dtypes == [expected]


CLIP = {"text_model.encoder.layers.0.mlp.fc1.weight": [3072, 768]}


DENOISER = {
    "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3],
    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
}


VAE = {"first_stage_model.decoder.conv_in.weight": [512, 4, 3, 3]}


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_it_is_that_of_the_part_in_the_dtype_it_will_have(dtype, tmp_path):
    path = write_sparse(tmp_path / "m.safetensors", {**DENOISER, **VAE})
    numbers = 320 * 4 * 9 + 320 * 768
    recipe = Model(str(path), "m", "sd1")
    assert predicted_size(recipe, dtype) == numbers * dtype.itemsize


def test_further_files_count(tmp_path):
    paths = [write_sparse(tmp_path / f"{name}.safetensors", CLIP) for name in "ab"]
    clip = Clip(str(paths[0]), "a", "sd3")
    alone = predicted_size(clip, torch.float16)
    assert alone == 3072 * 768 * 2
    assert predicted_size(clip.with_file("with", str(paths[1]), "b"), torch.float16) == 2 * alone


def test_what_cannot_be_recognised_is_as_large_as_its_file(tmp_path):
    (tmp_path / "odd").write_bytes(bytes(123))
    assert predicted_size(Model(str(tmp_path / "odd"), "", "sd1"), torch.float16) == 123
