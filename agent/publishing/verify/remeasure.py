"""`launch.py --verify --artefacts`: compares the hash of every artefact with the records, and measures it again.

An artefact is the file with parameters that a training left. The jobs are made from the committed records (bench.py);
the session's own job.json is not read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from agent.core.paths import SessionPaths
from agent.core.record import RunRecord, Training
from agent.publishing.verify.bench import Bench, Means, Named, not_compared
from agent.publishing.verify.subject import Material, Report, Subject, Unreadable, committed_files, read_material
from agent.storage import foreign
from agent.storage.git_reader import GitReader
from agent.storage.temporary import TemporaryFolder
from paper.press.compare import Problem

LARGEST = 16 << 30  # bytes of one artefact


def remeasure(subject: Subject, session: SessionPaths, report: Report, means: Means) -> None:
    """Measure all artefacts of a session again, and add differences to the report.

    Raises:
        InfrastructureError: there is no sandbox, or the data of a run cannot be had.
    """
    repo = GitReader(subject.git_dir)
    material = read_material(repo, committed_files(subject, repo))
    _check_names(material)
    named = [
        Named(record, t)
        for record in (record.whole for record in material.records.values())
        for t in record.trainings
        if record.status == "measured" and t.artefact_sha256
    ]
    files = [_find(session, material, n.record, n.training) for n in named]
    at_hand = [(n, file) for n, file in zip(named, files, strict=True) if file is not None]
    missing = [n for n, file in zip(named, files, strict=True) if file is None]
    report.problems += [p for n in missing for p in _replaced(session, material, n)]
    done = 0
    with TemporaryFolder("remeasure") as scratch:
        bench = Bench(Path(scratch), repo, material, means)
        for index, (one, file) in enumerate(at_hand if material.manifest.measured else ()):
            report.say(
                f"Measuring artefact {index + 1} of {len(at_hand)} again; data that the cache lacks are drawn anew"
            )
            problems = list(bench.differences(one, file, index))
            report.problems += problems
            done += not problems
    report.notes += _notes(material, means)
    elsewhere = f"; {len(missing)} are not at hand (a cached baseline's lie with the session that trained it)"
    report.notes.append(f"{done} of {len(named)} artefacts re-evaluated{elsewhere if missing else ''}")


def _notes(material: Material, means: Means) -> Iterator[str]:
    """What a second measurement leaves out or does otherwise."""
    if any(not_compared(material, record) for record in material.records.values()):
        yield "metrics of sae-bench, and those that a clock measured, are not compared: they never repeat exactly"
    if material.manifest.environment and not means.ours:
        yield "measured again with this installation's Python, not with the environment of the template"


# ---------------------------------------------------------------- the files


def _check_names(material: Material) -> None:
    """Check the names that become parts of paths.

    Raises:
        Unreadable: one of them would lead out of its folder.
    """
    for name, record in material.records.items():
        for part in (record.run, *(t.condition for t in record.whole.trainings)):
            if not foreign.is_plain(part) or "/" in part:
                raise Unreadable(name, f"names {part[:80]!r}, which is no name of a run or a condition")
        if record.profile not in material.manifest.profiles:
            raise Unreadable(name, f"names the profile {record.profile[:80]!r}, which the manifest lacks")


def _places(session: SessionPaths, material: Material, record: RunRecord, training: Training) -> Iterator[Path]:
    name = f"trainings/{training.condition}-seed{training.seed}/harvest/{material.manifest.artefact}"
    yield from sorted((session.runs / record.run).glob(f"attempt-{record.attempts}*/{name}"))


def _find(session: SessionPaths, material: Material, record: RunRecord, training: Training) -> Path | None:
    """The file with the recorded hash: in this session, or for a baseline from the cache in the one that trained it."""
    name = f"trainings/{training.condition}-seed{training.seed}/harvest/{material.manifest.artefact}"
    others = session.root.parent.glob(f"*/runs/{record.run}/attempt-*/{name}") if record.kind != "experiment" else ()
    places = (*_places(session, material, record, training), *sorted(others))
    return next((p for p in places if _sha256(session, p) == training.artefact_sha256), None)


def _sha256(session: SessionPaths, path: Path) -> str:
    """The hash of a plain file; "" for a link and for anything else."""
    root = session.root.parent.resolve()
    try:
        handle = foreign.opened(root, path.resolve().relative_to(root).as_posix(), LARGEST)
    except (foreign.Foreign, ValueError):
        return ""
    if path.is_symlink():
        os.close(handle)
        return ""
    with os.fdopen(handle, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replaced(session: SessionPaths, material: Material, named: Named) -> Iterator[Problem]:
    """Problems for files that lie in an artefact's place and have another hash."""
    for path in _places(session, material, named.record, named.training):
        yield Problem(
            str(path.relative_to(session.root)),
            f"is not the artefact of run {named.record.run}: sha256 "
            f"{_sha256(session, path)[:12] or 'of no plain file'}, the record gives "
            f"{(named.training.artefact_sha256 or '')[:12]}",
        )
