"""Runs a case as the runner would: sandboxed trainings, harvest, two encodings, evaluation, gate."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.core.paths import DataPaths
from agent.core.record import Finding, Job, RunKind, RunRecord, Training
from agent.core.template import load_template
from agent.lab import integrity
from agent.lab.measuring.measure import job_facts, run_training
from agent.lab.worlds import prepared
from agent.sandbox.boxes import BubblewrapSandbox
from tests.suites.redteam.case import EXPERIMENT, GAINS_NOTHING, TEMPLATE, Case, Cheat, code_of

TINY = load_template(TEMPLATE)
PROFILE = TINY.manifest.profiles["tiny"]
SETTINGS = {**PROFILE.settings, "samples": 640_000}  # so that training costs more than starting Python
WORLDS = 20  # that are tried at most
APART = 0.95  # cosine of decoder rows of two seeds


@dataclass(frozen=True)
class Verdict:
    """What happened to a case. `findings` holds a failed or refused training as one of grade "refuse"."""

    case: Case
    stage: str  # "training", "harvest", "encode", "measure", "gate"
    findings: tuple[Finding, ...]
    metrics: dict[str, float]

    @property
    def refused(self) -> bool:
        return any(finding.grade == "refuse" for finding in self.findings)


@dataclass(frozen=True)
class Lab:
    """One world and the honest baseline in it; hands out verdicts."""

    folder: Path
    world: DataPaths
    baseline: RunRecord | None = None

    def judge(self, number: int, case: Case) -> Verdict:
        """Train and measure as many seeds as the case has; stop at the first that comes to nothing."""
        job = self._job(str(number), code_of(case), case.seeds)
        trainings: list[Training] = []
        for seed in case.seeds:
            trainings.append(run_training(job, seed, job.conditions[0], BubblewrapSandbox(), lambda: False))
            if trainings[-1].outcome != "measured":
                return self._stopped(case, trainings[-1])
        record = self._record(job, trainings, "experiment")
        findings = integrity.check(record, [self.baseline], TINY.manifest)
        return Verdict(case, "gate", findings, trainings[0].metrics)

    def with_baseline(self) -> Lab:
        job = self._job("0", EXPERIMENT, PROFILE.seeds)
        done = [run_training(job, seed, job.conditions[0], BubblewrapSandbox(), lambda: False) for seed in job.seeds]
        return Lab(self.folder, self.world, self._record(job, done, "baseline"))

    def _stopped(self, case: Case, training: Training) -> Verdict:
        stage = {"exit": "training", "artefact": "harvest"}.get(training.reason, "measure")
        stage = "encode" if training.reason.startswith("encode") else stage
        text = training.detail or training.reason
        return Verdict(case, stage, (Finding(code=training.reason, grade="refuse", text=text),), training.metrics)

    def _job(self, run: str, code: str, seeds: Sequence[int]) -> Job:
        folder = self.folder / f"case-{run}"
        shutil.copytree(TEMPLATE, folder / "code")
        (folder / "code" / "experiment.py").write_text(code)
        return Job(
            key=run,
            run=run,
            kind="experiment",
            attempt=1,
            folder=str(folder),
            code=str(folder / "code"),
            script="experiment.py",
            template=TINY.folder,
            train_data=str(self.world.train),
            truth_data=str(self.world.truth),
            settings=SETTINGS,
            seeds=tuple(seeds),
            conditions=PROFILE.conditions,
            limits=PROFILE.limits,
            evaluate_limits=PROFILE.evaluate_limits,
            device="cpu",
            slots=1,
            threads=1,
            sandbox="bwrap",
        )

    def _record(self, job: Job, trainings: Sequence[Training], kind: RunKind) -> RunRecord:
        device, versions, hashes = job_facts(job)
        return RunRecord(
            run=job.run,
            kind=kind,
            name=f"r{job.run}",
            label=f"run {job.run}",
            about="",
            parent=None if kind == "baseline" else "0",
            status="measured",
            attempts=1,
            commit="",
            tree="",
            template="tiny",
            profile="tiny",
            settings=job.settings,
            seeds=job.seeds,
            conditions=job.conditions,
            trainings=tuple(trainings),
            findings=(),
            started_at=0.0,
            wall_s=0.0,
            device=device,
            versions=versions,
            hashes=hashes,
            sandbox="bwrap",
        )


@contextmanager
def lab(secret: int | None = None) -> Iterator[Lab]:
    """A world in a folder of its own; its secret has 256 fresh bits unless a test wants a weak one.

    In a quarter of these small worlds both seeds end at the same six rows, and one training for all seeds changes
    nothing; with a secret of its own, the lab takes another world then.
    """
    with ExitStack() as folders:
        for _ in range(1 if secret is not None else WORLDS):
            made = _one(secrets.randbits(256) if secret is None else secret, folders)
            if made.baseline and all(t.artefact_facts.get("matched", 0.0) < APART for t in made.baseline.trainings):
                break
        yield made


def _one(secret: int, folders: ExitStack) -> Lab:
    folder = Path(tempfile.mkdtemp(prefix="redteam-"))
    folders.callback(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)  # the sandbox's own user reads the code there
    return Lab(folder, prepared(TINY, "tiny", SETTINGS, secret, folder)).with_baseline()


def complaint(verdict: Verdict, honest: dict[str, float]) -> str:
    """Why this verdict is not the one hoped for; "" if it is."""
    codes = ", ".join(f.code for f in verdict.findings) or "nothing"
    case = verdict.case
    if not isinstance(case, Cheat):
        return f"an honest run was refused: {codes}" if verdict.refused else ""
    found = [f for f in verdict.findings if f.code == case.caught and f.grade != "note"]
    if not found and case.caught != GAINS_NOTHING:
        return f"{case.caught} did not catch it; found: {codes}"
    if case.said and not any(case.said in f.text for f in found):
        return f"{case.caught} does not say {case.said!r}: {found[0].text[-300:]}"
    if verdict.refused and verdict.metrics and verdict.stage != "gate":
        return "a refused training shows its metrics"
    if case.gains is False and (better := _better(verdict.metrics, honest)):
        return f"it gained in {', '.join(better)}"
    return ""


def _better(mine: dict[str, float], honest: dict[str, float]) -> list[str]:
    signs = {"higher": 1.0, "lower": -1.0, "target": 0.0}
    specs = TINY.manifest.metrics
    return [n for n, spec in specs.items() if signs[spec.better] * (mine[n] - honest[n]) > 1e-3]
