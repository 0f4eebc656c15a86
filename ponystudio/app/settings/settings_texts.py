"""The settings in words: how they are called, what they do, and their values."""

from __future__ import annotations

from typing import Any

from ponystudio.qt.i18n import tr

SECTIONS = ("look", "files", "engine", "keys")


def section(name: str) -> tuple[str, tuple[str, ...]]:
    """A heading, and the settings that stand below it."""
    return {
        "look": (
            tr("Look"),
            ("theme", "ui_scale", "density", "reduced_motion", "shapes_on_wires"),
        ),
        "files": (
            tr("Files"),
            ("output_folder", "file_name_pattern", "model_folders", "disk_cache_gb"),
        ),
        "engine": (
            tr("Engine"),
            ("device", "dtype", "device_memory_gb", "previews", "keep_awake", "notify"),
        ),
        "keys": (tr("Shortcuts"), ("key_preset",)),
    }[name]


def title(name: str) -> str:
    return {
        "theme": tr("Theme"),
        "ui_scale": tr("Size of everything"),
        "density": tr("Density"),
        "reduced_motion": tr("Less motion"),
        "shapes_on_wires": tr("Shapes on wires"),
        "output_folder": tr("Results go to"),
        "file_name_pattern": tr("Names of results begin with"),
        "model_folders": tr("Model folders"),
        "disk_cache_gb": tr("Results kept on disk, in GB"),
        "device": tr("Compute on"),
        "dtype": tr("Precision"),
        "device_memory_gb": tr("Memory to use, in GB"),
        "previews": tr("Live previews"),
        "keep_awake": tr("Keep the machine awake"),
        "notify": tr("Notify"),
        "key_preset": tr("Preset of shortcuts"),
    }[name]


def help_of(name: str) -> str:
    """A sentence below it, "" where the title says all."""
    return {
        "reduced_motion": tr("Nothing fades, drifts or glides."),
        "shapes_on_wires": tr("Each wire shows its type's shape."),
        "output_folder": tr("Empty: PonyStudio in your pictures folder."),
        "file_name_pattern": tr("For a new Save image. What stands before a / is a folder."),
        "model_folders": tr("Laid out as ours, ComfyUI's or A1111's; read where they are."),
        "device_memory_gb": tr("0: what the device has. Models that need more are read in blocks."),
        "previews": tr("Show how far a picture is while it is sampled."),
        "keep_awake": tr("While something runs."),
        "notify": tr("When a run ends while another window is in front."),
    }.get(name, "")


def no_whole_path() -> str:
    return tr("Write the whole path of a folder, or choose one.")


def no_folder() -> str:
    return tr("There is a file of that name: choose a folder.")


def value(value: Any) -> str:
    """A value as people say it; what has no words stands as it is."""
    if isinstance(value, float):
        return f"{value:.0%}"
    return {
        "system": tr("Like the system"),
        "dark": tr("Dark"),
        "light": tr("Light"),
        "comfortable": tr("Comfortable"),
        "compact": tr("Compact"),
        "touch": tr("Touch"),
        "auto": tr("Choose what fits"),
        "cpu": tr("Processor (CPU)"),
        "cuda": tr("NVIDIA card (CUDA)"),
        "cuda:1": tr("Second NVIDIA card (CUDA 1)"),
        "rocm": tr("AMD card (ROCm)"),
        "mps": tr("Apple chip (MPS)"),
        "fp32": tr("32 bits (fp32)"),
        "fp16": tr("16 bits (fp16)"),
        "bf16": tr("16 bits (bf16)"),
        "ponystudio": "PonyStudio",
        "comfyui": "ComfyUI",
        "blender": "Blender",
        "nuke": "Nuke",
    }.get(value, str(value))
