"""The first two stages: the agent's script trains in the sandbox, and the files that it left are harvested.

Not here: measuring the artefact (dictionary.py, outputs.py).
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from agent.core.command import GIVEN
from agent.core.errors import InfrastructureError
from agent.core.protocols import SandboxProcess
from agent.core.record import Pretrained
from agent.core.sandboxing import Exit, Mount, SandboxSpec
from agent.lab.built import file_sha256, folder_hashes
from agent.lab.measuring import feeding, foreign, reports, results
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.checkpoints import Checkpoints, identity_of
from agent.lab.measuring.scratch import CODE, TrainingPaths, copy_code, inside, remove
from agent.lab.measuring.verdict import Stopped
from agent.sandbox import harvest
from agent.storage.atomic import write_text

POLL_S = 0.05


def train(bench: Bench, paths: TrainingPaths, settings: dict[str, Any], kept: Checkpoints | None = None) -> Exit:
    """Run the script in a sandbox until it ends, passes a limit or is cancelled.

    With `kept`, it continues from its checkpoint if there is one, and the returned costs include its earlier processes.
    """
    copy_code(bench.job, paths.code, bench.manifest)
    hashed = folder_hashes(paths.code) if kept else {}
    mounts, data = _mounts(bench, paths)
    task = {
        **settings,
        "seed": bench.seed,
        "condition": bench.condition.name,
        "device": bench.job.device,
        "threads": bench.job.threads,
        "data": bench.sandbox.visible(data),
        "artefact": bench.manifest.artefact,
    }
    limits = bench.job.limits
    if kept:
        last = kept.begin(identity_of(bench.job, bench.data_folder, hashed, task))
        own = kept.mounts(last)
        mounts, task["checkpoint"] = (*mounts, *own), kept.told(own, bench.sandbox)
        limits = limits.model_copy(update={"wall_s": max(1.0, limits.wall_s - kept.before.wall_s)})
    if fed := feeding.is_fed(bench):
        task["feed"] = f"{paths.out_name}/{feeding.ASKED}"
    write_text(paths.code / "task.json", harvest.dumps(task))
    seen = bench.sandbox.visible(mounts[0])
    argv, env = _started(bench, paths, seen, task)
    spec = SandboxSpec(
        argv=argv,
        cwd=inside(seen, bench.manifest),
        mounts=(*mounts, *bench.trees),
        limits=limits,
        env={**bench.env, **env},
        gpu=bench.job.device.startswith("cuda"),
        network=bench.job.network,
    )
    stdout, stderr = paths.text("train.stdout"), paths.text("train.stderr")
    process = bench.sandbox.start(spec, stdout=stdout, stderr=stderr, stdin=fed)
    feed = feeding.Feed(bench, paths, task, process) if fed else None
    end = _watched(bench, process, kept, feed)
    return kept.ended(end) if kept else end


def _watched(bench: Bench, process: SandboxProcess, kept: Checkpoints | None, feed: feeding.Feed | None) -> Exit:
    """Wait for the end of a training, and take its checkpoints and feed it meanwhile."""
    while (end := process.poll()) is None:
        if bench.cancelled():
            end = process.kill()
            break
        if kept:
            kept.look(process)
        if feed:
            feed.look()
        time.sleep(POLL_S)
    if feed:
        feed.end(well=end.reason in ("ok", "cancelled"))
    return end


def _started(
    bench: Bench, paths: TrainingPaths, seen: str, task: dict[str, Any]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The command line, and the environment variables that it gets besides the bench's.

    `seen` is the folder under which the sandbox sees the code.
    """
    command = bench.manifest.command
    if command is None:
        out_dir = f"{seen}/{paths.out_name}" if bench.manifest.absolute_out_dir else paths.out_name
        return (bench.python, CODE, f"--out_dir={out_dir}"), {}
    results.clear(bench.manifest, paths, bench.seed)
    given = {**task, "out": f"{seen}/{paths.out_name}"}
    line = command.filled(given)
    return ("bash", "-o", "pipefail", "-c", line), {variable: str(given[name]) for name, variable in GIVEN.items()}


def _mounts(bench: Bench, paths: TrainingPaths) -> tuple[tuple[Mount, ...], Mount]:
    """All mounts of a training, that of the code first; and again the mount of the data."""
    data = Mount(Path(bench.job.train_data), "/data")
    if bench.manifest.form == "v1":
        return foreign.mounts(paths, data, walls=bench.sandbox.name != "none"), data
    paths.out.mkdir()
    out = Mount(paths.out, f"/w/{paths.out_name}", writable=True)
    if bench.manifest.command:  # code that was not written for this program may write into its own folder
        return (Mount(paths.code, "/w", writable=True), data), data
    return (Mount(paths.code, "/w"), out, data), data


def harvested(bench: Bench, paths: TrainingPaths) -> harvest.Harvest:
    """Copy the files that are wanted, then remove the output folder, which may hold anything."""
    wanted = {bench.manifest.artefact: bench.job.limits.file_mb << 20, **reports.files(bench.manifest)}
    if paths.out.is_symlink() or not paths.out.is_dir():  # without a sandbox, the code can replace it
        paths.out.unlink(missing_ok=True)
        return harvest.Harvest(problems=dict.fromkeys(wanted, "missing"))
    found = harvest.copy_files(paths.out, paths.kept, wanted, max_total=sum(wanted.values()))
    if bench.manifest.command and not bench.manifest.measured:
        results.keep(bench.manifest, paths, bench.seed)
    remove(paths.code if bench.manifest.command else paths.out)
    return found


def placed(bench: Bench, pretrained: Pretrained) -> harvest.Harvest:
    """Put a published artefact where a training would have left its own.

    Raises:
        InfrastructureError: the file has changed since the session began.
    """
    bench.paths.kept.mkdir(parents=True)
    shutil.copyfile(pretrained.artefact, bench.artefact)
    if file_sha256(bench.artefact) != pretrained.sha256:
        raise InfrastructureError(
            f"{pretrained.artefact}: has changed since the session began; restore it, or start the idea anew"
        )
    return harvest.Harvest(sha256={bench.manifest.artefact: pretrained.sha256})


def saved(bench: Bench, found: harvest.Harvest) -> Path:
    """The path of the harvested artefact.

    Raises:
        Stopped: the training left none that can be read.
    """
    name = bench.manifest.artefact
    if name not in found.sha256:
        raise Stopped("refused", "artefact", f"{name} in the folder given by --out_dir: {found.problems[name]}")
    return bench.artefact


def after_one_batch(bench: Bench) -> Path | None:
    """The artefact that the same code leaves after a single batch; None if the code cannot train so little."""
    command = bench.manifest.command
    if command and "samples" not in command.places():  # it cannot be told to train less
        return None
    twin = TrainingPaths(bench.paths.root / "one-batch", bench.paths.out_name)
    if train(bench, twin, {**bench.settings, "samples": bench.settings.get("batch", 1)}).reason != "ok":
        return None
    found = harvested(bench, twin)
    return twin.kept / bench.manifest.artefact if bench.manifest.artefact in found.sha256 else None
