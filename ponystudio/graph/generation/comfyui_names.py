"""Samplers and schedules of programs that name them as ComfyUI does, and so as we do."""

from __future__ import annotations

from ponystudio.graph.generation.a1111_names import sampler_of, schedule_of


def known_names(sampler: str, scheduler: str, remarks: list[str]) -> tuple[str, str]:
    """Sampler and schedule; in the place of one that is not known what suits most, and a remark."""
    known, said = sampler_of(sampler)
    if not known:
        remarks.append(f"the sampler {sampler} is not known here: it is euler now")
    schedule = schedule_of(scheduler) or said
    if not schedule:
        remarks.append(f"the schedule {scheduler} is not known here: it is the model's own now")
    return known or "euler", schedule or "auto"
