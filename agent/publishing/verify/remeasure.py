"""`launch.py --verify --artefacts`: compares the hash of every artefact with the records, and measures it again.

An artefact is the file with parameters that a training left. The jobs are made from the committed records; the
session's own job.json is not read. The experiments' code always runs in the sandbox; so do evaluate.py and prepare.py
if this installation did not make the session.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.paths import SessionPaths
from agent.core.protocols import Sandbox
from agent.core.record import Environment, Job, Pretrained, RunRecord, Training
from agent.core.template import Template, load_template
from agent.lab.built import MANIFEST, data_hashes
from agent.lab.environments import environment_of, kept_as
from agent.lab.saebench.catalogue import specs
from agent.lab.worlds import prepared
from agent.publishing.verify.subject import Material, Report, Subject, Unreadable, committed_files, read_material
from agent.publishing.verify.trust import prepare_walled
from agent.storage import foreign
from agent.storage.git_reader import GitReader
from agent.storage.temporary import TemporaryFolder
from paper.press.compare import Problem

AGREE = 1e-6  # relative: what sums in another order explain
LARGEST = 16 << 30  # bytes of one artefact


@dataclass(frozen=True)
class _Named:
    """An artefact, by the training that left it and the record that names it."""

    record: RunRecord
    training: Training


@dataclass(frozen=True)
class Means:
    """What a second measurement uses. `ours`: this installation made the session, so its template is trusted."""

    cache: Path  # of data sets and environments, ours
    ours: bool
    sandbox: Sandbox


def remeasure(subject: Subject, session: SessionPaths, report: Report, means: Means) -> None:
    """Measure all artefacts of a session again, and add differences to the report.

    Raises:
        InfrastructureError: there is no sandbox, or the data of a run cannot be had.
    """
    repo = GitReader(subject.git_dir)
    material = read_material(repo, committed_files(subject, repo))
    _check_names(material)
    named = [
        _Named(record, t)
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
        bench = _Bench(Path(scratch), repo, material, means)
        for index, (one, file) in enumerate(at_hand if material.manifest.measured else ()):
            report.say(
                f"Measuring artefact {index + 1} of {len(at_hand)} again; data that the cache lacks are drawn anew"
            )
            problems = list(bench.differences(one, file, index))
            report.problems += problems
            done += not problems
    if any(_outside(material, record) for record in material.records.values()):
        report.notes.append("the metrics of sae-bench are not measured again")
    if material.manifest.environment and not means.ours:
        report.notes.append("measured again with this installation's Python, not with the environment of the template")
    report.notes.append(
        f"{done} of {len(named)} artefacts re-evaluated"
        + (
            ""
            if len(at_hand) == len(named)
            else f"; {len(named) - len(at_hand)} are not at hand (a cached baseline's lie "
            "with the session that trained it)"
        )
    )


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


def _replaced(session: SessionPaths, material: Material, named: _Named) -> Iterator[Problem]:
    """Problems for files that lie in an artefact's place and have another hash."""
    for path in _places(session, material, named.record, named.training):
        yield Problem(
            str(path.relative_to(session.root)),
            f"is not the artefact of run {named.record.run}: sha256 "
            f"{_sha256(session, path)[:12] or 'of no plain file'}, the record gives "
            f"{(named.training.artefact_sha256 or '')[:12]}",
        )


# ---------------------------------------------------------------- the measuring


class _Bench:
    """Puts template, code and data together as a record names them, and measures with them."""

    def __init__(self, folder: Path, repo: GitReader, material: Material, means: Means) -> None:
        self._folder, self._repo, self._material, self._means = folder, repo, material, means
        self._template: Template | None = None
        self._data: dict[str, Path] = {}

    def differences(self, named: _Named, file: Path, index: int) -> Iterator[Problem]:
        """Measure an artefact again; the metrics that differ from the record."""
        from agent.lab.measuring.measure import measure_again
        from agent.lab.measuring.verdict import Stopped

        record, training = named.record, named.training
        where = f"records/{record.run}.json, seed {training.seed}, condition {training.condition}"
        condition = next((c for c in record.conditions if c.name == training.condition), None)
        if condition is None:
            yield Problem(where, "is of a condition that the record does not have")
            return
        job, means = self._job(named, self._folder / f"job-{index}"), self._means
        try:
            found = measure_again(job, training.seed, condition, means.sandbox, file, walled=not means.ours).metrics
        except Stopped as stop:
            yield Problem(where, f"the artefact cannot be measured again: {stop.reason}: {stop.detail}")
            return
        for name in sorted((found.keys() | training.metrics.keys()) - _outside(self._material, record)):
            new, old = found.get(name), training.metrics.get(name)
            if new is None or old is None or not math.isclose(new, old, rel_tol=AGREE, abs_tol=1e-9):
                yield Problem(where, f"{name} is {old} in the record; its artefact gives {new}")

    def _job(self, named: _Named, folder: Path) -> Job:
        """The job that measures an artefact, with code and template as they are committed."""
        record, template = named.record, self._exported()
        code = {}
        for hashed in record.hashes:
            kind, _, name = hashed.partition("/")
            if kind == "code":
                code[name] = (
                    self._repo.blob(record.commit, name) or self._repo.blob(record.commit, f"template/{name}") or b""
                )
        foreign.write(folder / "code", code)
        data, profile = self._data_folder(record, named.training.seed), template.manifest.profiles[record.profile]
        there = Path("/dev/nvidiactl").exists() and not record.device.startswith("cpu")
        return Job(
            key="again",
            run=record.run,
            kind=record.kind,
            attempt=record.attempts,
            folder=str(folder),
            code=str(folder / "code"),
            script=self._script(record),
            template=template.folder,
            train_data=str(data / "train"),
            truth_data=str(data / "truth"),
            settings=record.settings,
            seeds=record.seeds,
            conditions=record.conditions,
            limits=profile.limits,
            evaluate_limits=profile.evaluate_limits,
            device="cuda" if there else "cpu",
            slots=1,
            threads=len(os.sched_getaffinity(0)),
            sandbox="bwrap",
            environment=self._environment(template, record),
            pretrained=_pretrained(record),
        )

    def _script(self, record: RunRecord) -> str:
        """The script that was trained: of a baseline its own, of a confirmation that of the repeated run."""
        manifest, records = self._material.manifest, self._material.records
        if record.kind == "confirmation":
            repeated = records.get(f"records/{record.parent}.json")
            return self._script(repeated) if repeated and repeated.kind != "confirmation" else manifest.editable[0]
        baseline = next((b for b in manifest.baselines if b.name == record.name), None)
        return baseline.script if record.kind == "baseline" and baseline else manifest.editable[0]

    def _environment(self, template: Template, record: RunRecord) -> Environment | None:
        """The template's own Python, if this installation made the session; a stranger's requirements are not
        installed.

        The environment that the run had is preferred if the cache still has it, because requirements may name files
        that are not committed.
        """
        if not self._means.ours:
            return None
        key = record.versions.get("environment", "")
        return (key and kept_as(key, self._means.cache)) or environment_of(template, self._means.cache, print)

    def _exported(self) -> Template:
        if self._template is None:
            manifest, first = self._material.manifest, self._repo.commits[0].id
            files = {name: self._repo.blob(first, name) or b"" for name in (*manifest.editable, manifest.plot)}
            for path in self._repo.files(first):
                if path.startswith("template/"):
                    files[path.removeprefix("template/")] = self._repo.blob(first, path) or b""
            folder = self._folder / "template" / manifest.name
            foreign.write(folder, files)
            self._template = load_template(folder)
        return self._template

    def _data_folder(self, record: RunRecord, seed: int) -> Path:
        """The folder of the seed's world (data set), from the cache or drawn again from a secret in session.json."""
        wanted = record.worlds[record.world_of(seed) - 1] if record.worlds else {}
        key = repr(sorted(wanted.items()))
        if key not in self._data:
            found = self._cached(wanted) or self._drawn(record, wanted)
            self._data[key] = found if self._means.ours else self._shown(found, len(self._data))
        return self._data[key]

    def _shown(self, data: Path, number: int) -> Path:
        """A copy that the sandbox's user may read, because a stranger's evaluate.py runs there and reads the truth."""
        copy = self._folder / f"world-{number}"
        shutil.copytree(data, copy)
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return copy

    def _cached(self, wanted: dict[str, str]) -> Path | None:
        for manifest in sorted((self._means.cache / "data").glob(f"*/{MANIFEST}")):
            if json.loads(manifest.read_text()).get("files") == wanted and _holds(manifest.parent, wanted):
                return manifest.parent
        return None

    def _drawn(self, record: RunRecord, wanted: dict[str, str]) -> Path:
        prepare = None if self._means.ours else prepare_walled(self._means.sandbox)
        for secret in self._secrets():
            template, asked = self._exported(), (record.profile, record.settings, secret, self._folder)
            data = prepared(template, *asked, prepare=prepare, conditions=record.conditions)
            if _holds(data.truth.parent, wanted):
                return data.truth.parent
        raise InfrastructureError(
            f"the data of run {record.run} are not in the cache, and the session's secrets do "
            "not give them with the packages that are here; nothing can be measured again"
        )

    def _secrets(self) -> list[int]:
        said = self._repo.blob(self._repo.head, "session.json")
        try:
            worlds = json.loads(said).get("worlds", []) if said else []
            return [int(world["secret"], 16) for world in worlds[:8] if world.get("secret")]
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            raise Unreadable("session.json", "does not say the secrets of its worlds") from None


def _pretrained(record: RunRecord) -> Pretrained | None:
    """What the job is told of an autoencoder that others trained; its parameters come from the kept artefact."""
    origin = record.pretrained
    return Pretrained(artefact="", sha256=origin.artefact_sha256, d_sae=origin.d_sae) if origin else None


def _outside(material: Material, record: RunRecord) -> set[str]:
    """The metrics that are not compared: those of a clock, and those of sae-bench.

    A metric of sae-bench takes an hour, and no two GPUs give the same digits.
    """
    asked = material.manifest.profiles[record.profile].saebench
    timed = {name for name, spec in material.manifest.metrics.items() if spec.timed}
    return timed | (set(specs(asked.evals)) if asked else set())


def _holds(folder: Path, wanted: dict[str, str]) -> bool:
    return bool(wanted) and data_hashes(folder) == wanted
