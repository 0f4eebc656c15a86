"""Samplers whose noise ComfyUI draws where it runs: that of a graphics card is another."""

from __future__ import annotations

from ponystudio.graph.model import Graph

DRAWN = frozenset(
    (
        *("euler_ancestral", "euler_ancestral_cfg_pp", "dpm_2_ancestral", "dpmpp_2s_ancestral"),
        *("dpmpp_2s_ancestral_cfg_pp", "res_multistep_ancestral", "res_multistep_ancestral_cfg_pp"),
        *("lcm", "ddpm", "er_sde", "seeds_2", "seeds_3", "sa_solver", "sa_solver_pece"),
    )
)
"""Those that draw it between steps, from a generator; the others with "sde" in their names follow a
path of it."""


def drawn_on_cards(graph: Graph) -> list[tuple[str, str]]:
    """What is to be said of each sampler whose noise between steps is the device's there."""
    return [
        (
            id,
            f"between the steps of {name} ComfyUI draws noise on the device that it runs on:"
            " for a picture of an NVIDIA card set Noise source to nvidia",
        )
        for id, node in graph.nodes.items()
        if isinstance(name := node.params.get("sampler"), str)
        and (name in DRAWN or name.endswith("_gpu"))
    ]
