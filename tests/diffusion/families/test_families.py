"""A family is a module: what has a `FAMILY` is known everywhere by what it says of itself."""

from __future__ import annotations

import importlib.util
import sys

import pytest

import ponystudio_nodes.loading
from ponystudio.diffusion import families as package
from ponystudio.diffusion.families import families, find_family, tower_prefix
from ponystudio.diffusion.families.predictions import AUTO, CHOICES, PREDICTIONS
from ponystudio.diffusion.families.text_encoder_specs import CLIP_G, CLIP_L, TOWERS
from ponystudio.errors import UnsupportedModel
from ponystudio.studio.models.model_summary import family_title

TOY = """
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.families.text_encoder_specs import CLIP_H

FAMILY = Family(
    name="toy", title="Toy Diffusion", short="Toy", position={position}, towers=(CLIP_H,),
    native=64, scaling_factor=0.5,
)
"""
FIRST = 0


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A family of a module that lies elsewhere; it goes first in lists."""
    (tmp_path / "toy.py").write_text(TOY.format(position=FIRST))
    (tmp_path / "no_family.py").write_text("")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    families.cache_clear()
    yield families()["toy"]
    families.cache_clear()
    for name in ("toy", "no_family"):
        sys.modules.pop(f"{package.__name__}.{name}", None)
        vars(package).pop(name, None)


def test_a_module_is_found_by_what_it_has(toy):
    assert find_family("toy") is toy
    assert len(families()) == len({family.position for family in families().values()})
    assert "no_family" not in families()


def test_people_are_told_its_names(toy):
    assert family_title("toy") == "Toy"
    with pytest.raises(UnsupportedModel, match="'tiy'") as caught:
        find_family("tiy")
    assert "Toy Diffusion" in caught.value.remedy


def test_its_text_encoders_may_be_loaded_and_it_stands_in_its_place(toy, monkeypatch):
    """Lists are made when the nodes are: a node pack that begins now has it."""
    spec = importlib.util.spec_from_file_location("toy_loading", ponystudio_nodes.loading.__file__)
    loading = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "toy_loading", loading)
    spec.loader.exec_module(loading)
    assert ("toy", *ponystudio_nodes.loading.TEXT_FAMILIES) == loading.TEXT_FAMILIES
    params = loading.load_clip.__ponystudio_node__.spec.param_by_name
    assert params["family"].choices == loading.TEXT_FAMILIES


def test_it_is_gone_with_its_module():
    assert "toy" not in families()
    with pytest.raises(UnsupportedModel):
        find_family("toy")


def test_every_module_and_no_two_families_in_one_place():
    known = families()
    assert {"sd1", "sd2", "sdxl", "auraflow", "flux", "sd3"} <= set(known)
    assert all(family.name == name for name, family in known.items())
    assert len({family.position for family in known.values()}) == len(known)
    assert min(family.position for family in known.values()) > FIRST


def test_latents_are_shared_by_families_of_one_autoencoder():
    sd1, sd2, sdxl = map(find_family, ("sd1", "sd2", "sdxl"))
    assert sd1.shares_latents("sd2")
    assert sd2.shares_latents("sd1")
    assert not sd1.shares_latents("sdxl")
    assert not sdxl.shares_latents("flux")


def test_tensors_of_a_text_encoder_are_named_where_it_is_one_of_several():
    assert tower_prefix(find_family("sd1"), CLIP_L) == ""
    assert tower_prefix(find_family("sdxl"), CLIP_G) == "clip_g."


def test_text_encoders_have_names_of_their_own_and_each_serves_a_family():
    names = [tower.name for tower in TOWERS]
    assert len(set(names)) == len({tower.noun for tower in TOWERS}) == len(names)
    assert {tower.name for family in families().values() for tower in family.towers} == set(names)


def test_what_a_model_predicts_may_be_said_in_words():
    assert (AUTO, *PREDICTIONS) == CHOICES
    assert PREDICTIONS["v, zero SNR"] == ("v", True)
    assert {kind for kind, _ in PREDICTIONS.values()} == {"eps", "v"}
