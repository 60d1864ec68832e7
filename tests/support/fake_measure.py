"""Replaces agent.lab.measuring.measure in agent.lab.jobs.worker. The job's settings say how a training ends.

The settings `way` (of all seeds), `seed N` and `facts` name an ending: raise, crash, failed, refused, gate, sleep.
"""

import os
import signal
import sys
import time
from pathlib import Path

from agent.core.record import Training
from agent.core.sandboxing import Mount, SandboxSpec
from agent.lab.measuring.scratch import TrainingPaths


def job_facts(job):
    if job.settings.get("facts") == "raise":
        raise RuntimeError("no facts today")
    if job.settings.get("facts") == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    return "cpu: a test", {"python": "3"}, {"code/experiment.py": "0" * 64}


def run_training(job, seed, condition, sandbox, cancelled):
    folder = Path(job.folder)
    with open(folder / "started.txt", "a") as file:
        file.write(f"{seed}-{condition.name} {os.getpid()}\n")
    (folder / f"environment-{seed}").write_text("\n".join(os.environ))
    gpu = " ".join(os.environ.get(name, "") for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"))
    (folder / f"gpu-{seed}").write_text(gpu)
    way = str(job.settings.get(f"seed {seed}", job.settings.get("way", "measure")))
    if way == "raise":
        raise RuntimeError("the measurement broke")
    if way == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if way in ("failed", "refused"):
        return Training(seed=seed, condition=condition.name, outcome=way, reason="exit", detail="as asked")
    paths = TrainingPaths.of(job, seed, condition.name)
    paths.out.mkdir(parents=True, exist_ok=True)
    code = f"open('pid', 'w').write('x'); open('log.jsonl', 'w').write({LINE!r}); " + CODES.get(way, "pass")
    mount = Mount(paths.out, "/w", writable=True)
    spec = SandboxSpec(
        argv=(sys.executable, "-c", code), cwd=sandbox.visible(mount), mounts=(mount,), limits=job.limits
    )
    process = sandbox.start(spec, stdout=None, stderr=folder / f"stderr-{seed}")
    while (end := process.poll()) is None:
        if cancelled() or (way == "gate" and (folder / "open").exists()):
            end = process.kill()
            break
        time.sleep(0.02)
    if cancelled():
        return Training(seed=seed, condition=condition.name, outcome="cancelled", reason="cancelled")
    return Training(
        seed=seed,
        condition=condition.name,
        outcome="measured",
        metrics={"f1": 0.5},
        wall_s=end.wall_s,
        cpu_s=end.cpu_s,
        peak_memory_mb=end.peak_memory_mb,
    )


LINE = '{"step": 1, "steps": 2}\n'
CODES = {"gate": "import time; time.sleep(100)", "sleep": "import time; time.sleep(100)"}
