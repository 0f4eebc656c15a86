"""NovelAI's JSON."""

from __future__ import annotations

import json

from helpers import foreign_pictures as foreign
from ponystudio.graph.generation import novelai
from ponystudio.graph.generation.generation_params import UsedModel
from ponystudio.graph.generation.generation_reading import params_in, params_of


def read(**said):
    return novelai.read({**foreign.NOVEL, **said}, foreign.NOVEL_FIELDS)


def test_a_picture_from_words():
    params = read()
    assert (params.program, params.dialect) == ("NovelAI", "a1111")
    assert params.prompt == "a (pony:1.05), (hat:1.3)"
    assert params.negative == "(blurry:0.952)"
    assert params.model == UsedModel("Stable Diffusion XL C1E1DE52")
    assert (params.sampler, params.scheduler) == ("euler_ancestral", "karras")
    assert (params.seed, params.steps, params.cfg, params.rescale) == (77, 25, 6.5, 0.2)
    assert (params.width, params.height) == (512, 768)
    assert params.source is None
    assert len(params.remarks) == 1


def test_the_oldest_say_the_prompt_beside_it_and_no_size():
    said = {name: foreign.NOVEL[name] for name in ("uc", "steps", "scale", "seed", "sampler")}
    params = params_in({**foreign.NOVEL_FIELDS, "Comment": json.dumps(said)})
    assert params.prompt == "a (pony:1.05)"
    assert (params.width, params.height) == (0, 0)
    assert params.scheduler == "normal"


def test_prompts_of_version_4_have_characters():
    caption = {
        "base_caption": "a field",
        "char_captions": [{"char_caption": "a {pony}", "centers": []}, {"char_caption": "a fox"}],
    }
    params = read(v4_prompt={"caption": caption})
    assert params.prompt == "a field, a (pony:1.05), a fox"


def test_over_a_picture():
    params = read(request_type="Img2ImgRequest", strength=0.6)
    assert (params.source.denoise, params.source.masked) == (0.6, False)
    assert read(request_type="NativeInfillingRequest").source.masked
    # Both stand in pictures from words, too.
    assert read(strength=0.6, noise=0.1).source is None


def test_what_it_does_alone_is_told():
    params = read(sm=True, sampler="nai_smea", noise_schedule="odd")
    assert params.sampler == "euler_ancestral"
    assert params.remarks[1:] == (
        "the schedule odd is not known here: it is normal now",
        "NovelAI's SMEA is not done here",
    )
    assert "k_new is not known" in read(sampler="k_new").remarks[1]


def test_all_fields_as_one_text():
    assert params_of(json.dumps(foreign.NOVEL_FIELDS)).seed == 77
    assert params_of(json.dumps({**foreign.NOVEL_FIELDS, "Comment": "a note"})) is None


def test_values_of_other_kinds_are_left_out():
    for value in (None, [], {}, "x" * 3000, -1, 1e999, True, [[[]]], {"caption": {"a": 1}}):
        for name in (*foreign.NOVEL, "v4_prompt", "v4_negative_prompt"):
            params = read(**{name: value})
            assert params is None or params.steps > 0
