"""`python -m agent.lab.jobs.worker PARENT FOLDER MODULE [SEED CONDITION]`: one training, or the job's facts.

The process starts its sandbox from its main thread and dies with the supervisor, and so the sandbox does too.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from agent.core.errors import InfrastructureError, UserError
from agent.core.protocols import Sandbox
from agent.core.record import Job, Training
from agent.lab.jobs.paths import JobFacts, JobPaths
from agent.storage.atomic import write_text

PR_SET_PDEATHSIG = 1
MAX_DETAIL = 2000  # characters


def main(argv: list[str]) -> int:
    parent, folder, module, *training = argv
    die_with(int(parent))
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    paths = JobPaths(Path(folder))
    job = paths.read_job()
    measure = importlib.import_module(module)
    if training:
        seed, condition = training
        found = _train(job, measure, int(seed), condition, paths, stopped)
        if found.outcome != "cancelled" and paths.job.exists():  # else the session was moved or removed meanwhile
            paths.write_training(found)
    else:
        device, versions, hashes = measure.job_facts(job)
        facts = JobFacts(device=device, versions=versions, hashes=hashes)
        write_text(paths.facts, facts.model_dump_json(indent=1) + "\n")
    return 0


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends; the parent may be gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def sandbox_of(job: Job) -> Sandbox:
    from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox

    return BubblewrapSandbox() if job.sandbox == "bwrap" else NoSandbox()


def _train(job: Job, measure: Any, seed: int, name: str, paths: JobPaths, stopped: threading.Event) -> Training:
    condition = next(c for c in job.conditions if c.name == name)

    def cancelled() -> bool:
        return stopped.is_set() or paths.cancel.exists()

    try:
        found = Training.model_validate(measure.run_training(job, seed, condition, sandbox_of(job), cancelled))
    except Exception as error:
        traceback.print_exc()  # into the supervisor's log
        sys.stderr.flush()
        found = Training(seed=seed, condition=name, outcome="failed", reason="supervisor", detail=_in_a_line(error))
    if found.outcome == "failed" and cancelled():  # what told us to stop, as Slurm does, may have hit its sandbox too
        return Training(seed=seed, condition=name, outcome="cancelled", reason="cancelled", wall_s=found.wall_s)
    return found


def _in_a_line(error: Exception) -> str:
    """What a person reads; all of it is in the log."""
    said = " ".join(str(error).split())[:MAX_DETAIL]
    if isinstance(error, (InfrastructureError, UserError)):
        return said
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {said} ({last.filename}, line {last.lineno})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
