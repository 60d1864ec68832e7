"""--verify: a clone elsewhere gives every number again; whatever was altered is found, and its place named."""

import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from agent.core.errors import UserError
from agent.publishing.verify.bench import Means
from agent.publishing.verify.command import examine, find, verify
from agent.publishing.verify.remeasure import remeasure
from agent.publishing.verify.rendering import Makers, recompile
from agent.publishing.verify.subject import Report, Subject
from agent.sandbox.boxes import BubblewrapSandbox
from agent.storage.workspace import Workspace
from paper.evidence.facts import record_sha256
from paper.pictures.figures import standard_figures
from paper.press.compare import missing_numbers
from paper.press.parts import Rendered
from tests.support import ROOT
from tests.support.whole import Script, Whole

NOWHERE = Workspace(Path("/nonexistent"))
FORGED = {
    **os.environ,
    **{f"GIT_{who}_{what}": "experiment-runner" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Run 1 failed, run 2 was measured; with figures and a PDF."""
    answers = {"run-1.edit-1": "I would rather not."}
    whole = Whole(
        tmp_path_factory.mktemp("workspace"), Script(2, answers), runs=2, attempts=1, pdf=True, baselines=("topk",)
    )
    assert whole.play().finished
    return whole


@pytest.fixture
def clone(session, tmp_path):
    target = tmp_path / "elsewhere"
    git(tmp_path, "clone", "-q", "--no-hardlinks", session.paths.repo, target)
    return target


def git(folder, *words):
    return subprocess.run(
        ["git", *map(str, words)], cwd=folder, env=FORGED, check=True, capture_output=True, text=True
    ).stdout.strip()


class Remembered:
    """This machine's TeX and matplotlib, asked once for each text and each set of records."""

    def __init__(self, folder):
        self.folder, self.made, self.drawn = folder, {}, {}

    def compile(self, folder):
        tex = (folder / "paper.tex").read_text()
        if tex not in self.made:
            self.made[tex] = recompile(folder)
        return self.made[tex]

    def draw(self, facts, folder):
        key = tuple(map(record_sha256, facts.records)) + (repr(facts.manifest),)
        if key not in self.drawn:
            self.drawn[key] = standard_figures(facts, self.folder / str(len(self.drawn)))
        return self.drawn[key]


@pytest.fixture(scope="module")
def remembered(tmp_path_factory):
    return Remembered(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def look(remembered):
    """Examine what a path leads to, with TeX where that is asked for."""

    def look(path, tex=False) -> Report:
        makers = Makers(remembered.compile if tex else lambda folder: None, remembered.draw)
        report = Report()
        examine(find(str(path), NOWHERE), report, makers)
        return report

    return look


@pytest.fixture
def problems(look):
    """What is found, one line each; there must be something."""

    def problems(path, tex=False) -> str:
        found = [f"{p.where}: {p.what}" for p in look(path, tex).problems]
        assert found
        return "\n".join(found)

    return problems


def primary(clone, run="2"):
    """A run's record, and its mean score as the paper prints it."""
    record = json.loads((clone / f"records/{run}.json").read_text())
    tex = (clone / "paper/paper.tex").read_text()
    return record, re.search(r"\\result\{\d+\}\{\\measured\{(0\.\d+)~", tex)[1]


def change(path, old, new, count=1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def commit(clone, *files, event="notes"):
    git(clone, "add", "-A", *files)
    git(clone, "commit", "-qm", f"quiet\n\nEvent: {event}")


def other_digit(number):
    return number[:-1] + str((int(number[-1]) + 3) % 10)


def alter_pdf(path, number):
    """Print another last digit wherever the number stands, in the pages' own content streams."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import DecodedStreamObject, NameObject

    writer, found = PdfWriter(clone_from=PdfReader(path)), False
    for page in writer.pages:
        data = page.get_contents().get_data()
        if number.encode() in data:
            stream = DecodedStreamObject()
            stream.set_data(data.replace(number.encode(), other_digit(number).encode()))
            page[NameObject("/Contents")] = writer._add_object(stream)
            found = True
    assert found, f"{number} is in no content stream"
    writer.write(path)


# ---------------------------------------------------------------- what verifies


def test_a_clone_elsewhere_is_verified_by_the_command_in_seconds(session, clone):
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", "--verify", clone],
        capture_output=True,
        text=True,
        cwd=clone.parent,
        timeout=60,
        check=False,
    )

    match = re.search(r"^(\d+) of (\d+) numbers verified$", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and match, done.stdout + done.stderr
    assert match[1] == match[2] and int(match[1]) > 30
    assert "Signed with key" in done.stdout and "owner of the key can" in done.stdout
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.endswith(".")][-5:-1] == [
        "Numbers",
        "References",
        "Settings and method",
        "Sentences",
    ]
    assert git(clone, "status", "--porcelain") == ""


def test_a_program_reads_what_was_found_and_a_person_hears_each_step(clone, capsys):
    change(clone / "notes.txt", "Question", "question")
    heard = []
    assert verify(str(clone), NOWHERE, as_json=True, say=heard.append) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["verified"], told["numbers"]) == (False, told["numbers_verified"]) and told["numbers"] > 0
    assert [problem["where"] for problem in told["problems"]] == ["notes.txt"]
    steps = ("Reading the repository", "Checking", "Rendering the paper", "Drawing its figures", "Compiling", "")
    assert all(said.startswith(step) for said, step in zip(heard, steps, strict=True))


def test_the_repository_says_to_a_stranger_what_it_is(session, clone):
    page = (clone / "README.md").read_text()
    assert page.startswith(f"# {session.idea.Title}\n") and "--verify" in page
    assert "README.md" in git(
        clone, "show", "--name-only", "--format=", git(clone, "rev-list", "--max-parents=0", "HEAD")
    )


def test_session_bare_clone_and_paper_with_a_clone_beside_it_are_verified_too(session, clone, tmp_path, look):
    git(tmp_path, "clone", "-q", "--bare", session.paths.repo, tmp_path / "bare.git")
    shutil.copy(clone / "paper/paper.pdf", tmp_path / "paper.pdf")

    for path in (
        session.paths.root,
        session.paths.repo,
        tmp_path / "bare.git",
        clone / "paper/paper.pdf",
        tmp_path / "paper.pdf",
    ):
        assert look(path, tex=True).problems == [], path


def test_without_tex_the_numbers_of_the_pdf_are_found_in_its_text(clone, look):
    report = look(clone)

    assert report.problems == [] and report.verified == report.numbers
    assert any("No TeX here" in note for note in report.notes)


# ---------------------------------------------------------------- what does not


@pytest.mark.parametrize("tex", [True, False], ids=["tex", "no-tex"])
def test_a_digit_changed_in_the_pdf_is_found_with_its_expression(clone, tex, look):
    _, number = primary(clone)
    alter_pdf(clone / "paper/paper.pdf", number)

    report = look(clone, tex)

    said = [p.what for p in report.problems]
    assert any(number in text and "mean(" in text for text in said), said
    assert report.verified < report.numbers


def test_a_number_that_a_figure_shows_too_does_not_hide_a_changed_one(tmp_path):
    from matplotlib.figure import Figure

    figure = Figure()
    figure.text(0.5, 0.5, "0.641")
    figure.savefig(tmp_path / "bars.pdf")
    files = {"bars.pdf": tmp_path / "bars.pdf"}
    rendered = Rendered(
        tex="F1 is 0.641.\n\\includegraphics{bars.pdf}", bib="", complaints=(), dropped=(), files=files, rows=()
    )

    assert missing_numbers(["F1 is 0.641.", "0.641"], rendered) == []
    assert [p.what for p in missing_numbers(["F1 is 0.644.", "0.641"], rendered)] == [
        "lacks a 0.641 that the records give in line 1 of paper.tex"
    ]


def test_a_digit_changed_in_a_committed_pdf_with_its_hash_is_found(clone, problems):
    _, number = primary(clone)
    pdf, account = clone / "paper/paper.pdf", clone / "paper/meta.json"
    before = git(clone, "hash-object", pdf)
    alter_pdf(pdf, number)
    from agent.lab.built import file_sha256

    text = json.loads(account.read_text())
    text["files"]["paper.pdf"] = file_sha256(pdf)
    account.write_text(json.dumps(text))
    commit(clone, event="compiled")

    assert git(clone, "hash-object", pdf) != before
    assert f"prints {other_digit(number)!r} where the record gives {number!r}" in problems(clone, tex=True)


def test_a_digit_changed_in_the_tex_is_found_with_its_line(clone, problems):
    _, number = primary(clone)
    change(clone / "paper/paper.tex", number, other_digit(number))
    line = (clone / "paper/paper.tex").read_text().split(other_digit(number))[0].count("\n") + 1

    assert f"paper/paper.tex, line {line} " in (said := problems(clone))
    assert f"prints '{other_digit(number)}" in said and 'mean("ours", "score")' in said


def test_a_metric_changed_in_a_record_is_found_before_it_is_committed(clone, problems):
    value = primary(clone)[0]["trainings"][0]["metrics"]["score"]
    change(clone / "records/2.json", str(value), "0.99")

    assert f"records/2.json: is not as it is committed: trainings[0].metrics.score is 0.99, committed is {value}" in (
        problems(clone)
    )


def test_a_metric_changed_by_a_later_commit_is_found(clone, problems):
    value = primary(clone)[0]["trainings"][0]["metrics"]["score"]
    change(clone / "records/2.json", str(value), "0.99")
    commit(clone)

    said = problems(clone)
    assert "records/2.json: commit" in said and "changes it" in said
    assert "paper/paper.tex, line" in said and "came after the session's end" in said


def test_a_history_rewritten_around_another_metric_is_found(session, clone, problems):
    """The record's commit is amended, its message and tag with it, and everything after it is put on top."""
    record, _ = primary(clone)
    values = [t["metrics"]["score"] for t in record["trainings"]]
    old, end = git(clone, "rev-parse", "run/2"), git(clone, "rev-parse", "HEAD")
    git(clone, "checkout", "-q", old)
    change(clone / "records/2.json", str(values[0]), "0.99")
    message = git(clone, "log", "-1", "--format=%B")
    forged = re.sub(r"(?m)^Score: .*", f"Score: {(0.99 + sum(values[1:])) / len(values):.6g}", message)
    git(clone, "commit", "-qa", "--amend", "-m", forged)
    git(clone, "tag", "-f", "run/2")
    git(clone, "rebase", "-q", "--onto", "HEAD", old, end)
    git(clone, "checkout", "-q", "-B", "main")

    said = problems(clone)
    assert "paper/meta.json: says that the paper was rendered from commit" in said
    assert "records/2.json: is not the record that the paper was made with" in said
    assert "session.json: names" in said and "paper/paper.tex, line" in said


def test_the_sessions_own_log_tells_of_a_rewritten_history(session, clone, tmp_path, problems):
    git(clone, "commit", "-q", "--amend", "-m", "session finished\n\nEvent: finished", "--date=2001-01-01T00:00:00Z")
    shutil.copytree(session.paths.root, tmp_path / "copy", ignore=shutil.ignore_patterns("repo", "runs"))
    shutil.move(clone, tmp_path / "copy/repo")

    assert "events.jsonl: session_finished names commit" in problems(tmp_path / "copy")


def test_trained_code_changed_in_the_object_store_is_found(clone, problems):
    commit_of_code = primary(clone)[0]["commit"]
    blob = git(clone, "rev-parse", f"{commit_of_code}:experiment.py")
    for pack in (clone / ".git/objects/pack").glob("*.pack"):
        moved = pack.rename(clone / pack.name)
        subprocess.run(["git", "unpack-objects", "-q"], cwd=clone, stdin=moved.open("rb"), check=True)
        moved.unlink()
    shutil.rmtree(clone / ".git/objects/pack")
    path = clone / ".git/objects" / blob[:2] / blob[2:]
    data = zlib.decompress(path.read_bytes()).replace(b"RATE = 0.1", b"RATE = 0.9")
    path.unlink()
    path.write_bytes(zlib.compress(data))

    said = problems(clone)
    assert "repository: " in said and "damaged" in said
    assert "experiment.py of commit" in said or "cannot be read" in said


def test_a_record_that_names_other_code_is_found(clone, problems):
    change(clone / "records/2.json", primary(clone)[0]["commit"], git(clone, "rev-parse", "run/0"), 1)
    commit(clone)

    assert "names tree" in problems(clone)


def test_a_failed_run_that_was_removed_is_missed(clone, problems):
    git(clone, "rm", "-q", "records/1.json")
    git(clone, "tag", "-d", "run/1")
    commit(clone)

    said = problems(clone)
    assert "removes it; what is recorded once never changes" in said
    assert "records/1.json: is missing" in said and "which nothing in the repository gives" in said


def test_a_swapped_figure_is_found(clone, problems):
    shutil.copy(clone / "figures/curves.pdf", clone / "figures/metrics.pdf")
    shutil.copy(clone / "figures/curves.pdf", clone / "paper/fig-metrics.pdf")
    commit(clone)

    said = problems(clone)
    assert "figures/metrics.pdf: does not show what the records give" in said
    assert "paper/fig-metrics.pdf: is not the file that was made" in said


def test_a_section_changed_after_rendering_is_found(clone, problems):
    change(clone / "paper/sections/discussion.md", "The step size matters", "The step size hardly matters")
    commit(clone)

    assert "(discussion:" in problems(clone)


def test_a_changed_statement_of_who_wrote_is_found(clone, problems):
    change(clone / "paper/meta.json", "were written by scripted", "were written by a person")
    commit(clone)

    said = problems(clone)
    assert "prints '" in said and "a person" in said


def test_a_moved_and_a_missing_tag_are_found(clone, problems):
    git(clone, "tag", "-f", "run/2", "run/0")
    git(clone, "tag", "-d", "run/1")

    said = problems(clone)
    assert "the tag run/2 points to" in said
    assert "its tag run/1 is missing" in said


def test_the_paper_of_another_state_is_not_this_repositorys(clone, tmp_path, problems, remembered):
    made = tmp_path / "other"
    shutil.copytree(clone / "paper", made, ignore=shutil.ignore_patterns("sections", "*.json", "paper.pdf"))
    base = json.loads((clone / "paper/meta.json").read_text())["base"]
    change(made / "paper.tex", base, "0123456789" * 4)
    (clone / "paper/paper.pdf").write_bytes(remembered.compile(made))

    assert f"does not name commit {base[:8]}" in problems(clone)


def test_a_changed_manifest_cannot_turn_a_metric_around(clone, problems):
    change(clone / "template/manifest.toml", 'better = "lower"', 'better = "higher"')
    commit(clone)

    said = problems(clone)
    assert "template/manifest.toml: commit" in said and "paper/paper.tex, line" in said


# ---------------------------------------------------------------- artefacts


def copied_session(session, tmp_path):
    shutil.copytree(session.paths.root, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def test_a_changed_artefact_is_found_and_so_is_a_record_that_it_does_not_give(session, tmp_path):
    folder = copied_session(session, tmp_path)
    path = next((folder / "runs/2").glob("attempt-1/trainings/*-seed0/harvest/sae.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    record = folder / "repo/records/0.json"
    value = json.loads(record.read_text())["trainings"][1]["metrics"]["score"]
    change(
        record, f'"score": {value}' if f'"score": {value}' in record.read_text() else f'"score":{value}', '"score": 0.5'
    )
    commit(folder / "repo")
    report = Report()

    subject = find(str(folder), NOWHERE)
    remeasure(subject, subject.session, report, Means(session.workspace.cache, True, BubblewrapSandbox()))

    said = "\n".join(f"{p.where}: {p.what}" for p in report.problems)
    assert "is not the artefact of run 2" in said
    assert f"records/0.json, seed 1, condition k2: score is 0.5 in the record; its artefact gives {value}" in said


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "a-strangers"])
def test_kept_artefacts_are_measured_again_also_on_a_world_drawn_from_the_published_secret(session, tmp_path, ours):
    """A stranger's evaluate.py and prepare.py give the same numbers from inside the sandbox."""
    folder = copied_session(session, tmp_path)
    report = Report()

    subject = find(str(folder), NOWHERE)
    remeasure(subject, subject.session, report, Means(tmp_path / "no-cache", ours, BubblewrapSandbox()))

    named = sum(len(json.loads(p.read_text())["trainings"]) for p in session.paths.repo.glob("records/*.json"))
    assert report.problems == []
    assert report.notes == [f"{named} of {named} artefacts re-evaluated"]


def test_artefacts_are_asked_of_a_session_only(clone):
    with pytest.raises(UserError, match="only the session's own folder has them"):
        verify(str(clone), NOWHERE, artefacts=True)


def test_the_secrets_appear_at_the_end_and_nowhere_before(session):
    worlds = json.loads((session.paths.repo / "session.json").read_text())["worlds"]
    secrets = [w["secret"] for w in worlds]
    assert len(secrets) == 3 and all(len(s) == 64 for s in secrets)
    kept = {p.read_text().strip() for p in (session.workspace.cache / "secrets").glob("*-world-?")}
    assert set(secrets) == kept
    everything = subprocess.run(
        ["git", "log", "-p", "--text", "HEAD^"], cwd=session.paths.repo, check=True, capture_output=True
    ).stdout
    own = session.paths.root / "secrets"  # for the owner's eyes, so that lost data are built again
    written = [
        p.read_bytes()
        for p in session.paths.root.rglob("*")
        if p.is_file() and ".git" not in p.parts and p.name != "session.json" and p.parent != own
    ]
    assert own.stat().st_mode & 0o077 == 0 and all(p.stat().st_mode & 0o077 == 0 for p in own.iterdir())
    for form in (f for s in secrets for f in (s, f"{int(s, 16):x}", str(int(s, 16)))):
        assert form.encode() not in everything
        assert not any(form.encode() in data for data in written)
    assert git(session.paths.repo, "log", "-1", "--format=%s", "--", "session.json") == "session finished"


# ---------------------------------------------------------------- what cannot be verified


def test_what_is_no_session_gets_one_clear_line(session, clone, tmp_path, look):
    (tmp_path / "empty").mkdir()
    other, lonely = tmp_path / "other", tmp_path / "lonely/paper.pdf"
    git(tmp_path, "init", "-q", other)
    lonely.parent.mkdir()
    shutil.copy(clone / "paper/paper.pdf", lonely)
    (tmp_path / "a.txt").write_text("no paper")
    cases = {
        tmp_path / "empty": "neither a session's folder",
        other: "not the repository of a session",
        lonely: "no repository with it",
        tmp_path / "a.txt": "not a PDF",
        tmp_path / "nothing": "not found",
    }
    for path, said in cases.items():
        with pytest.raises(UserError, match=said) as error:
            look(path)
        assert "\n" not in str(error.value)
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", "--verify", tmp_path / "empty"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_a_session_without_a_paper_and_a_shallow_clone_are_told_so(session, tmp_path, look):
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{session.paths.repo}", tmp_path / "shallow")
    git(tmp_path, "clone", "-q", session.paths.repo, tmp_path / "early")
    git(tmp_path / "early", "reset", "-q", "--hard", "run/2")

    with pytest.raises(UserError, match="shallow clone"):
        look(tmp_path / "shallow")
    with pytest.raises(UserError, match="no paper yet"):
        look(tmp_path / "early")


def test_settings_of_a_hostile_clone_run_nothing(clone, look):
    planted = clone.parent / "ran"
    for key in ("core.fsmonitor", "core.sshCommand", "gpg.program", "core.pager", "diff.external"):
        git(clone, "config", key, f"touch {planted}; true")
    git(clone, "config", "log.showSignature", "true")
    git(clone, "config", "diff.x.textconv", f"touch {planted}; cat")
    (clone / ".git/info/attributes").write_text("* diff=x\n")

    assert isinstance(find(str(clone), NOWHERE), Subject)
    look(clone)

    assert not planted.exists()
