"""What a page is made from: code of many commits at once, and figures that only a sandbox may draw."""

import shutil

import pytest

from agent.core.paths import SessionPaths
from agent.pages.reading import PNG, gather
from agent.sandbox.probe import probe
from agent.storage.git_reader import GitReader
from tests.support.frozen import finished
from tests.support.paged import many_runs


def test_files_of_many_commits_are_read_at_once_and_in_order(tmp_path):
    paths = many_runs(tmp_path, 3)
    repo = GitReader(paths.repo / ".git")
    commits = [c.id for c in repo.commits]
    wanted = [
        (commits[2], "experiment.py"),
        (commits[0], "nothing.py"),
        (commits[1], "experiment.py"),
        (commits[0], "template"),  # a folder
        ("--all", "experiment.py"),
        (commits[0], "../experiment.py"),
        ("", "experiment.py"),
        (commits[3], "experiment.py"),
    ]

    found = repo.blobs(wanted)

    assert found == [
        repo.blob(commits[2], "experiment.py"),
        None,
        repo.blob(commits[1], "experiment.py"),
        None,
        None,
        None,
        None,
        repo.blob(commits[3], "experiment.py"),
    ]
    assert found[0] != found[2]


@pytest.mark.skipif(shutil.which("pdftoppm") is None or bool(probe()), reason="no pdftoppm or no sandbox")
def test_an_agents_figure_is_drawn_in_the_sandbox(tmp_path):
    found = gather(SessionPaths(finished(tmp_path)))
    by = {figure.name: figure.by for figure in found.session.figures}

    assert "agent" in by.values()
    assert set(found.pictures) == set(by)
    assert all(picture.startswith(PNG) for picture in found.pictures.values())


def test_a_session_that_has_only_begun_has_no_records_and_no_problem(tmp_path):
    paths = many_runs(tmp_path, 1)
    first = paths.events.read_text().splitlines(keepends=True)[0]
    paths.events.write_text(first)
    shutil.rmtree(paths.repo)

    found = gather(paths)

    assert (found.records, found.problems, found.paper) == ((), (), None)
