"""Measures an artefact again, with template, code and data as the records of a repository name them.

The experiments' code always runs in the sandbox; so do evaluate.py and prepare.py if this installation did not make the
session.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.protocols import Sandbox
from agent.core.record import Environment, Job, Pretrained, RunRecord, Training
from agent.core.template import Template, load_template
from agent.lab.built import MANIFEST, data_hashes
from agent.lab.environments import environment_of, kept_as
from agent.lab.saebench.catalogue import specs
from agent.lab.worlds import prepared
from agent.publishing.verify.subject import Material, Unreadable
from agent.publishing.verify.trust import prepare_walled
from agent.storage import foreign
from agent.storage.git_reader import GitReader
from paper.press.compare import Problem

AGREE = 1e-6  # relative difference that rounding explains, where sums are made in another order


@dataclass(frozen=True)
class Named:
    """An artefact, by the training that left it and the record that names it."""

    record: RunRecord
    training: Training


@dataclass(frozen=True)
class Means:
    """What a second measurement uses. `ours`: this installation made the session, so its template is trusted."""

    cache: Path  # of data sets and environments, ours
    ours: bool
    sandbox: Sandbox


class Bench:
    """Puts template, code and data together as a record names them, and measures with them."""

    def __init__(self, folder: Path, repo: GitReader, material: Material, means: Means) -> None:
        self._folder, self._repo, self._material, self._means = folder, repo, material, means
        self._template: Template | None = None
        self._data: dict[str, Path] = {}

    def differences(self, named: Named, file: Path, index: int) -> Iterator[Problem]:
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
        for name in sorted((found.keys() | training.metrics.keys()) - not_compared(self._material, record)):
            new, old = found.get(name), training.metrics.get(name)
            if new is None or old is None or not math.isclose(new, old, rel_tol=AGREE, abs_tol=1e-9):
                yield Problem(where, f"{name} is {old} in the record; its artefact gives {new}")

    def _job(self, named: Named, folder: Path) -> Job:
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


def not_compared(material: Material, record: RunRecord) -> set[str]:
    """The metrics that are not compared: those of a clock, and those of sae-bench.

    A metric of sae-bench takes an hour, and no two GPUs give the same digits.
    """
    asked = material.manifest.profiles[record.profile].saebench
    timed = {name for name, spec in material.manifest.metrics.items() if spec.timed}
    return timed | (set(specs(asked.evals)) if asked else set())


def _holds(folder: Path, wanted: dict[str, str]) -> bool:
    return bool(wanted) and data_hashes(folder) == wanted
