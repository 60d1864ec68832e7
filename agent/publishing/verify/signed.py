"""Checks who signed a session's history, and whether every signed statement is true of the repository. Reads only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from agent.core.errors import InfrastructureError
from agent.core.paths import SessionPaths
from agent.publishing.manuscript import SIGNED
from agent.publishing.signatures import END, FOLDER, PAPER, RECORDS, Statement, record_statement, signs_commit
from agent.publishing.verify.subject import Material
from agent.storage.git_reader import Commit, GitReader
from agent.storage.log import EventLog
from agent.storage.signing import fingerprint, own_public
from paper.press.account import FILE as ACCOUNT
from paper.press.compare import Problem


@dataclass(frozen=True)
class Signed:
    """The result of checking the signed statements of a repository."""

    keys: tuple[str, ...]  # fingerprints, in the order of the history
    unsigned: tuple[str, ...]  # records that were made before this session signed
    finished: bool  # the session's end is signed, and with it every commit
    ours: bool  # this installation's key is the only one
    problems: tuple[Problem, ...]


def check_signatures(
    repo: GitReader, material: Material, files: Mapping[str, str], session: SessionPaths | None
) -> Signed:
    """Check each statement against its commit, its files and, if `session` is given, the session's log."""
    statements, problems = _read(repo, files)
    order = {commit.id: place for place, commit in enumerate(repo.commits)}
    for name, said in statements.items():
        problems += _statement(repo, name, said)
    problems += _missing(repo, statements, material, files)
    if session:
        problems += _log(session, statements)
    placed = sorted(statements.values(), key=lambda said: order.get(said.on, -1))
    keys = tuple(dict.fromkeys(said.key for said in placed))
    problems += _named(repo, material, keys)
    problems += _last(repo, keys) if END in statements else ()
    unsigned = tuple(name for name in material.records if _statement_of(name) not in statements)
    own = own_public()
    return Signed(
        tuple(map(fingerprint, keys)), unsigned, END in statements, keys == (own,) and bool(own), tuple(problems)
    )


def _read(repo: GitReader, files: Mapping[str, str]) -> tuple[dict[str, Statement], list[Problem]]:
    found, problems = {}, []
    for name in (n for n in files if n.startswith(f"{FOLDER}/")):
        try:
            found[name] = Statement.model_validate_json(repo.blob(repo.head, name) or b"")
            fingerprint(found[name].key)
        except (ValidationError, ValueError):
            found.pop(name, None)
            problems.append(Problem(name, "is not a signed statement"))
    return found, problems


def _statement(repo: GitReader, name: str, said: Statement) -> Iterator[Problem]:
    """One statement: its signature, its place in the history, and the files that it names."""
    if not said.holds:
        key = fingerprint(said.key)
        yield Problem(name, f"is not signed by the key {key} that it names: it was changed, or somebody else signed it")
        return
    commit = _made_by(repo, name)
    if commit is None:
        yield Problem(name, "no commit of the history made it")
        return
    if said.first != repo.commits[0].id:
        yield Problem(name, f"was signed for another session, which begins with commit {said.first[:8]}")
    if commit.parents != (said.on,):
        yield Problem(
            name,
            f"was signed with commit {said.on[:8]} as its parent, but commit {commit.short} has the parent "
            f"{' '.join(commit.parents)[:8] or 'none'}: the history before it was rewritten",
        )
    for file, digest in said.files.items():
        data = repo.blob(repo.head, file)
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            yield Problem(file, f"is not what {name} signed (sha256 {digest[:12]})")
    yield from _subject(name, said, commit)


def _subject(name: str, said: Statement, commit: Commit) -> Iterator[Problem]:
    """A statement is about the file that its name says, and the last commit of a session changes nothing unsigned."""
    wanted = {PAPER: ACCOUNT, END: "session.json"}.get(name) or f"records/{name.removeprefix(RECORDS + '/')}"
    if set(said.files) != {wanted}:
        yield Problem(name, f"signs {', '.join(sorted(said.files)) or 'nothing'}, and not {wanted}")
    if name == END and (more := sorted({path for _, path in commit.changes} - {END, "session.json"})):
        yield Problem(more[0], f"was changed by the last commit, {commit.short}, beside what {name} signed")


def _made_by(repo: GitReader, name: str) -> Commit | None:
    return next((c for c in reversed(repo.commits) if any(path == name for _, path in c.changes)), None)


def _statement_of(record: str) -> str:
    return record_statement(record.removeprefix("records/").removesuffix(".json"))


def _missing(
    repo: GitReader, statements: Mapping[str, Statement], material: Material, files: Mapping[str, str]
) -> Iterator[Problem]:
    """Statements that are missing: those that the history removed, and those after the first one that was signed."""
    removed = {path for c in repo.commits for status, path in c.changes if status == "D" and path.startswith(FOLDER)}
    for path in sorted(removed - files.keys()):
        yield Problem(path, "was removed from the history; a signature is never taken back")
    first = next((i for i, c in enumerate(repo.commits) if any(p.startswith(f"{FOLDER}/") for _, p in c.changes)), None)
    if first is None:
        return
    wanted = {_statement_of(name): name for name in material.records} | {PAPER: ACCOUNT}
    if repo.commits[-1].trailers.get("Event") == "finished":
        wanted[END] = "session.json"
    for statement, name in wanted.items():
        made = _made_by(repo, name)
        if statement not in statements and made is not None and repo.commits.index(made) >= first:
            yield Problem(name, "is not signed, though the session signed before it was made")


def _last(repo: GitReader, keys: tuple[str, ...]) -> Iterator[Problem]:
    """The last commit of a finished session must be signed by a tag."""
    last = repo.commits[-1]
    named = (signs_commit(tag, last.id) for tag, commit in repo.tags.items() if commit == last.id)
    if last.trailers.get("Event") == "finished" and not any(key in keys for key in named if key):
        yield Problem(
            f"commit {last.short}",
            "no tag signs it: the commit was made again, or the clone lacks the tags (git fetch --tags)",
        )


def _named(repo: GitReader, material: Material, keys: tuple[str, ...]) -> Iterator[Problem]:
    """The keys that the paper and session.json name must be those that signed."""
    found = ", ".join(sorted(map(fingerprint, keys)))
    printed = dict(material.account.costs).get(SIGNED, "")
    if printed and not set(printed.split(", ")) <= set(found.split(", ")):
        yield Problem(ACCOUNT, f"the paper names key {printed}; it was signed by {found or 'none'}")
    if keys and not printed:
        yield Problem(ACCOUNT, f"the paper names no key, though {found} signed")
    try:
        told = json.loads(repo.blob(repo.head, "session.json") or b"{}").get("signed_by", "")
    except (ValueError, AttributeError, RecursionError):
        told = ""
    if told and told != found:
        yield Problem("session.json", f"names key {told}; it was signed by {found or 'none'}")


def _log(session: SessionPaths, statements: Mapping[str, Statement]) -> Iterator[Problem]:
    """The session's log must have the lines that the statements name, with the same numbers and hashes."""
    try:
        hashes = {line.number: line.hash for line in EventLog(session.events).lines()}
    except InfrastructureError as error:
        yield Problem("events.jsonl", str(error))
        return
    for name, said in statements.items():
        if said.lines and hashes.get(said.lines) != said.log:
            what = "is not the line" if said.lines in hashes else "is missing"
            yield Problem("events.jsonl", f"line {said.lines} {what} that {name} signed")
