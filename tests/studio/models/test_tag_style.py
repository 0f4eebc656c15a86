"""Underscores in tags, to spaces and back; lists of boards."""

import pytest

from ponystudio.studio.models.tag_style import as_prompt, with_spaces, with_underscores

# As boards write it, and as models read it.
PAIRS = [
    ("long_hair, looking_at_viewer", "long hair, looking at viewer"),
    ("(long_hair:1.2), [blue_eyes]", "(long hair:1.2), [blue eyes]"),
    ("score_9, score_8_up, score_10, red_barn", "score_9, score_8_up, score_10, red barn"),
    ("score_safe, rating_explicit, source_pony", "score_safe, rating_explicit, source_pony"),
    ("style_cluster_1324, oil_paint", "style_cluster_1324, oil paint"),
    ("^_^, o_O, >_<, (o)_(o), |_|, blue_sky", "^_^, o_O, >_<, (o)_(o), |_|, blue sky"),
    ("<lora:my_mane:0.8>, wet_mane", "<lora:my_mane:0.8>, wet mane"),
    ("embedding:bad_hands, bad_feet", "embedding:bad_hands, bad feet"),
    ("__pony_colours__, red_tail", "__pony_colours__, red tail"),
    (r"rem_\(re:zero\), by=some_artist", r"rem \(re:zero\), by=some artist"),
    ("red_sky BREAK blue_sky AND a_sun", "red sky BREAK blue sky AND a sun"),
    ("red_sky\nblue_sky", "red sky\nblue sky"),
    ("日本_語, été_chaud", "日本 語, été chaud"),
]


@pytest.mark.parametrize(("board", "read"), PAIRS)
def test_there_and_back(board, read):
    assert with_spaces(board) == read
    assert with_underscores(read) == board
    assert with_spaces(read) == read
    assert with_underscores(board) == board


def test_what_only_looks_like_a_steering_tag():
    assert with_spaces("score_keeper, high_score_9, multi_source_x") == (
        "score keeper, high score 9, multi source x"
    )


def test_brackets_of_a_name_are_escaped():
    """As a board has them they would weigh the words in them."""
    assert with_spaces("rem_(re:zero), saber_(fate)") == r"rem \(re:zero\), saber \(fate\)"
    assert with_spaces("hair_(long_blue:1.2)") == "hair_(long blue:1.2)"


def test_names_of_embeddings_stay():
    names = ["bad_prompt_v2"]
    assert with_spaces("bad_prompt_v2, (Bad_Prompt_V2:0.8), bad_hand", names) == (
        "bad_prompt_v2, (Bad_Prompt_V2:0.8), bad hand"
    )
    assert with_underscores("a very bad_prompt_v2, bad hand", names) == (
        "a_very bad_prompt_v2, bad_hand"
    )


def test_words_beside_a_steering_tag_are_not_joined_to_it():
    assert with_underscores("score_9 a pony, rating_safe") == "score_9 a_pony, rating_safe"


LISTS = [
    ("1girl long_hair score_9", "1girl, long hair, score_9"),
    ("1girl  solo\tlong_hair ", "1girl, solo, long hair "),
    ("long_hair\nblue_eyes red_nose", "long hair,\nblue eyes, red nose"),
    ("^_^ :3 rem_(re:zero) o_o", r"^_^, :3, rem \(re:zero\), o_o"),
    ("(long_hair blue_eyes:1.2) smile", "(long hair, blue eyes:1.2), smile"),
    ("( long_hair ) { red_hat | blue_hat }", "( long hair ), { red hat | blue hat }"),
    ("red_sky BREAK blue_sky sun", "red sky BREAK blue sky, sun"),
    ("by=some_artist <lora:my_mane:0.8> mane", "by=some artist, <lora:my_mane:0.8>, mane"),
    ("embedding:bad_hands __pony_colours__", "embedding:bad_hands, __pony_colours__"),
    ("", ""),
]


@pytest.mark.parametrize(("board", "read"), LISTS)
def test_a_boards_list_becomes_a_prompt(board, read):
    assert as_prompt(board) == read
    if "," in read:
        assert as_prompt(read) == read


def test_where_commas_part_tags_blanks_do_not():
    assert as_prompt("long hair, blue_eyes, a pony") == "long hair, blue eyes, a pony"
    assert as_prompt("bad_v2 my_tag", ["Bad_v2"]) == "bad_v2, my tag"


@pytest.mark.timeout(60)
def test_a_book_takes_no_time_that_grows_with_its_square():
    text = "long_hair, (a_(b:1.2), " * 20_000
    assert with_spaces(text).startswith("long hair, ")
    assert as_prompt(text.replace(",", "")).startswith("long hair, ")
