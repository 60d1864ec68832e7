"""Gathers everything that a page shows of a session, by the readers that the other commands use. Reads only.

What cannot be read is left out and named in `problems`, because a page of a damaged session is better than none.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.core.errors import InfrastructureError, UserError
from agent.core.manifest import Manifest
from agent.core.paths import SessionPaths
from agent.core.protocols import Progress, together
from agent.core.record import RunRecord
from agent.core.template import parse_manifest
from agent.lab.jobs.local import LocalRunner
from agent.lab.saebench.catalogue import measured_at
from agent.literature.found import FILE as FOUND
from agent.literature.found import read_found
from agent.literature.library import Library, shipped_library
from agent.llm.calls import CallRecord
from agent.pages.run_files import RunFiles, files_of, job_of
from agent.publishing.records import read_record
from agent.publishing.review.pictures import drawn
from agent.publishing.verify.rendering import again
from agent.publishing.verify.subject import Unreadable, read_material
from agent.sandbox.boxes import BubblewrapSandbox
from agent.sandbox.probe import probe
from agent.session.events import Event
from agent.session.session import Session, fold
from agent.storage import foreign
from agent.storage.git_reader import BrokenRepository, GitReader
from agent.storage.locks import is_locked
from agent.storage.log import EventLog
from agent.storage.temporary import TemporaryFolder
from agent.storage.workspace import read_session
from paper.evidence.facts import Facts
from paper.press.account import FILE as ACCOUNT
from paper.press.account import PaperAccount
from paper.press.compare import Problem
from paper.press.parts import Rendered

MANIFEST = "template/manifest.toml"
PDF = "paper/paper.pdf"
LARGEST_PICTURE = 2 << 20
PNG = b"\x89PNG\r\n"
MOST_DRAWN = 64
_DRAWN: dict[str, bytes] = {}  # pictures of PDFs by the PDF's hash, because a live page is made again and again


@dataclass(frozen=True)
class PaperSource:
    """The committed paper, and what the committed records give when it is rendered again."""

    account: PaperAccount
    sections: Mapping[str, str]
    rendered: Rendered
    numbers: int  # how many numbers it prints
    problems: tuple[Problem, ...]  # where the committed text differs from what the records give


@dataclass(frozen=True)
class Seen:
    """What the table of sessions knows of one. `problem`: why it could not be read, "" if it could."""

    name: str
    session: Session | None = None
    facts: Facts | None = None
    running: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Gathered:
    """A session as its folder is now."""

    paths: SessionPaths
    events: tuple[Event, ...]
    session: Session
    running: bool
    manifest: Manifest | None = None
    facts: Facts | None = None
    files: Mapping[str, RunFiles] = field(default_factory=dict)
    progress: Progress | None = None
    calls: tuple[CallRecord, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)  # PNG by the figure's name
    paper: PaperSource | None = None
    library: Library = Library()
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.paths.root.name

    @property
    def records(self) -> tuple[RunRecord, ...]:
        return self.facts.records if self.facts else ()


def gather(paths: SessionPaths) -> Gathered:
    """Gather a session from its folder.

    Raises:
        UserError: its log is empty.
        InfrastructureError: its log cannot be read.
    """
    events = tuple(EventLog(paths.events).read())
    try:
        session = fold(events)
    except UserError as error:
        raise UserError(f"{paths.root}: {error}") from None
    problems: list[str] = []
    manifest = _manifest(paths, session, problems)
    facts = _facts(paths, session, manifest, problems) if manifest else None
    repo = GitReader(paths.repo / ".git")
    return Gathered(
        paths=paths,
        events=events,
        session=session,
        running=is_locked(paths.lock),
        manifest=manifest,
        facts=facts,
        files=files_of(paths, session, facts, repo, problems) if facts else {},
        progress=progress_of(paths, session),
        calls=tuple(read_calls(paths, session)),
        pictures=_pictures(paths, session),
        paper=_paper(session, facts, repo, problems),
        library=_library(paths, session, problems),
        problems=tuple(problems),
    )


def glance(paths: SessionPaths) -> Seen:
    """What the table of sessions shows of one: its state and records, without code, calls and paper."""
    try:
        session = read_session(paths)
    except (UserError, InfrastructureError) as error:
        return Seen(paths.root.name, problem=str(error))
    manifest = _manifest(paths, session, [])
    facts = _facts(paths, session, manifest, []) if manifest else None
    return Seen(paths.root.name, session, facts, is_locked(paths.lock))


def progress_of(paths: SessionPaths, session: Session) -> Progress | None:
    """The progress of the trainings that run now; None where there are none."""
    submitted = (run for run in session.under_way if run.phase == "submitted")
    jobs = [job for run in submitted if (job := job_of(paths, run.run, run.attempt, run.restarts))]
    return together([LocalRunner().progress(job) for job in jobs]) if jobs else None


def read_calls(paths: SessionPaths, session: Session) -> Iterable[CallRecord]:
    """The exchanges with models, in the order of the log; one that cannot be read is left out."""
    root = paths.root.resolve()
    for event in session.calls.values():
        try:
            yield CallRecord.model_validate_json(foreign.read(root, event.path))
        except (foreign.Foreign, ValueError):
            continue


# ---------------------------------------------------------------- records and code


def _manifest(paths: SessionPaths, session: Session, problems: list[str]) -> Manifest | None:
    try:
        manifest = parse_manifest(foreign.read(paths.repo.resolve(), MANIFEST), MANIFEST)
        return measured_at(manifest, session.options.profile)
    except foreign.Missing:
        return None  # the data are not prepared yet
    except (UserError, KeyError) as error:
        problems.append(f"{MANIFEST}: {error}")
        return None


def _facts(paths: SessionPaths, session: Session, manifest: Manifest, problems: list[str]) -> Facts:
    records = []
    for run in (run for run in session.runs.values() if run.over):
        try:
            records.append(read_record(paths.repo / "records" / f"{run.run}.json", run))
        except (InfrastructureError, ValueError) as error:
            problems.append(str(error))
    return Facts(records, manifest, session.options.profile)


# ---------------------------------------------------------------- paper, figures, literature


def _paper(session: Session, facts: Facts | None, repo: GitReader, problems: list[str]) -> PaperSource | None:
    if session.compiled is None or facts is None or not facts.measured:
        return None
    try:
        files = repo.files(repo.head)
        if ACCOUNT not in files:
            return None
        material = read_material(repo, files)
        sections, rendered, numbers, found = again(repo, material)
    except BrokenRepository as broken:
        problems.append(f"the repository cannot be read: {broken}")
        return None
    except (Unreadable, InfrastructureError) as bad:
        problems.append(f"{getattr(bad, 'where', 'paper')}: {bad}")
        return None
    return PaperSource(material.account, sections, rendered, numbers, tuple(found))


def _pictures(paths: SessionPaths, session: Session) -> dict[str, bytes]:
    """Figures as PNG, by name: those of the runner lie beside their PDFs, a PDF of the agent is drawn in the
    sandbox."""
    found, repo = {}, paths.repo.resolve()
    for figure in session.figures:
        try:
            data = foreign.read(repo, str(Path(figure.file).with_suffix(".png")), LARGEST_PICTURE)
        except foreign.Missing:
            data = _drawn(repo, figure.file)
        except foreign.Foreign:
            continue
        if data.startswith(PNG):
            found[figure.name] = data
    return found


def _drawn(repo: Path, name: str) -> bytes:
    """A figure's PDF as a PNG file; empty if it is no PDF, or if there is no sandbox to draw it in."""
    try:
        data = foreign.read(repo, name, LARGEST_PICTURE)
    except foreign.Foreign:
        return b""
    key = hashlib.sha256(data).hexdigest()
    if key not in _DRAWN and data.startswith(b"%PDF-") and shutil.which("pdftoppm") and not probe():
        while len(_DRAWN) >= MOST_DRAWN:
            _DRAWN.pop(next(iter(_DRAWN)))
        with TemporaryFolder("figure") as folder:
            (Path(folder) / "figure.pdf").write_bytes(data)
            _DRAWN[key] = drawn(Path(folder) / "figure.pdf", 1, BubblewrapSandbox())
    return _DRAWN.get(key, b"")


def _library(paths: SessionPaths, session: Session, problems: list[str]) -> Library:
    """The works that may be cited. The shipped library is read only if the page shows works."""
    if session.verdict is None and not session.chosen and not session.sections:
        return Library()
    try:
        data: bytes | None = foreign.read(paths.repo.resolve(), FOUND)
    except foreign.Foreign:
        data = None
    try:
        return shipped_library().adding(read_found(data).entries())
    except InfrastructureError as error:
        problems.append(str(error))
        return shipped_library()
