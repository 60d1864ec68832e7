"""Checks that a session's history is whole: one line of commits, and records that never change. Reads only.

Each record must have its commit, its tag, its trailers and the code that was trained.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping

from agent.core.manifest import Manifest
from agent.core.record import RunRecord
from agent.storage.git_reader import BrokenRepository, Commit, GitReader
from paper.evidence.series import averaged
from paper.press.compare import Problem

FROZEN = (
    "records/",
    "signatures/records/",
    "attempts/",
    "template/",
    "idea.json",
    "plan.json",
)  # written once, never changed


def check_line(repo: GitReader) -> Iterator[Problem]:
    """Git's objects are undamaged, the commits form one line and are the runner's, and no record changed later."""
    if damage := repo.damage():
        yield Problem("repository", f"its objects are damaged or were changed: {damage}")
    yield from _line(repo)
    yield from _frozen(repo)
    yield from _end(repo)


def check_records(repo: GitReader, records: Mapping[str, RunRecord], manifest: Manifest) -> Iterator[Problem]:
    """Each record (by path) has its commit, its tag and its code, and each run of the history has a record."""
    added = {path: c for c in repo.commits for status, path in c.changes if status == "A"}
    for name, record in records.items():
        commit = added.get(name)
        if commit is None:
            yield Problem(name, "no commit of the history adds it")
            continue
        yield from _record(repo, name, record, commit, manifest)
        yield from _code(repo, name, record, commit)
    yield from _missing(repo, records)


def _line(repo: GitReader) -> Iterator[Problem]:
    for index, commit in enumerate(repo.commits):
        if len(commit.parents) != min(1, index):
            yield Problem(f"commit {commit.short}", f"has {len(commit.parents)} parents; the history is one line")
        if "Event" not in commit.trailers:
            yield Problem(f"commit {commit.short}", "was not made by the runner: it has no Event trailer")
        if "Event" in commit.trailers and index == 0 and commit.trailers["Event"] != "session":
            yield Problem(f"commit {commit.short}", "is the first one, and not the beginning of a session")


def _frozen(repo: GitReader) -> Iterator[Problem]:
    known: dict[str, Commit] = {}
    for commit in repo.commits:
        for status, path in commit.changes:
            if not path.startswith(FROZEN):
                continue
            if status != "A" or path in known:
                what = {"D": "removes", "A": "brings back"}.get(status, "changes")
                yield Problem(path, f"commit {commit.short} {what} it; what is recorded once never changes")
            known.setdefault(path, commit)


def _record(repo: GitReader, name: str, record: RunRecord, commit: Commit, manifest: Manifest) -> Iterator[Problem]:
    if name != f"records/{record.run}.json":
        yield Problem(name, f"holds the record of run {record.run}")
    tag = repo.tags.get(f"run/{record.run}")
    if tag is None:
        yield Problem(name, f"its tag run/{record.run} is missing (a clone without tags? git fetch --tags)")
    elif tag != commit.id:
        yield Problem(name, f"was committed by {commit.short}, but the tag run/{record.run} points to {tag[:8]}")
    wanted = {"Run": record.run, "Status": record.status}
    if record.status == "measured":
        key = manifest.primary.replace("_", "-").title()
        wanted[key] = f"{averaged(record, manifest.primary).mean:.6g}"
    for key, value in wanted.items():
        if commit.trailers.get(key) != value:
            yield Problem(name, f"gives {key} {value}; its commit {commit.short} says {commit.trailers.get(key)}")


def _code(repo: GitReader, name: str, record: RunRecord, commit: Commit) -> Iterator[Problem]:
    """The code that a record names is in the history, and its files are those that were hashed when they ran."""
    if not record.commit:  # a run that failed before its first edit
        return
    before = [c for c in repo.commits[: repo.commits.index(commit)] if c.id == record.commit]
    if not before:
        yield Problem(name, f"was trained from commit {record.commit[:8]}, which is not in the history before it")
        return
    if before[0].tree != record.tree:
        yield Problem(name, f"names tree {record.tree[:8]}; commit {record.commit[:8]} has {before[0].tree[:8]}")
    for hashed, digest in record.hashes.items():
        kind, _, file = hashed.partition("/")
        places = {"code": (file, f"template/{file}"), "protected": (f"template/{file}",)}.get(kind, ())
        found = next((b for p in places if (b := repo.blob(record.commit, p)) is not None), None)
        if places and (found is None or hashlib.sha256(found).hexdigest() != digest):
            yield Problem(
                name,
                f"{file} of commit {record.commit[:8]} is not the file that was trained "
                f"(the record gives sha256 {digest[:12]})",
            )


def _missing(repo: GitReader, records: Mapping[str, RunRecord]) -> Iterator[Problem]:
    """Runs of commits and tags that have no record, once there is a paper."""
    runs = {r.run for r in records.values()}
    if not any(c.trailers.get("Event") == "compiled" for c in repo.commits):
        return
    edited = {c.trailers["Run"]: c for c in repo.commits if "Run" in c.trailers}
    for run, commit in edited.items():
        if run not in runs:
            yield Problem(f"records/{run}.json", f"is missing, though commit {commit.short} belongs to run {run}")
    for tag in repo.tags:
        if (match := re.fullmatch(r"run/(.+)", tag)) and match[1] not in runs | edited.keys():
            yield Problem(f"tag {tag}", "has no record")


def _end(repo: GitReader) -> Iterator[Problem]:
    ends = [c for c in repo.commits if c.trailers.get("Event") == "finished"]
    if not ends:
        return
    if ends[-1] is not repo.commits[-1]:
        yield Problem(f"commit {repo.commits[-1].short}", f"came after the session's end, {ends[-1].short}")
    try:
        said = json.loads(repo.blob(ends[-1].id, "session.json") or b"{}").get("history")
    except (ValueError, AttributeError, BrokenRepository):
        said = None
    if said not in ends[-1].parents:
        yield Problem(
            "session.json", f"names {str(said)[:8]} as the history before it; it is {' '.join(ends[-1].parents)[:8]}"
        )
