"""`python -m tests.suites.slurm.loop JOB_JSON`: submits a job and waits for it, as the loop does; killed by a test."""

import sys
import time
from pathlib import Path

from agent.core.record import Job
from tests.suites.slurm.conftest import fresh


def main(path: Path) -> None:
    runner, job = fresh(), Job.model_validate_json(path.read_text())
    print("begins", flush=True)
    runner.submit(job)
    print("submitted", flush=True)
    while runner.state(job) == "running":
        time.sleep(0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
