import pytest
import torch

from ponystudio.engine.memory import devices
from ponystudio.errors import UsageError


def test_auto_says_what_it_chose_and_why():
    choice = devices.choose()
    assert choice.why.count(",") >= 1
    assert choice.dtypes["vae"] is torch.float32


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_takes_bf16_only_where_it_computes_it(monkeypatch, native, dtype):
    monkeypatch.setattr(devices, "native_bf16", lambda: native)
    choice = devices.choose("cpu")
    assert choice.dtype is dtype
    assert "time" not in choice.why  # nothing was measured here
    assert choice.dtypes["clip"] is choice.dtypes["upscaler"] is torch.float32
    assert choice.dtypes["vision"] is torch.float32
    assert choice.dtypes["gligen"] is dtype


def test_a_dtype_that_is_asked_for_holds_for_all_but_the_autoencoder():
    choice = devices.choose("cpu", "bf16")
    assert set(choice.dtypes.values()) == {torch.bfloat16, torch.float32}
    assert choice.precision == "model=bf16 clip=bf16 vae=fp32 upscaler=bf16"
    assert set(devices.choose("cpu", "fp32").dtypes.values()) == {torch.float32}


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "rocm", "mps", "tpu", "cuda:99"])
def test_a_device_that_is_not_here_is_refused_with_a_remedy(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError) as error:
        devices.choose(name)
    assert error.value.remedy


class Gpu:
    total_memory = 8 * 2**30

    def __init__(self, name, major):
        self.name, self.major = name, major


@pytest.fixture
def gpu(monkeypatch):
    def install(name="NVIDIA RTX 3060", major=8, hip=None, count=1):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: name)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Gpu(name, major))
        monkeypatch.setattr(torch.version, "hip", hip)

    return install


@pytest.mark.parametrize(
    ("name", "major", "dtype"),
    [
        ("NVIDIA RTX 3060", 8, torch.float16),
        ("NVIDIA GeForce GTX 1660", 7, torch.float32),
        ("NVIDIA GeForce GTX 1080", 6, torch.float32),
    ],
)
def test_a_gpu_takes_half_precision_where_it_is_fast_and_sound(gpu, name, major, dtype):
    gpu(name, major)
    choice = devices.choose()
    assert choice.device == torch.device("cuda:0")
    assert choice.kind == "cuda"
    assert choice.dtype is dtype
    assert name in choice.why


def test_rocm_is_torchs_cuda_on_a_hip_build(gpu):
    gpu("AMD Radeon", 11, hip="6.2")
    choice = devices.choose("rocm")
    assert choice.device == torch.device("cuda:0")
    assert choice.kind == devices.choose("cuda").kind == "rocm"
    gpu("NVIDIA RTX 3060", 8)
    with pytest.raises(UsageError, match="CUDA, not for ROCm"):
        devices.choose("rocm")


def test_the_number_of_a_device_counts(gpu):
    gpu(count=2)
    assert devices.choose("cuda:1").device.index == 1
    with pytest.raises(UsageError, match="no device cuda:2"):
        devices.choose("cuda:2")


def test_fp32_switches_tf32_off(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    devices.apply(devices.choose("cpu", "fp32"))
    assert not torch.backends.cudnn.allow_tf32
    devices.apply(devices.choose("cpu", "bf16"))
    assert torch.backends.cudnn.allow_tf32


def test_the_doctor_names_torch_and_every_device():
    lines = devices.doctor()
    assert torch.__version__ in lines[0]
    assert any(line.startswith("cpu: ") for line in lines)
