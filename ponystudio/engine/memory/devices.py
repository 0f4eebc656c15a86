"""Where and how precisely networks compute, and how much memory there is for them.

`auto` takes half precision only where it is fast and cannot be seen: for the denoiser, and on GPUs
for the text encoder and the upscaler too; never for the autoencoder, nor as bf16 for the upscaler,
for their last layers turn rounding into visible bands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ponystudio.errors import UsageError
from ponystudio.system import main_memory

DEVICES = ("auto", "cpu", "cuda", "rocm", "mps")
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
PARTS = ("model", "clip", "vae", "upscaler")
# Further parts, and which of those each computes as.
COMPUTES_AS = {
    "vision": "clip",
    "style_model": "clip",
    "gligen": "model",
    "aesthetic_head": "vae",
}

# Left to the system and to other programs.
RESERVE = 768 * 2**20
# NVIDIA's GTX 16 series computes NaN in half precision in many networks.
_FAULTY_HALF = re.compile(r"GTX 16\d\d")


@dataclass(frozen=True)
class DeviceChoice:
    """What a run computes with. `kind` is "cpu", "cuda", "rocm" or "mps"; `why` says it in words.

    `dtypes` has the computing dtype of each part of a model, that of the denoiser for ControlNets
    too. `memory`: bytes that may be taken of the device's; 0 for what there is.
    """

    device: torch.device
    kind: str
    dtypes: Mapping[str, torch.dtype]
    why: str
    memory: int = 0

    @property
    def dtype(self) -> torch.dtype:
        """The denoiser's."""
        return self.dtypes["model"]

    @property
    def wide(self) -> torch.dtype:
        """What does not overflow where fp16 does: bf16 where the device has it, else fp32."""
        if self.device.type == "cuda":
            has_bf16 = torch.cuda.is_bf16_supported()
        else:
            has_bf16 = self.device.type == "cpu" and native_bf16()
        return torch.bfloat16 if has_bf16 else torch.float32

    def within(self, nbytes: int) -> int:
        """So many bytes of the device's memory, or as many as may be taken."""
        return min(nbytes, self.memory) if self.memory else nbytes

    @property
    def precision(self) -> str:
        """All dtypes, as they stand in the keys of results."""
        return " ".join(f"{part}={short_name(self.dtypes[part])}" for part in PARTS)


def short_name(dtype: torch.dtype) -> str:
    return next((name for name, item in DTYPES.items() if item == dtype), str(dtype))


def short_title(choice: DeviceChoice) -> str:
    """The device in a word: "CUDA 0", "CPU"."""
    if choice.device.type == "cuda":
        name = "ROCm" if choice.kind == "rocm" else "CUDA"
        return f"{name} {choice.device.index or 0}"
    return "Apple GPU" if choice.kind == "mps" else "CPU"


def present() -> dict[str, str]:
    """The devices of this machine that torch can use: by the name that `choose` takes, what each
    is called."""
    kind = "rocm" if torch.version.hip else "cuda"
    found = {"cpu": "cpu"}
    for index in range(torch.cuda.device_count()):
        found[f"{kind}:{index}" if index else kind] = f"cuda:{index}"
    if torch.backends.mps.is_available():
        found["mps"] = "mps"
    return {name: _title(torch.device(device)) for name, device in found.items()}


def choose(device: str = "auto", dtype: str = "auto", memory: int = 0) -> DeviceChoice:
    """Pick a device ("auto", "cpu", "cuda", "cuda:1", "rocm", "mps") and precision.

    `dtype` is "auto", "fp32", "fp16" or "bf16"; `memory` is that of DeviceChoice. Raises UsageError
    for a device that is not here.
    """
    found = _device(device)
    kind = _kind(found)
    if dtype == "auto":
        half, reason = _fast_half(found)
    elif dtype in DTYPES:
        half, reason = DTYPES[dtype], "as asked"
    else:
        raise UsageError(f"There is no dtype {dtype}.", remedy="Use auto, fp32, fp16 or bf16.")
    dtypes = dict.fromkeys(PARTS, half)
    dtypes["vae"] = torch.float32
    if dtype == "auto" and kind == "cpu":
        dtypes["clip"] = dtypes["upscaler"] = torch.float32
    dtypes |= {part: dtypes[other] for part, other in COMPUTES_AS.items()}
    why = f"{_title(found)}, {short_name(half)} ({reason})"
    return DeviceChoice(found, kind, dtypes, why, memory)


def apply(choice: DeviceChoice) -> None:
    """Set what of the choice is a switch of the whole process: fp32 means no tf32 either."""
    tf32 = choice.dtype != torch.float32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    if choice.kind in ("cuda", "rocm"):
        # Past the dedicated memory Windows pages to the main memory at a tenth of the speed.
        total = torch.cuda.get_device_properties(choice.device).total_memory
        most = choice.within(total - RESERVE // 2)
        torch.cuda.set_per_process_memory_fraction(most / total, choice.device)


def device_memory(device: torch.device) -> int:
    """Bytes that the device has for this process at all, less a reserve."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) - RESERVE
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory()) - RESERVE
    return max(main_memory.total() - RESERVE, main_memory.total() // 2)


def whole_memory(device: torch.device) -> int:
    """Bytes that the device has, as its maker says."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory())
    return main_memory.total()


def free_device_memory(device: torch.device) -> int:
    """Bytes that can be taken on the device now, what torch holds in reserve included."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + held) - RESERVE // 2
    if device.type == "mps":
        return device_memory(device) - taken_memory(device)
    return main_memory.available()


def taken_memory(device: torch.device) -> int:
    """Bytes of the device that are in use by this process, what torch holds in reserve left out."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.current_allocated_memory())
    return 0


def release_cached(device: torch.device) -> None:
    """Give memory that torch keeps for later back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def doctor() -> list[str]:
    """What there is to compute with, one line each."""
    lines = [f"torch {torch.__version__}"]
    for name in present():
        choice = choose(name)
        gigabytes = device_memory(choice.device) / 2**30
        lines.append(f"{name}: {choice.why}, {gigabytes:.1f} GiB of memory")
    lines.append(f"chosen by default: {choose().why}")
    return lines


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind == "cpu":
        return torch.device("cpu")
    if kind == "mps" and torch.backends.mps.is_available():
        return torch.device("mps")
    if kind in ("cuda", "rocm") and torch.cuda.is_available():
        index = int(number or 0)
        if index >= torch.cuda.device_count():
            raise UsageError(
                f"There is no device {name}.",
                remedy=f"This machine has cuda:0 to cuda:{torch.cuda.device_count() - 1}.",
            )
        if kind == "rocm" and torch.version.hip is None:
            raise UsageError(
                "The installed torch is made for CUDA, not for ROCm.",
                remedy="Use --device cuda, or install the ROCm build of torch.",
            )
        return torch.device(f"cuda:{index}")
    if kind in DEVICES:
        raise UsageError(
            f"There is no {name} device here, or torch cannot use it.",
            remedy="See `ponystudio doctor`, or use --device cpu.",
        )
    raise UsageError(f"There is no device {name}.", remedy=f"Use one of: {', '.join(DEVICES)}.")


def _kind(device: torch.device) -> str:
    return "rocm" if device.type == "cuda" and torch.version.hip else device.type


def _fast_half(device: torch.device) -> tuple[torch.dtype, str]:
    """The dtype for the denoiser where nobody asked, and why."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        if torch.version.hip is None and properties.major < 7:
            return torch.float32, "this GPU is slow at half precision"
        if _FAULTY_HALF.search(properties.name):
            return torch.float32, "this GPU miscalculates at half precision"
        return torch.float16, "half the memory of fp32, and faster"
    if device.type == "mps":
        return torch.float16, "half the memory of fp32, and faster"
    if native_bf16():
        return torch.bfloat16, "this CPU computes bf16 natively"
    return torch.float32, "this CPU has no native half precision"


def native_bf16() -> bool:
    """Whether the CPU multiplies bf16 matrices in hardware (AVX512_BF16, AMX, or ARM's BFMMLA).

    Elsewhere torch emulates it, which is slower than fp32.
    """
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    known = ("avx512_bf16", "amx_bf16", "bf16")
    return any(capabilities.get(name) for name in known) or any(
        name in _cpu_flags() for name in ("avx512_bf16", "amx_bf16", "bf16")
    )


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:  # no Linux: torch's own list is all there is
        return set()
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return set(match[1].split()) if match else set()


def _title(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    cores = "1 thread" if threads == 1 else f"{threads} threads"
    return {"cpu": f"CPU with {cores}", "mps": "Apple GPU"}[device.type]
