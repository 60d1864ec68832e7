"""Reads what is verified (a session's repository with its records and the paper's account) and compares its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agent.core.errors import InfrastructureError, UserError
from agent.core.manifest import Manifest
from agent.core.paths import SessionPaths
from agent.core.record import RunRecord
from agent.core.schema import first_fault
from agent.core.template import parse_manifest
from agent.lab.saebench.catalogue import measured_at
from agent.storage import foreign
from agent.storage.foreign import is_plain
from agent.storage.git_reader import BrokenRepository, GitReader
from agent.storage.locks import is_locked
from agent.storage.log import EventLog
from paper.press.account import FILE as ACCOUNT
from paper.press.account import PaperAccount, sha256
from paper.press.compare import Problem
from paper.press.venue import FOLDER as STYLE

Parsed = TypeVar("Parsed", bound=BaseModel)

PAPER = ("paper/paper.tex", "paper/paper.pdf")  # compared with what the records give, not with the commit alone


@dataclass(frozen=True)
class Subject:
    """What is verified. `tree`: the work tree; None for a bare repository."""

    git_dir: Path
    tree: Path | None
    session: SessionPaths | None = None
    pdf: Path | None = None  # the PDF that was named, if one was
    closed: bool = False  # the session has a log that this user may not read


@dataclass
class Report:
    """What was found. `numbers` is 0 until the paper could be rendered."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    numbers: int = 0
    audits: list[str] = field(default_factory=list)  # in plain words, one sentence each
    say: Callable[[str], None] = lambda step: None  # is told what is checked now

    @property
    def verified(self) -> int:
        """How many numbers agree; one that is wrong in paper.tex and in the PDF counts once."""
        lost = (sum(p.numbers for p in self.problems if p.where.startswith(file)) for file in ("paper/", "paper.pdf"))
        return max(0, self.numbers - max(lost))


class Unreadable(Exception):
    """A committed file is missing or malformed; `where` names it."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(what)
        self.where = where


@dataclass(frozen=True)
class Material:
    """The paper's account, the manifest and the records in the repository's newest commit."""

    account: PaperAccount
    manifest: Manifest
    records: dict[str, RunRecord]  # by path, in the order of the paper's tables


def read_material(repo: GitReader, files: dict[str, str]) -> Material:
    """Read them from the newest commit, whose files are given with their hashes.

    Raises:
        Unreadable: one of them is missing or malformed.
    """
    try:
        manifest = parse_manifest(committed(repo, "template/manifest.toml"), "template/manifest.toml")
    except UserError as error:
        raise Unreadable("template/manifest.toml", str(error)) from None
    account = _parsed(PaperAccount, ACCOUNT, committed(repo, ACCOUNT))
    _check_names(account, manifest, files)
    manifest = measured_at(manifest, account.profile)
    ordered = [f"records/{run}.json" for run in account.records]
    names = [*ordered, *sorted(f for f in files if f.startswith("records/") and f not in ordered)]
    records = {name: _parsed(RunRecord, name, committed(repo, name)) for name in names if name in files}
    return Material(account, manifest, records)


def _check_names(account: PaperAccount, manifest: Manifest, files: Mapping[str, str]) -> None:
    """Check that the account and the manifest name committed files only.

    Raises:
        Unreadable: a name leads out of the repository or to no file.
    """
    for name in [*(figure.file for figure in account.figures), *(f"{STYLE}/{name}" for name in account.style)]:
        if not is_plain(name) or name not in files:
            raise Unreadable(ACCOUNT, f"names {name[:200]!r}, which is no file of the repository")
    if account.profile not in manifest.profiles:
        raise Unreadable(ACCOUNT, f"names the profile {account.profile[:80]!r}, which the manifest lacks")
    given = [manifest.name, manifest.artefact, manifest.plot, *manifest.editable, *manifest.protected, *manifest.assets]
    given += [baseline.script for baseline in manifest.baselines]
    for name in given:
        if not is_plain(name):
            raise Unreadable("template/manifest.toml", f"names {name[:200]!r}, which leads out of the template")


def committed(repo: GitReader, name: str) -> bytes:
    """A file of the newest commit.

    Raises:
        Unreadable: it is missing, or cannot be read.
    """
    found = repo.blob(repo.head, name)
    if found is None:
        raise Unreadable(name, "is missing from the repository, or cannot be read there")
    return found


def _parsed(kind: type[Parsed], name: str, data: bytes) -> Parsed:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise Unreadable(name, first_fault(error)) from None


def committed_files(subject: Subject, repo: GitReader) -> dict[str, str]:
    """The files of the newest commit, with git's ids.

    Raises:
        UserError: it is not the whole repository of a session with a paper.
        BrokenRepository: git's objects are damaged.
    """
    if (subject.git_dir / "shallow").exists():
        raise UserError(f"{subject.git_dir}: a shallow clone lacks the history; clone it whole, with its tags")
    try:
        files = repo.files(repo.head)
    except BrokenRepository as broken:
        if repo.damage():
            raise
        raise UserError(f"{subject.git_dir}: not the repository of a session ({broken})") from None
    if not any(path.startswith(("records/", "template/")) for path in files):
        raise UserError(f"{subject.git_dir}: not the repository of a session: it has no records/ and no template/")
    if "paper/paper.tex" not in files and ACCOUNT not in files:
        if subject.session and is_locked(subject.session.lock):
            name = subject.session.root.name
            raise UserError(f"{name}: is still running and has no paper yet; --follow {name} shows how far it is")
        raise UserError(f"{subject.git_dir}: the session has no paper yet; continue it (--resume), then verify")
    return files


# ---------------------------------------------------------------- files that were changed


def check_tree(tree: Path | None, repo: GitReader, files: dict[str, str]) -> Iterator[Problem]:
    """Files that differ in the work tree from what is committed. The paper's own are compared in rendering.py."""
    if tree is None:
        return
    for name, blob in files.items():
        if name in PAPER:
            continue
        try:
            data = foreign.read(tree, name)
        except foreign.Missing:
            yield Problem(name, "is committed, but missing in the work tree")
            continue
        except foreign.Foreign as problem:
            yield Problem(name, f"cannot be read there: {problem}")
            continue
        if _git_id(data, blob) != blob:
            yield Problem(name, f"is not as it is committed{_difference(data, committed(repo, name))}")


def _git_id(data: bytes, like: str) -> str:
    make = hashlib.sha1 if len(like) == 40 else hashlib.sha256
    return make(b"blob %d\0" % len(data) + data).hexdigest()


def _difference(now: bytes, committed: bytes) -> str:
    """The first value of JSON, or the first line, that differs, in words."""
    try:
        found = _json_difference(json.loads(now), json.loads(committed), "")
    except (ValueError, RecursionError):
        pairs = zip(now.splitlines(), committed.splitlines(), strict=False)
        line = next((i for i, (a, b) in enumerate(pairs, start=1) if a != b), None)
        return f" (line {line})" if line else ""
    return f": {found[0]} is {found[1]!r}, committed is {found[2]!r}" if found else ""


def _json_difference(now: object, then: object, where: str) -> tuple[str, object, object] | None:
    if isinstance(now, dict) and isinstance(then, dict) and now.keys() == then.keys():
        pairs = [(f"{where}.{key}".lstrip("."), now[key], then[key]) for key in now]
    elif isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(now, then, strict=True))]
    else:
        return None if now == then else (where, now, then)
    return next((f for place, a, b in pairs if (f := _json_difference(a, b, place))), None)


# ---------------------------------------------------------------- what the paper was rendered from


def check_account(repo: GitReader, material: Material, files: dict[str, str]) -> Iterator[Problem]:
    """The records, files and commit that the account names must be those of the repository."""
    account = material.account
    here = {f"records/{run}.json": digest for run, digest in account.records.items()}
    for name in sorted(here.keys() | material.records.keys()):
        if name not in files:
            yield Problem(name, "is missing, though the paper was made with it")
        elif name not in here:
            yield Problem(name, "is a record that the paper was made without")
        elif sha256(committed(repo, name)) != here[name]:
            yield Problem(
                name, f"is not the record that the paper was made with ({ACCOUNT} gives sha256 {here[name][:12]})"
            )
    for name, digest in account.files.items():
        data = repo.blob(repo.head, f"paper/{name}")
        if data is None or sha256(data) != digest:
            yield Problem(
                f"paper/{name}",
                f"is not the file that was made ({ACCOUNT} gives sha256 {digest[:12]})"
                if data is not None
                else "is missing",
            )
    made = [c for c in repo.commits if any(path == ACCOUNT for _, path in c.changes)]
    if made and made[-1].parents != (account.base,):
        yield Problem(
            ACCOUNT,
            f"says that the paper was rendered from commit {account.base[:8]}; it was committed on "
            f"{' '.join(made[-1].parents)[:8]}: the history was rewritten",
        )


def check_events(session: SessionPaths, repo: GitReader) -> Iterator[Problem]:
    """The session's log must name only commits and records that the repository has."""
    known = {c.id for c in repo.commits}
    try:
        for event in EventLog(session.events).read():
            commit = getattr(event, "commit", "")
            if commit and commit not in known:
                yield Problem("events.jsonl", f"{event.type} names commit {commit[:8]}, which the history lacks")
            if event.type == "run_measured":
                data = repo.blob(repo.head, f"records/{event.run}.json")
                if data is None or sha256(data) != event.record_sha256:
                    yield Problem(
                        f"records/{event.run}.json",
                        f"is not the record whose sha256 the session's log gives ({event.record_sha256[:12]})",
                    )
    except InfrastructureError as error:
        yield Problem("events.jsonl", str(error))
