"""Where a run finds models and leaves files."""

from __future__ import annotations

from ponystudio.graph.formats.metadata_policy import MetadataPolicy
from ponystudio.graph.model import Graph
from ponystudio.studio.runs.run_folders import RunFolders


def test_folders_are_those_of_the_moment(tmp_path):
    output = [tmp_path / "first"]
    folders = RunFolders(lambda: [tmp_path], lambda: output[0], tmp_path / "previews")
    output[0] = tmp_path / "second"
    request = folders.request(Graph(), tmp_path / "graphs", ["save"], "id", denoiser_on_cpu=True)
    assert (request.output, request.previews) == (tmp_path / "second", tmp_path / "previews")
    assert (request.targets, request.scope) == (("save",), "id")
    assert request.folders.graph_dir == tmp_path / "graphs"
    assert request.denoiser_on_cpu
    assert request.titled
    assert not request.ignore_cache
    assert folders.request(Graph(), None, None, "").targets is None


def test_a_picture_is_made_again_in_a_folder_of_its_own(tmp_path):
    folders = RunFolders(lambda: [tmp_path], lambda: tmp_path / "output", tmp_path / "previews")
    request = folders.request(Graph(), None, [], "", output_override=tmp_path / "again")
    assert request.output == request.previews == tmp_path / "again"
    assert request.ignore_cache
    assert request.targets == ()


def test_what_files_say_is_as_it_is_set_then_but_all_of_it_for_a_comparison(tmp_path):
    silent = MetadataPolicy("nothing", disclosed=False)
    folders = RunFolders(
        lambda: [tmp_path], lambda: tmp_path, tmp_path / "previews", lambda: silent
    )
    assert folders.request(Graph(), None, None, "").metadata == silent
    again = folders.request(Graph(), None, [], "", output_override=tmp_path / "again")
    assert again.metadata == MetadataPolicy()
