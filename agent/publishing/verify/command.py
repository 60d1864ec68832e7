"""`launch.py --verify`: checks that every number of a paper follows from the committed records.

It needs the repository alone. The checks are in history.py, signed.py, subject.py and rendering.py; measuring the
artefacts again is in remeasure.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent.core.errors import UserError
from agent.core.paths import SessionPaths
from agent.core.visible import line
from agent.publishing.verify.audits import closing, numbers, unwalled
from agent.publishing.verify.history import check_line, check_records
from agent.publishing.verify.rendering import Makers, check_paper, recompile
from agent.publishing.verify.signed import Signed, check_signatures
from agent.publishing.verify.subject import (
    Report,
    Subject,
    Unreadable,
    check_account,
    check_events,
    check_tree,
    committed_files,
    read_material,
)
from agent.publishing.verify.trust import ask_for_trust, is_ours
from agent.storage import foreign
from agent.storage.git_reader import BrokenRepository, GitReader
from agent.storage.workspace import Workspace
from paper.press.account import FILE as ACCOUNT
from paper.press.compare import Problem

SHOWN = 20  # problems that are printed


def verify(
    name: str,
    workspace: Workspace,
    *,
    artefacts: bool = False,
    trust: bool = False,
    as_json: bool = False,
    say: Callable[[str], None] = lambda step: None,
) -> int:
    """Verify a session, a repository or a paper, and print what was found; returns the exit status.

    Args:
        artefacts: also measure the kept artefacts again.
        trust: with `artefacts`, a stranger's code may run.
        as_json: print one JSON object instead of lines.
        say: is told what is checked now, and "" at the end.

    Raises:
        UserError: `name` is no session, repository or paper.
    """
    subject = find(name, workspace)
    if artefacts and subject.session is None:
        raise UserError("--artefacts: only the session's own folder has them, beside its repository; verify that one")
    report = Report(say=say)
    if subject.closed:
        report.notes.append("The session's log, which this user may not read, was not compared with the repository.")
    signed = examine(subject, report)
    if artefacts and subject.session:
        _remeasure(name, subject, subject.session, workspace, report, trust)
    say("")
    if as_json:
        print(json.dumps(_as_data(report, signed), indent=2))
    else:
        _print(report, signed)
    return 1 if report.problems else 0


def _as_data(report: Report, signed: Signed | None) -> dict[str, object]:
    return {
        "verified": not report.problems,
        "numbers": report.numbers,
        "numbers_verified": report.verified,
        "problems": [{"where": problem.where, "what": problem.what} for problem in report.problems],
        "notes": report.notes,
        "audits": [] if report.problems else [numbers(report), *report.audits],
        "signatures": "" if report.problems else closing(signed),
    }


def _print(report: Report, signed: Signed | None) -> None:
    for problem in report.problems[:SHOWN]:
        print(line(f"{problem.where}: {problem.what}"))
    if len(report.problems) > SHOWN:
        print(f"... and {len(report.problems) - SHOWN} more")
    for note in report.notes:
        print(line(note))
    if report.problems:
        count = "1 problem" if len(report.problems) == 1 else f"{len(report.problems)} problems"
        print(f"NOT VERIFIED: {count}; {report.verified} of {report.numbers} numbers agree with the committed records.")
        return
    for audit in (numbers(report), *report.audits):
        print(line(audit))
    print(f"{report.verified} of {report.numbers} numbers verified")
    print(line(closing(signed)))


def _remeasure(
    name: str, subject: Subject, session: SessionPaths, workspace: Workspace, report: Report, trust: bool
) -> None:
    """Measure the kept artefacts again, in the sandbox; for a stranger's session only with `trust`."""
    from agent.publishing.verify.bench import Means
    from agent.publishing.verify.remeasure import remeasure
    from agent.sandbox.boxes import BubblewrapSandbox

    if report.problems:
        report.notes.append("Its artefacts are measured again only if the repository verifies.")
        return
    ours = is_ours(session, GitReader(subject.git_dir).commits[0].id)
    if not ours:
        what = "evaluate.py, prepare.py and the experiments of its repository run here, in the sandbox"
        ask_for_trust(name, what, trust)
    cache = workspace.cache
    if ours and not cache.is_dir():
        cache = Workspace(session.root.parent).cache
    try:
        remeasure(subject, session, report, Means(cache, ours, BubblewrapSandbox()))
    except Unreadable as bad:
        report.problems.append(Problem(bad.where, str(bad)))


# ---------------------------------------------------------------- what is verified


def find(name: str, workspace: Workspace) -> Subject:
    """What `name` means: the path of a session, of a repository or of a paper; or the name of a session, or "last".

    Raises:
        UserError: it is none of these, or no repository lies with the paper.
    """
    path = Path(name)
    if not os.path.lexists(path):
        path = workspace.find(name).root
    if not path.is_dir():
        return _of_paper(path)
    subject = _of_folder(path.resolve())
    if subject is None:
        raise UserError(
            f"--verify {name}: neither a session's folder, nor a clone of its repository, nor a paper.pdf inside of one"
        )
    return subject


def _of_folder(folder: Path) -> Subject | None:
    there = os.path.lexists  # links count here; they are refused when something is opened
    if there(folder / "events.jsonl") and there(folder / "repo" / ".git"):
        return _of_session(folder, folder / "repo")
    if there(folder / ".git") and there(folder.parent / "events.jsonl"):
        return _of_session(folder.parent, folder)
    if there(folder / ".git"):
        return Subject(folder / ".git", folder)
    if all(there(folder / part) for part in ("HEAD", "objects", "refs")):
        return Subject(folder, None)
    return None


def _of_session(folder: Path, repo: Path) -> Subject:
    """A session's subject. If this user may not read the session's log, only the repository is verified."""
    log = folder / "events.jsonl"
    closed = os.path.isfile(log) and not log.is_symlink() and not os.access(log, os.R_OK)
    return Subject(repo / ".git", repo, None if closed else SessionPaths(folder), closed=closed)


def _of_paper(pdf: Path) -> Subject:
    try:
        data = foreign.read_file(pdf)
    except foreign.Foreign as problem:
        raise UserError(
            f"--verify {pdf}: {problem}; give a session, a clone of its repository, or its paper.pdf"
        ) from None
    pdf = pdf.resolve()
    if not data.startswith(b"%PDF-"):
        raise UserError(f"--verify {pdf}: not a PDF; give a session, a clone of its repository, or its paper.pdf")
    above = (s for folder in pdf.parents if (s := _of_folder(folder)) is not None)
    beside = (s for folder in sorted(pdf.parent.iterdir()) if folder.is_dir() and (s := _of_folder(folder)) is not None)
    for subject in (*above, *beside):
        if _has_paper(subject):
            return replace(subject, pdf=pdf)
    raise UserError(f"--verify {pdf}: no repository with it; put the session's repository (or a clone) beside the PDF")


def _has_paper(subject: Subject) -> bool:
    try:
        return GitReader(subject.git_dir).blob("HEAD", ACCOUNT) is not None
    except BrokenRepository:
        return False


# ---------------------------------------------------------------- the checks, in their order


def examine(subject: Subject, report: Report, makers: Makers | None = None) -> Signed | None:
    """Make every check that needs the repository alone, and add what is wrong to the report.

    Returns who signed; None if the repository cannot be read far enough to know.

    Raises:
        UserError: the repository is not that of a session with a paper.
    """
    repo, signed = GitReader(subject.git_dir), None
    try:
        report.say("Reading the repository and its history")
        files = committed_files(subject, repo)
        report.problems += check_tree(subject.tree, repo, files)
        report.problems += check_line(repo)
        material = read_material(repo, files)
        report.notes += filter(None, [unwalled(material.records.values())])
        report.problems += check_records(repo, material.records, material.manifest)
        report.problems += check_account(repo, material, files)
        report.say(f"Checking {len(material.records)} records and who signed them")
        signed = check_signatures(repo, material, files, subject.session)
        report.problems += signed.problems
        if subject.session:
            report.problems += check_events(subject.session, repo)
        check_paper(subject, repo, material, report, makers or Makers(recompile))
    except BrokenRepository as broken:
        report.problems.append(Problem("repository", f"cannot be read: {repo.damage() or broken}"))
    except Unreadable as bad:
        report.problems.append(Problem(bad.where, str(bad)))
    return signed
