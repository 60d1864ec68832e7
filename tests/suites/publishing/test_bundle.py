"""launch.py --bundle: unpacked elsewhere, the tex compiles, the repository verifies, and no secret is inside."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from agent.actions import perform
from agent.core.errors import UserError
from agent.core.paths import SessionPaths
from agent.pages.command import page_of
from agent.publishing.bundle.bundle import bundle
from agent.publishing.bundle.secrets import Stripper
from agent.session.policy import next_action
from agent.storage.git import GitStore
from agent.storage.locks import session_lock
from agent.storage.workspace import Workspace
from tests.support import ROOT
from tests.support.whole import Script, Whole


def a_page(paths):
    """The session's page as the command line has it made."""
    return page_of(paths, lambda event, session: event.type)


KEY = "sk-planted0123456789abcdefghij"
OWN = "a plain password of this machine"


@pytest.fixture(scope="module")
def clean(tmp_path_factory, stages):
    it = Whole(tmp_path_factory.mktemp("clean"), Script(1), cache=stages.cache, runs=1, reviews=1, pdf=True)
    it.play()
    call = next(it.paths.calls.glob("run-1.comment.*.json"))
    data = json.loads(call.read_text())
    data["messages"][0]["content"] += f' key="{OWN}" {KEY} http://me:hidden1234@proxy in {it.workspace.root}'
    call.write_text(json.dumps(data))
    return it


@pytest.fixture(scope="module")
def unpacked(clean, tmp_path_factory):
    out = tmp_path_factory.mktemp("elsewhere")
    os.environ["PLANTED_API_KEY"] = OWN
    try:
        assert bundle(clean.paths.root.name, clean.workspace, out, a_page) == 0
    finally:
        del os.environ["PLANTED_API_KEY"]
    archive = out / f"{clean.paths.root.name}.tar.gz"
    with tarfile.open(archive) as tar:
        tar.extractall(out)  # made a moment ago; Python before 3.11.4 knows no filter
    return out / clean.paths.root.name


def test_every_part_is_there_and_told(unpacked):
    readme = (unpacked / "README.txt").read_text()
    for name in (
        "paper.pdf",
        "tex/paper.tex",
        "tex/runpaper.cls",
        "tex/paper.bbl",
        "records/1.json",
        "review/review.md",
        "repository.bundle",
        "session/events.jsonl",
        "verify.sh",
        "notes.txt",
        "page.html",
    ):
        assert (unpacked / name).is_file(), name
        assert name.split("/")[0] in readme
    assert not any(path.is_dir() for path in (unpacked / "tex").iterdir())
    sums = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=unpacked, capture_output=True, text=True)
    assert sums.returncode == 0, sums.stdout


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="no TeX")
@pytest.mark.parametrize("bibtex", [True, False], ids=["with BibTeX", "from the .bbl"])
def test_the_tex_compiles_elsewhere_by_itself(unpacked, tmp_path, bibtex):
    shutil.copytree(unpacked / "tex", tmp_path / "tex")
    if not bibtex:
        (tmp_path / "tex/references.bib").unlink()
    command = [
        "latexmk",
        "-norc",
        "-pdf",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "-no-shell-escape",
        *([] if bibtex else ["-bibtex-"]),
        "paper.tex",
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path / "tex",
        capture_output=True,
        text=True,
        timeout=300,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert (tmp_path / "tex/paper.pdf").is_file(), done.stdout[-2000:]
    log = (tmp_path / "tex/paper.log").read_text(errors="replace")
    assert "undefined" not in "".join(line for line in log.splitlines() if "Warning" in line)


def test_the_repository_can_be_cloned_and_verifies(unpacked, tmp_path):
    done = subprocess.run(
        ["git", "clone", "--quiet", unpacked / "repository.bundle", tmp_path / "repo"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", "--verify", tmp_path / "repo"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout
    assert "numbers verified" in done.stdout
    assert "--verify" in (unpacked / "verify.sh").read_text()


def test_each_figure_has_its_data(unpacked, clean):
    record = json.loads((clean.paths.repo / "records/1.json").read_text())
    names = {path.stem for path in (unpacked / "figures").iterdir()}
    assert names and all((unpacked / f"figures/{name}.csv").is_file() for name in names)
    rows = list(csv.DictReader((unpacked / "figures/metrics.csv").open()))
    told = {(r["seed"], float(r["value"])) for r in rows if r["run"] == "1" and r["quantity"] == "score"}
    assert told == {(str(t["seed"]), t["metrics"]["score"]) for t in record["trainings"]}


def test_no_secret_and_no_place_of_this_machine_is_inside(unpacked, clean):
    texts = [path.read_text(errors="replace") for path in (unpacked / "session").rglob("*") if path.is_file()]
    texts.append((unpacked / "page.html").read_text())
    for secret in (KEY, OWN, "hidden1234", str(clean.workspace.root), str(ROOT)):
        assert not any(secret in text for text in texts), secret
    events = map(json.loads, (unpacked / "session/events.jsonl").read_text().splitlines())
    assert {e["host"] for e in events if "host" in e} == {"[host]"}
    assert any("[key]" in text for text in texts) and any("[workspace]" in text for text in texts)


def test_the_same_session_gives_the_same_bytes(clean, tmp_path):
    archives = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        bundle(clean.paths.root.name, clean.workspace, tmp_path / name, a_page)
        archives.append((tmp_path / name / f"{clean.paths.root.name}.tar.gz").read_bytes())
    assert archives[0] == archives[1]


def test_a_key_in_the_repository_stops_the_archive(clean, tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    copy = SessionPaths(workspace.root / clean.paths.root.name)
    shutil.copytree(clean.paths.root, copy.root, symlinks=True)
    notes = (copy.repo / "notes.txt").read_text()
    for number, text in enumerate((f"The provider said: Bearer {KEY}", notes), start=1):  # and taken out again
        (copy.repo / "notes.txt").write_text(text)
        GitStore(copy.repo).commit(["notes.txt"], "notes", {"Event": "notes", "Number": str(number)})
    with pytest.raises(UserError, match="holds what looks like a key, in notes.txt"):
        bundle("last", workspace, tmp_path, a_page)
    assert not list(tmp_path.glob("*.gz"))


def test_what_cannot_be_bundled_is_said(clean, tmp_path):
    with pytest.raises(UserError, match="not found"):
        bundle("nothing", clean.workspace, tmp_path, a_page)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/x: Not a directory; name another folder with --out"):
        bundle("last", clean.workspace, tmp_path / "file" / "x", a_page)
    with session_lock(clean.paths.lock), pytest.raises(UserError, match="held by"):
        bundle("last", clean.workspace, tmp_path, a_page)


def test_a_session_without_a_paper_says_how_to_go_on(whole, tmp_path):
    it = whole(runs=1)
    with it.tools() as tools:
        tools.journal.append(perform(next_action(tools.session), tools))
    with pytest.raises(UserError, match="has no paper yet; go on with --resume"):
        bundle("last", it.workspace, tmp_path, a_page)


def test_strings_are_stripped_and_the_rest_of_a_line_stays(tmp_path):
    strip = Stripper({Path("/srv/x"): "[checkout]"})
    line = json.dumps({"type": "t", "at": 1.5, "path": "/srv/x/a", "other": "/srv/xy", "reply": f'"{KEY}"'})
    assert json.loads(strip.json_line(line)) == {
        "type": "t",
        "at": 1.5,
        "path": "[checkout]/a",
        "other": "/srv/xy",
        "reply": '"[key]"',
    }
