"""Runs somebody else's evaluate.py in the sandbox, from which only plain arrays and numbers come out.

It is used where a stranger's artefacts are measured again, or a stranger's template is checked; a session evaluates in
its own process.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.errors import InfrastructureError
from agent.core.manifest import Limits
from agent.core.methods import ModelSpec
from agent.core.protocols import Sandbox
from agent.core.record import Job
from agent.core.sandboxing import Mount, SandboxSpec
from agent.lab.measuring.channel import Ended
from agent.lab.measuring.driving import serve
from agent.sandbox import harvest
from agent.storage import foreign
from agent.storage.temporary import TemporaryFolder

if TYPE_CHECKING:
    import numpy as np

    from agent.lab.measuring.called import Called

AGENT = Path(__file__).parents[2]  # the package that the worker imports; a template may import its errors
WORKER = ("agent.lab.measuring.evaluate_worker",)
ROWS = "x.npy"
LARGEST = 2 << 30  # bytes of the held-out rows
MOST = Limits(wall_s=1800.0, memory_mb=16384, disk_mb=8192, file_mb=4096)  # upper bounds for a foreign manifest


@dataclass(frozen=True)
class Truth:
    """The part of a stranger's truth that leaves the sandbox: the held-out rows, if it has any."""

    x: np.ndarray | None


class WalledEvaluation:
    """Stands in for the module evaluate.py of a job's template; its load_truth gets `settings`."""

    def __init__(self, job: Job, settings: Mapping[str, Any], sandbox: Sandbox) -> None:
        self._job, self._settings, self._sandbox = job, settings, sandbox

    def load_truth(self) -> Truth:
        """The held-out rows that evaluate.py loads.

        Raises:
            InfrastructureError: its load_truth fails, or x is no array of numbers.
        """
        import numpy as np

        with TemporaryFolder("truth") as scratch:
            out = Path(scratch) / "out"
            self._ask("rows", {}, out)
            if not os.path.lexists(out / ROWS):  # an evaluation that drives need not have rows
                return Truth(None)
            try:
                with open(foreign.opened(out, ROWS, LARGEST), "rb") as file:
                    return Truth(np.load(file, allow_pickle=False))
            except (foreign.Foreign, ValueError, EOFError) as problem:
                raise InfrastructureError(f"evaluate.py: load_truth gives no rows: {problem}") from None

    def evaluate(self, *arrays: Any) -> dict[str, float]:
        """What its evaluate returns for these arrays; the last argument, the truth, is loaded in the sandbox instead.

        Raises:
            InfrastructureError: it fails, or does not return a dictionary of numbers.
        """
        with TemporaryFolder("evaluate") as scratch:
            out = Path(scratch) / "out"
            self._ask("evaluate", dict(enumerate(arrays[:-1])), out)
            return _metrics(out)

    def drive(
        self, model: Called, artefact: Path, spec: ModelSpec, cancelled: Callable[[], bool] = lambda: False
    ) -> dict[str, float]:
        """What its evaluate returns for this model, whose calls come and go through a pipe.

        Raises:
            InfrastructureError: it fails, or does not return a dictionary of numbers.
            BadAnswer, Ended, EvaluationFault: a call of the model failed.
        """
        with TemporaryFolder("evaluate") as scratch:
            out, readable = Path(scratch) / "out", Path(scratch) / artefact.name
            shutil.copyfile(artefact, readable)
            readable.chmod(0o644)
            mounts = (*self._mounts({}, out), Mount(readable, f"/artefact/{artefact.name}"))
            spec_of = SandboxSpec(
                argv=(sys.executable, "-m", *WORKER, "drive", spec.model_dump_json(exclude_unset=True)),
                cwd="/runner",
                mounts=mounts,
                limits=bounded(self._job.evaluate_limits),
            )
            errors = Path(scratch) / "stderr"
            process = self._sandbox.start(spec_of, stdout=None, stderr=errors, stdin=True)
            try:
                serve(process, model, cancelled)
            except Ended as ended:
                model.hold()  # raises, if it was the model's box that ended
                said = f"{ended.end.reason} {ended.end.code}: {harvest.tail(harvest.read_text(errors), 800)}"
                raise InfrastructureError(f"evaluate.py in the sandbox: {said}") from None
            finally:
                process.kill()
            return _metrics(out)

    def _ask(self, what: str, arrays: Mapping[int, Any], out: Path) -> None:
        mounts, limits = self._mounts(arrays, out), bounded(self._job.evaluate_limits)
        ended = run_walled(self._sandbox, ("-m", *WORKER, what), mounts, limits, out.parent)
        if ended:
            raise InfrastructureError(f"evaluate.py in the sandbox: {ended}")

    def _mounts(self, arrays: Mapping[int, Any], out: Path) -> tuple[Mount, ...]:
        given = out.parent / "given"
        given.mkdir(mode=0o755)
        out.mkdir()
        out.parent.chmod(0o755)
        (given / "settings.json").write_text(json.dumps(dict(self._settings)))
        for number, array in arrays.items():
            _save(given / str(number), array)
        return (
            Mount(AGENT, "/runner/agent"),
            Mount(Path(self._job.template), "/template"),
            Mount(Path(self._job.truth_data), "/truth"),
            Mount(given, "/given"),
            Mount(out, "/out", writable=True),
        )


def _metrics(out: Path) -> dict[str, float]:
    try:
        said = harvest.parse_json(foreign.read(out, "metrics.json", 1 << 20))
        return {str(name): float(value) for name, value in said.items()}
    except (foreign.Foreign, harvest.Unharvestable, AttributeError, TypeError, ValueError) as problem:
        raise InfrastructureError(f"evaluate.py: evaluate gives no metrics: {problem}") from None


def run_walled(
    sandbox: Sandbox,
    command: tuple[str, ...],
    mounts: tuple[Mount, ...],
    limits: Limits,
    scratch: Path,
    say: bytes = b"",
) -> str:
    """Run this Python with these arguments in the sandbox; returns "" or how it failed.

    `scratch` gets its standard output and error, and `say` goes to its standard input.
    """
    spec = SandboxSpec(argv=(sys.executable, *command), cwd="/runner", mounts=mounts, limits=limits)
    errors = scratch / "stderr"
    process = sandbox.start(spec, stdout=scratch / "stdout", stderr=errors, stdin=bool(say))
    if say and process.stdin:
        process.stdin.write(say)
        process.stdin.close()
    end = process.wait()
    said = harvest.tail(harvest.read_text(errors), 800) if errors.is_file() else ""
    return "" if end.reason == "ok" else f"{end.reason} {end.code}: {said}"


def bounded(asked: Limits) -> Limits:
    """The limits of a foreign manifest, each at most as large as in MOST."""
    return Limits(**{name: min(value, getattr(MOST, name)) for name, value in asked.model_dump().items()})


def _save(path: Path, array: Any) -> None:
    import numpy as np
    from scipy import sparse

    if isinstance(array, sparse.csr_matrix):
        sparse.save_npz(path.with_suffix(".npz"), array)
    else:
        np.save(path.with_suffix(".npy"), np.asarray(array))
    for made in path.parent.iterdir():
        made.chmod(0o644)
