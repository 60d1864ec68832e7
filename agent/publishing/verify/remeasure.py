"""`launch.py --verify --artefacts`: hash every artefact that the records name, and measure it once more.

Runs the session's own evaluate.py, as the session did, and the agent's encode in the sandbox.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.paths import SessionPaths
from agent.core.protocols import Sandbox
from agent.core.record import Environment, Job, RunRecord, Training
from agent.core.template import Template, load_template
from agent.lab.environments import environment_of
from agent.lab.saebench.catalogue import specs
from agent.lab.worlds import file_sha256, folder_hashes, prepared
from agent.publishing.verify.subject import Material, Report, Subject, committed_files, read_material
from agent.storage.git_reader import GitReader
from agent.storage.workspace import Workspace
from paper.press.compare import Problem

AGREE = 1e-6  # relative: what sums in another order explain


@dataclass(frozen=True)
class _Named:
    """An artefact that a record names."""

    record: RunRecord
    training: Training


def remeasure(subject: Subject, session: SessionPaths, report: Report, sandbox: Sandbox | None = None) -> None:
    """Add what was found to the report; `session` is where the runs lie."""
    repo = GitReader(subject.git_dir)
    material = read_material(repo, committed_files(subject, repo))
    named = [
        _Named(record, t)
        for record in material.records.values()
        for t in record.trainings
        if record.status == "measured" and t.artefact_sha256
    ]
    files = [_find(session, material, n.record, n.training) for n in named]
    at_hand = [(n, file) for n, file in zip(named, files, strict=True) if file is not None]
    missing = [n for n, file in zip(named, files, strict=True) if file is None]
    report.problems += [p for n in missing for p in _replaced(session, material, n)]
    done = 0
    with tempfile.TemporaryDirectory(prefix="remeasure-") as scratch:
        bench = _Bench(Path(scratch), repo, material, sandbox, Workspace(session.root.parent).cache)
        for index, (one, file) in enumerate(at_hand if material.manifest.measured else ()):
            problems = list(bench.differences(one, file, index))
            report.problems += problems
            done += not problems
    if any(_outside(material, record) for record in material.records.values()):
        report.notes.append("the metrics of sae-bench are not measured again")
    report.notes.append(
        f"{done} of {len(named)} artefacts re-evaluated"
        + (
            ""
            if not missing
            else f"; {len(missing)} are not at hand (a cached baseline's lie with the session that trained it)"
        )
    )


def _places(session: SessionPaths, material: Material, record: RunRecord, training: Training) -> Iterator[Path]:
    name = f"trainings/{training.condition}-seed{training.seed}/harvest/{material.manifest.artefact}"
    yield from sorted((session.runs / record.run).glob(f"attempt-{record.attempts}*/{name}"))


def _find(session: SessionPaths, material: Material, record: RunRecord, training: Training) -> Path | None:
    """The file with the recorded hash: in this session, or in the one whose baseline was taken over."""
    name = f"trainings/{training.condition}-seed{training.seed}/harvest/{material.manifest.artefact}"
    others = session.root.parent.glob(f"*/runs/{record.run}/attempt-*/{name}") if record.kind != "experiment" else ()
    places = (*_places(session, material, record, training), *sorted(others))
    return next((p for p in places if file_sha256(p) == training.artefact_sha256), None)


def _replaced(session: SessionPaths, material: Material, named: _Named) -> Iterator[Problem]:
    """A file in an artefact's place that is another one; nothing if the place is empty."""
    for path in _places(session, material, named.record, named.training):
        yield Problem(
            str(path.relative_to(session.root)),
            f"is not the artefact of run {named.record.run}: sha256 "
            f"{file_sha256(path)[:12]}, the record gives {(named.training.artefact_sha256 or '')[:12]}",
        )


class _Bench:
    """Template, code and data as the records name them, in a folder of their own."""

    def __init__(self, folder: Path, repo: GitReader, material: Material, sandbox: Sandbox | None, cache: Path) -> None:
        self._folder, self._repo, self._material, self._sandbox = folder, repo, material, sandbox
        self._cache = cache  # of environments
        self._template: Template | None = None
        self._data: dict[str, Path] = {}

    def differences(self, named: _Named, file: Path, index: int) -> Iterator[Problem]:
        """What a second measurement gives otherwise than the record."""
        from agent.lab.measuring.measure import measure_again
        from agent.lab.measuring.verdict import Stopped

        record, training = named.record, named.training
        where = f"records/{record.run}.json, seed {training.seed}, condition {training.condition}"
        job = self._job(record, file, self._folder / f"job-{index}")
        condition = next(c for c in record.conditions if c.name == training.condition)
        try:
            found = measure_again(job, training.seed, condition, self._sandbox or _walls(job), file)
        except Stopped as stop:
            yield Problem(where, f"the artefact cannot be measured again: {stop.reason}: {stop.detail}")
            return
        for name in sorted((found.keys() | training.metrics.keys()) - _outside(self._material, record)):
            new, old = found.get(name), training.metrics.get(name)
            if new is None or old is None or not math.isclose(new, old, rel_tol=AGREE, abs_tol=1e-9):
                yield Problem(where, f"{name} is {old} in the record; its artefact gives {new}")

    def _job(self, record: RunRecord, file: Path, folder: Path) -> Job:
        """The job that made an artefact, with code and template as they are committed."""
        root = file.parents[3]
        job = Job.model_validate_json((root / "job.json").read_bytes())
        template = self._exported()
        for hashed in record.hashes:
            kind, _, name = hashed.partition("/")
            if kind == "code":
                code = self._repo.blob(record.commit, name) or self._repo.blob(record.commit, f"template/{name}")
                _write(folder / "code" / name, code or b"")
        data = self._data_folder(record, Path(job.truth_data).parent)
        return job.model_copy(
            update={
                "environment": self._environment(job, template),
                "saebench": None,
                "folder": str(folder),
                "code": str(folder / "code"),
                "template": template.folder,
                "train_data": str(data / "train"),
                "truth_data": str(data / "truth"),
                "settings": record.settings,
            }
        )

    def _environment(self, job: Job, template: Template) -> Environment | None:
        """As it was built for the job, or built anew from the committed requirements."""
        if job.environment is None or Path(job.environment.python).exists():
            return job.environment
        return environment_of(template, self._cache, print)

    def _exported(self) -> Template:
        if self._template is None:
            manifest, first = self._material.manifest, self._repo.commits[0].id
            folder = self._folder / manifest.name
            for name in (*manifest.editable, manifest.plot):
                _write(folder / name, self._repo.blob(first, name) or b"")
            for path in self._repo.files(first):
                if path.startswith("template/"):
                    _write(folder / path.removeprefix("template/"), self._repo.blob(first, path) or b"")
            self._template = load_template(folder)
        return self._template

    def _data_folder(self, record: RunRecord, cached: Path) -> Path:
        """The cached world, or the same one drawn again from the secret that the session published."""
        wanted = {k.removeprefix("data/"): v for k, v in record.hashes.items() if k.startswith("data/")}
        key = repr(sorted(wanted.items()))
        if key not in self._data:
            self._data[key] = cached if _holds(cached, wanted) else self._drawn(record, wanted)
        return self._data[key]

    def _drawn(self, record: RunRecord, wanted: dict[str, str]) -> Path:
        said = self._repo.blob(self._repo.head, "session.json")
        worlds = json.loads(said).get("worlds", []) if said else []
        for secret in (w["secret"] for w in worlds if w.get("secret")):
            data = prepared(self._exported(), record.profile, record.settings, int(secret, 16), self._folder)
            if _holds(data.truth.parent, wanted):
                return data.truth.parent
        raise InfrastructureError(
            f"the data of run {record.run} are not in the cache, and the session's secrets do "
            "not give them with the packages that are here; nothing can be measured again"
        )


def _outside(material: Material, record: RunRecord) -> set[str]:
    """sae-bench's own metrics: an hour each, and no two GPUs give the same digits."""
    asked = material.manifest.profiles[record.profile].saebench
    return set(specs(asked.evals)) if asked else set()


def _holds(folder: Path, wanted: dict[str, str]) -> bool:
    now = {
        f"{part}/{name}": digest for part in ("train", "truth") for name, digest in folder_hashes(folder / part).items()
    }
    return bool(wanted) and now == wanted


def _walls(job: Job) -> Sandbox:
    from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox

    return NoSandbox() if job.sandbox == "none" else BubblewrapSandbox()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
