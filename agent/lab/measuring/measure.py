"""One training from its first step to its metrics: train, harvest, encode, encode again, decode, evaluate.

Only the evaluation runs in this process; whatever the agent wrote runs in a sandbox that never sees the
truth. Not here: which trainings run when (runners) and whether a measured result is believed (integrity).
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.errors import InfrastructureError
from agent.core.manifest import Condition, Manifest
from agent.core.protocols import Exit, Mount, Sandbox, SandboxSpec
from agent.core.record import Finding, Job, Training
from agent.core.template import load_template
from agent.lab.integrity import PROBES
from agent.lab.integrity.effort import AT_FLOOR
from agent.lab.integrity.floor import at_floor, untrained
from agent.lab.machine import job_facts
from agent.lab.measuring import encoder, encoding, export, foreign, outputs, reports, saebench
from agent.lab.measuring.artefact import Artefact, BadArtefact, read_artefact
from agent.lab.measuring.scratch import CODE, TrainingPaths, copy_code, remove
from agent.lab.measuring.verdict import MAX_DETAIL, Account, Stopped, check_metrics, training_ended
from agent.lab.worlds import file_sha256, load_module, recorded_hashes
from agent.sandbox import harvest
from agent.storage.atomic import write_text

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

__all__ = ["TrainingPaths", "job_facts", "run_training"]

POLL_S = 0.05
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# glibc hands a step's arrays back to the kernel, which clears them anew in the next: a fifth of a CPU training's time.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
MOVED = 1e-3  # relative; some hundred steps of any honest size move a decoder further
Cancelled = Callable[[], bool]


def run_training(job: Job, seed: int, condition: Condition, sandbox: Sandbox, cancelled: Cancelled) -> Training:
    """Train one seed under one condition and measure what came out.

    Whatever the agent's code does becomes part of the Training. Safe to repeat: it starts afresh.

    Raises:
        InfrastructureError: the sandbox or the data is broken.
    """
    one = _OneTraining(job, seed, condition, sandbox, cancelled)
    account = Account()
    outcome, reason, detail = "measured", "", ""
    try:
        one.run(account)
    except Stopped as stop:
        outcome, reason, detail = stop.outcome, stop.reason, stop.detail[-MAX_DETAIL:]
        account.metrics = {}
    end = account.end or Exit(reason="cancelled", code=0, wall_s=0.0, cpu_s=0.0, peak_memory_mb=0.0)
    return Training(
        seed=seed,
        condition=condition.name,
        outcome=outcome,
        reason=reason,
        detail=detail,
        metrics=account.metrics,
        diagnostics=account.diagnostics,
        declared=account.declared,
        curves=account.curves,
        wall_s=end.wall_s,
        cpu_s=end.cpu_s,
        peak_memory_mb=end.peak_memory_mb,
        artefact_sha256=account.artefact_sha256,
        export=account.export,
        findings=tuple(account.findings),
    )


def measure_again(job: Job, seed: int, condition: Condition, sandbox: Sandbox, artefact: Path) -> dict[str, float]:
    """The metrics of an artefact that was kept; job.folder is a fresh one.

    Raises:
        Stopped: it cannot be measured, or would be refused.
    """
    one = _OneTraining(job, seed, condition, sandbox, lambda: False)
    one.paths.kept.mkdir(parents=True)
    shutil.copyfile(artefact, one.paths.kept / one.manifest.artefact)
    account = Account()
    one.measure(harvest.Harvest(sha256={one.manifest.artefact: file_sha256(artefact)}), account)
    return account.metrics


class _OneTraining:
    """The stages in their order, with what they share."""

    def __init__(self, job: Job, seed: int, condition: Condition, sandbox: Sandbox, cancelled: Cancelled) -> None:
        self.job, self.seed, self.condition = job, seed, condition
        self.sandbox, self.cancelled = sandbox, cancelled
        self.paths = TrainingPaths.of(job, seed, condition.name)
        self.manifest: Manifest = load_template(Path(job.template)).manifest
        self.settings: dict[str, Any] = {**job.settings, **condition.settings}
        self.python, self.trees = foreign.python(job.environment)

    def run(self, account: Account) -> None:
        """All stages; stops by raising Stopped."""
        remove(self.paths.root)
        account.end = self._train(self.paths, self.settings)
        found = self._harvest(self.paths)
        reports.read(self.paths.kept, found, account)
        if account.end.reason != "ok":
            raise training_ended(account.end, self.paths.text("train.stderr"))
        account.artefact_sha256 = found.sha256.get(self.manifest.artefact)
        if self.manifest.measured:
            self.measure(found, account)
        else:
            reports.take_metrics(self.paths.kept, found, account, self.manifest, self.condition.name)

    # ---------------------------------------------------------------- train

    def _train(self, paths: TrainingPaths, settings: dict[str, Any]) -> Exit:
        copy_code(self.job, paths.code, self.manifest)
        mounts, data = self._mounts(paths)
        task = {
            **settings,
            "seed": self.seed,
            "condition": self.condition.name,
            "device": self.job.device,
            "threads": self.job.threads,
            "data": self.sandbox.visible(data),
            "artefact": self.manifest.artefact,
        }
        write_text(paths.code / "task.json", harvest.dumps(task))
        seen = self.sandbox.visible(mounts[0])
        out_dir = f"{seen}/{paths.out_name}" if self.manifest.absolute_out_dir else paths.out_name
        spec = SandboxSpec(
            argv=(self.python, CODE, f"--out_dir={out_dir}"),
            cwd=seen,
            mounts=(*mounts, *self.trees),
            limits=self.job.limits,
            env=self.env(),
            gpu=self.job.device.startswith("cuda"),
            network=self.job.network,
        )
        process = self.sandbox.start(spec, stdout=paths.text("train.stdout"), stderr=paths.text("train.stderr"))
        while (end := process.poll()) is None:
            if self.cancelled():
                return process.kill()
            time.sleep(POLL_S)
        return end

    def _mounts(self, paths: TrainingPaths) -> tuple[tuple[Mount, ...], Mount]:
        """The code's first, and that of the data."""
        data = Mount(Path(self.job.train_data), "/data")
        if self.manifest.form == "v1":
            return foreign.mounts(paths, data, walls=self.sandbox.name != "none"), data
        paths.out.mkdir()
        out = Mount(paths.out, f"/w/{paths.out_name}", writable=True)
        return (Mount(paths.code, "/w"), out, data), data

    def env(self) -> dict[str, str]:
        path = foreign.path_env(self.job.environment)
        return {**dict.fromkeys(THREADS, str(self.job.threads)), **KEEP_MEMORY, **path}

    # ---------------------------------------------------------------- harvest

    def _harvest(self, paths: TrainingPaths) -> harvest.Harvest:
        """Copy what may be looked at, then remove the folder: it may hold anything."""
        wanted = {self.manifest.artefact: self.job.limits.file_mb << 20, **reports.files(self.manifest)}
        if paths.out.is_symlink() or not paths.out.is_dir():  # without walls it can be replaced
            paths.out.unlink(missing_ok=True)
            return harvest.Harvest(problems=dict.fromkeys(wanted, "missing"))
        found = harvest.copy_files(paths.out, paths.kept, wanted, max_total=sum(wanted.values()))
        remove(paths.out)
        return found

    def _saved(self, found: harvest.Harvest) -> Path:
        name = self.manifest.artefact
        if name not in found.sha256:
            raise Stopped("refused", "artefact", f"{name} in the folder given by --out_dir: {found.problems[name]}")
        return self.paths.kept / name

    def _artefact(self, found: harvest.Harvest) -> Artefact:
        try:
            return read_artefact(self._saved(found), self.settings)
        except BadArtefact as bad:
            raise Stopped("refused", "artefact", str(bad)) from None

    # ---------------------------------------------------------------- measure

    def measure(self, found: harvest.Harvest, account: Account) -> None:
        """By the kind of artefact: a dictionary whose latents the runner decodes, or a model with outputs."""
        if self.manifest.model.outputs is None:
            x, latents = self._measure_latents(self._artefact(found), account)
            account.export = export.leave(self.job, self.seed, self.condition, self.paths, x, latents)
        else:
            outputs.measure(self, self._saved(found), account)

    def evaluation(self) -> tuple[Any, Any]:
        """The template's evaluate.py and the truth as it reads it."""
        path = Path(self.job.template) / "evaluate.py"
        try:
            module = load_module(path)
            return module, module.load_truth(Path(self.job.truth_data), {**self.settings, "device": self.job.device})
        except Exception as error:
            raise InfrastructureError(f"{path}: load_truth failed: {error!r}") from error

    def encoded(self, x: np.ndarray, width: int, most: int) -> csr_matrix:
        """Latents (or outputs) of all rows; computed twice, and refused if the answers differ."""
        first = self._encode("encode", x, width, most, varied=False)
        second = self._encode("encode-again", x, width, most, varied=True)
        if not encoding.agree(first, second):
            share = encoding.disagreement(first, second)
            raise Stopped(
                "refused",
                "encode-depends-on-batch",
                encoder.called(
                    self.manifest.model,
                    f"encoding the held-out rows twice, in other orders and batch sizes, gave other latents for "
                    f"{share:.1%} of the rows. SAE.encode must be a function of each row alone: no statistics "
                    "over the batch, no state, no randomness. A choice over the batch needs a stored threshold.",
                ),
            )
        return first

    def _measure_latents(self, artefact: Artefact, account: Account) -> tuple[np.ndarray, csr_matrix]:
        """Encode twice, look at the latents, decode, evaluate, compare with chance; returns rows and latents."""
        evaluation, truth = self.evaluation()
        latents = self.encoded(truth.x, len(artefact.decoder), self.manifest.max_l0)
        z = latents.multiply(artefact.scale).tocsr()
        z.eliminate_zeros()
        for finding in (f for probe in PROBES for f in probe(truth.x, z, artefact.decoder)):
            account.judge(finding)
        x_hat = z @ artefact.decoder + artefact.bias
        self.judge_metrics(account, lambda: evaluation.evaluate(truth.x, z, x_hat, artefact.decoder, truth))
        floor = untrained(
            Path(self.job.template) / "evaluate.py",
            evaluation,
            truth,
            Path(self.job.truth_data).parent,
            len(artefact.decoder),
            max(1, round(z.nnz / z.shape[0])),
            self.settings,
        )
        if text := at_floor(account.metrics, floor, self.manifest):
            account.judge(Finding(code=AT_FLOOR, grade="flag", text=text))
            if z.nnz and self.job.kind != "baseline":  # a dead training stays where it starts, honestly
                self._check_it_moved(artefact)
        if self.job.saebench:
            saebench.measure(self, artefact, account)
        return truth.x, latents

    def judge_metrics(self, account: Account, evaluate: Callable[[], dict[str, float]]) -> None:
        """Evaluate; whatever the artefact makes the evaluation do is the training's outcome."""
        try:
            account.metrics = evaluate()
        except Exception as error:
            text = f"the evaluation could not measure this artefact: {error!r}"
            raise Stopped("refused", "evaluate", text) from error
        check_metrics(account.metrics, self.manifest.metrics)

    def _check_it_moved(self, artefact: Artefact) -> None:
        """Train the same code on one batch: an artefact that hardly differs from that one was never trained."""
        import numpy as np

        try:
            start = self.after_one_batch()
            before = None if start is None else read_artefact(start, self.settings)
        except BadArtefact:
            return
        if before is not None and np.linalg.norm(artefact.decoder - before.decoder) < MOVED * np.linalg.norm(
            before.decoder
        ):
            raise Stopped(
                "refused",
                "untrained",
                (
                    "no metric is better than an untrained dictionary's, and the same code with a single batch of "
                    "samples leaves the same decoder: the training does not move the parameters."
                ),
            )

    def after_one_batch(self) -> Path | None:
        """The artefact of the same code after a single batch; None if it cannot do with so little."""
        batch = self.settings.get("batch", 1)
        twin = TrainingPaths(self.paths.root / "one-batch", self.paths.out_name)
        if self._train(twin, {**self.settings, "samples": batch}).reason != "ok":
            return None
        found = self._harvest(twin)
        return twin.kept / self.manifest.artefact if self.manifest.artefact in found.sha256 else None

    def order_seed(self, stage: str) -> int:
        """Unknown inside, for it hangs on the truth; the same when a training is measured again."""
        built = sorted(recorded_hashes(Path(self.job.truth_data).parent).items())
        artefact = file_sha256(self.paths.kept / self.manifest.artefact)
        return int(hashlib.sha256(repr((built, artefact, stage)).encode()).hexdigest(), 16)

    def _encode(self, stage: str, x: np.ndarray, width: int, most: int, varied: bool) -> csr_matrix:
        """Latents of all rows from a fresh process that sees code and artefact, no data, no truth."""
        import numpy as np

        draw = np.random.default_rng(self.order_seed(stage))
        sizes = encoding.varied_batches(draw) if varied else itertools.repeat(encoding.BATCH)
        with encoder.started(self, stage, self.job.evaluate_limits) as process:
            return encoding.encode_rows(process, x, draw.permutation(len(x)), sizes, width, most, self.cancelled)
