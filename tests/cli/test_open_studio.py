"""Words that are no command: files for the studio, or a mistake."""

from __future__ import annotations

from ponystudio.cli.arguments import main


def test_without_a_display_the_studio_says_what_works(capsys, monkeypatch):
    monkeypatch.setattr("ponystudio.app.studio_main.can_show", lambda: False)
    assert main([]) == 2
    assert "no display" in (said := capsys.readouterr().err)
    assert "ponystudio run" in said


def test_files_are_opened_in_the_studio(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("ponystudio.app.studio_main.can_show", lambda: True)
    monkeypatch.setattr("ponystudio.app.studio_main.main", lambda files: opened.append(files) or 0)
    graph = tmp_path / "graph.json"
    graph.write_text("{}")
    assert main([str(graph)]) == 0
    assert main([]) == 0
    assert opened == [[graph], []]


def test_a_mistyped_command(capsys):
    assert main(["validtae"]) == 2
    assert "Did you mean `validate`?" in capsys.readouterr().err


def test_words_too_long_for_a_file_are_no_fault_of_ours(capsys):
    assert main(["a" * 5000]) == 2
    assert "neither a command nor a file" in capsys.readouterr().err
