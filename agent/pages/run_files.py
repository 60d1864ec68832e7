"""Reads what runs left besides their records: code, the ends of logs, and the folders of their models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.core.paths import SessionPaths
from agent.core.record import Job, RunRecord
from agent.session.session import Session
from agent.storage import foreign
from agent.storage.git_reader import BrokenRepository, GitReader
from paper.evidence.facts import Facts

TAIL = 4000  # bytes of a log's end


@dataclass(frozen=True)
class RunFiles:
    """What a run left besides its record."""

    code: str = ""  # the script that was trained
    parent_code: str = ""
    log: str = ""  # the end of what a training printed
    log_name: str = ""  # path of the whole log below the session's folder
    artefacts: tuple[str, ...] = ()  # paths below the session's folder from which the model can be loaded


def files_of(
    paths: SessionPaths, session: Session, facts: Facts, repo: GitReader, problems: list[str]
) -> dict[str, RunFiles]:
    """The files of each run that has a record, by the run's number; what cannot be read is added to `problems`."""
    script = facts.manifest.editable[0]
    scripts = {b.name: f"template/{b.script}" for b in facts.manifest.baselines}
    commits = {r.run: r.commit for r in facts.records}
    wanted = []
    for record in facts.records:
        own = script if record.kind != "baseline" or record.run == "0" else scripts.get(record.name, script)
        wanted += [(record.commit, own), (commits.get(record.parent or "", ""), script)]
    try:
        codes = [(data or b"").decode("utf-8", "replace") for data in repo.blobs(wanted)]
    except BrokenRepository as broken:
        problems.append(f"the repository cannot be read: {broken}")
        codes = [""] * len(wanted)
    found = {}
    for place, record in enumerate(facts.records):
        state = session.runs[record.run]
        name, log = _log(paths, record, state.attempt, state.restarts)
        found[record.run] = RunFiles(
            code=codes[2 * place],
            parent_code=codes[2 * place + 1],
            log=log,
            log_name=name,
            artefacts=_artefacts(paths, record, state.attempt, state.restarts),
        )
    return found


def _log(paths: SessionPaths, record: RunRecord, attempt: int, restarts: int) -> tuple[str, str]:
    """The name and the end of a log of the first training that failed, or else of the first training."""
    trainings = sorted(record.trainings, key=lambda t: t.outcome == "measured")
    for training in trainings[:1]:
        for file in ("train.stderr.txt", "train.stdout.txt", "harvest/log.jsonl"):
            name = f"{_training(paths, record.run, attempt, restarts, training.condition, training.seed)}/{file}"
            if text := _tail(paths.root.resolve(), name):
                return name, text
    return "", ""


def _training(paths: SessionPaths, run: str, attempt: int, restarts: int, condition: str, seed: int) -> str:
    folder = paths.attempt(run, attempt, restarts).relative_to(paths.root).as_posix()
    return f"{folder}/trainings/{condition}-seed{seed}"


def _tail(root: Path, name: str) -> str:
    """The end of a file; "" where there is none."""
    try:
        if not foreign.is_plain(name):
            return ""
        with open(foreign.opened(root, name, foreign.LONGEST_LOG), "rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            return file.read(TAIL).decode("utf-8", "replace")
    except foreign.Foreign:
        return ""


def _artefacts(paths: SessionPaths, record: RunRecord, attempt: int, restarts: int) -> tuple[str, ...]:
    folders = [
        f"{_training(paths, record.run, attempt, restarts, t.condition, t.seed)}/export"
        for t in record.trainings
        if t.outcome == "measured"
    ]
    return tuple(folder for folder in folders if (paths.root / folder).is_dir())


def job_of(paths: SessionPaths, run: str, attempt: int, restarts: int) -> Job | None:
    """The job of an attempt, as the runner wrote it; None where there is none."""
    folder = paths.attempt(run, attempt, restarts)
    try:
        name = (folder / "job.json").relative_to(paths.root).as_posix()
        job = Job.model_validate_json(foreign.read(paths.root.resolve(), name))
    except (foreign.Foreign, ValueError):
        return None  # none yet, or nothing that a runner writes
    return job.model_copy(update={"folder": str(folder)})
