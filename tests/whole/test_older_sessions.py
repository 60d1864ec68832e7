"""A session that an older version recorded opens, resumes, shows its status and verifies with today's code."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.app.exits import DONE, NO_PDF
from agent.app.playing import play_session
from agent.core.paths import SessionPaths
from agent.publishing.verify.subject import Subject, committed_files, read_material
from agent.publishing.verify.values import values_problems
from agent.session.session import fold
from agent.storage.git_reader import GitReader
from agent.storage.log import EventLog
from tests.support import ROOT
from tests.support.frozen import ARCHIVES, NAME, unpack
from tests.support.whole import Script, Whole


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def old(request, tmp_path) -> Path:
    """An archive, unpacked; what it says of its place is told the new one."""
    return unpack(request.param, tmp_path)


def launch(*words) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, ROOT / "launch.py", *words], capture_output=True, text=True, check=False)


def events(workspace: Path) -> bytes:
    return SessionPaths(workspace / NAME).events.read_bytes()


def test_its_status_is_shown(old):
    for workspace, says in (("finished", r"done +done +1 of 1"), ("stopped", r"stopped +\w+ +2 of 2")):
        shown = launch("--status", "--workspace", old / workspace)
        assert shown.returncode == 0 and re.search(f"{NAME} +{says}", shown.stdout), shown


def test_its_paper_verifies_or_the_answer_names_the_version_that_made_it(old):
    told = launch("--verify", old / "finished" / NAME / "repo")
    assert re.search(r"^94 of 94 numbers verified$|made by another version", told.stdout, re.MULTILINE), told
    assert told.returncode == 0
    assert "Nothing is signed." in told.stdout


def test_a_number_that_was_changed_in_a_paper_of_another_version_is_found(old):
    folder = old / "finished" / NAME / "repo/.git"
    repo = GitReader(folder)
    material = read_material(repo, committed_files(Subject(folder, None), repo))
    tex = repo.blob(repo.head, "paper/paper.tex").decode()
    printed = next(line for line in tex.splitlines() if re.search(r"\\result\{\d+\}\{0\.\d{3}", line))
    forged = re.sub(r"(\\result\{\d+\}\{)0\.\d{3}", r"\g<1>7.777", printed, count=1)

    count, problems = values_problems(tex, material)
    _, found = values_problems(tex.replace(printed, forged), material)

    assert count > 50 and problems == []
    assert [p.what for p in found] == ["prints 7.777, which no record gives"]


def test_a_finished_one_resumed_asks_and_trains_nothing(old):
    before = events(old / "finished")
    whole = Whole(old / "finished", Script(1), runs=1)

    session = whole.play()

    assert session.finished and whole.model.asked == []
    assert events(old / "finished").startswith(before)


def test_a_stopped_one_goes_on_to_its_end_and_repeats_nothing(old):
    before, records = events(old / "stopped"), old / "stopped" / NAME / "repo/records"
    kept = {path.name: path.read_bytes() for path in records.glob("*.json")}
    options = fold(EventLog(SessionPaths(old / "stopped" / NAME).events).read()).options
    whole = Whole(old / "stopped", Script(2), runs=2)

    session = whole.play(changed=options.model_copy(update={"stop_after": None}))

    assert session.finished and events(old / "stopped").startswith(before)
    assert {name: (records / name).read_bytes() for name in kept} == kept
    assert not [step for step, _ in whole.model.asked if re.match(r"plan|novelty|run-", step)]


def test_a_session_whose_paper_has_no_pdf_is_not_called_done(old):
    whole = Whole(old / "finished", Script(1), runs=1)
    lines = [json.loads(line) for line in whole.paths.events.read_text().splitlines()]
    for line in lines:
        if line["type"] == "compiled":
            line |= {"ok": False, "pages": 0, "problems": ["error, line 0: paper.bbl, line 9, the work doe: no such"]}
    whole.paths.events.write_text("".join(json.dumps(line) + "\n" for line in lines))

    with whole.tools() as tools:
        assert play_session(tools) == NO_PDF
    said = "\n".join(whole.console.lines)
    assert "Done" not in said and "The paper has no PDF" in said and "the work doe" in said
    shown = launch("--status", "--workspace", old / "finished")
    assert re.search(f"{NAME} +no PDF +done", shown.stdout), shown


def test_a_session_that_has_its_paper_is_done(old):
    whole = Whole(old / "finished", Script(1), runs=1)

    with whole.tools() as tools:
        assert play_session(tools) == DONE
    assert "Done." in "\n".join(whole.console.lines)
