"""Counts that are worked out in the background."""

from helpers.sparse import write_sparse
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.models.token_counter import Counts
from ponystudio.studio.models.token_counts import PromptState


def test_counts_arrive_later(qtbot, tmp_path):
    counts = Counts(lambda: ModelFolders([tmp_path]))
    with qtbot.waitSignal(counts.changed):
        assert counts.get(PromptState("a unicorn", "a1111"), "here") is None
    assert counts.get(PromptState("a unicorn", "a1111"), "here").tokens == 2
    with qtbot.waitSignal(counts.changed):
        # Until the new one is there the last one stays.
        assert counts.get(PromptState("a unicorn, 3d", "a1111"), "here").tokens == 2
    assert counts.get(PromptState("a unicorn, 3d", "a1111"), "here").tokens == 5
    assert counts.get(PromptState("  ", "a1111"), "here").tokens == 0


def test_those_that_loras_bring_count_behind_them(tmp_path, qtbot):
    (tmp_path / "loras").mkdir()
    write_sparse(
        tmp_path / "loras" / "mane.safetensors",
        {"bundle_emb.twilight.clip_l": [7, 4], "x.lora_up.weight": [2, 2]},
    )
    counts = Counts(lambda: ModelFolders([tmp_path]))
    behind = PromptState("a embedding:twilight", "a1111", ("mane.safetensors", "gone.safetensors"))
    beside = PromptState(behind.text, behind.dialect)
    for prompt in (behind, beside):
        with qtbot.waitSignal(counts.changed):
            counts.get(prompt)
    assert (counts.get(behind).tokens, counts.get(behind).problem) == (8, "")
    assert "twilight" in counts.get(beside).problem
    assert "twilight" in counts.embedding_names()
