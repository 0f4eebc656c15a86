"""Captions say what there is, in the words that the prompts of users have."""

from __future__ import annotations

from random import Random

from ponystudio.diffusion.text.clip_tokens import ClipTokenizer
from ponystudio.diffusion.text.prompt_syntax import parse


def test_a_simple_caption_calls_the_concept_by_its_name(concepts):
    from starter.captions import caption

    found = {caption(concepts[0], "3d", "blue", Random(i), simple=True) for i in range(200)}
    assert "unicorn, 3d, blue background" in found
    assert all("unicorn" in text for text in found)
    assert {"unicorn", "3d", "blue background"} == {t for text in found for t in text.split(", ")}


def test_other_names_and_keywords_come_along_now_and_then(concepts):
    from starter.captions import caption

    found = [caption(concepts[0], "3d", "blue", Random(i)) for i in range(400)]
    assert any("mystical" in text for text in found)
    assert any("animal" in text for text in found)
    assert any("unicorn" not in text and "mystical" not in text for text in found)
    assert found == [caption(concepts[0], "3d", "blue", Random(i)) for i in range(400)]


def test_captions_are_framed_as_the_app_frames_prompts():
    from starter.captions import END, framed, length

    text = "unicorn, line art, black background"
    (chunk,) = ClipTokenizer().chunks(parse(text, "a1111"), "a1111")
    assert framed(text) == tuple(chunk.ids)
    assert framed(text)[length(text)] == END
    assert framed(text)[length(text) - 1] != END


def test_every_token_of_a_caption_is_known(concepts):
    from starter.captions import caption, framed, tokens
    from starter.pictures import BACKGROUNDS

    known = set(tokens(concepts, ["3d", "line art"]))
    for i in range(200):
        random = Random(i)
        background = random.choice(list(BACKGROUNDS))
        text = caption(random.choice(concepts), "line art", background, random)
        assert known.issuperset(framed(text))
