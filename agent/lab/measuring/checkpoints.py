"""Checkpoints of a training: the runner takes them while the code runs, and gives the last one back after a restart.

The code saves its state under one name in a folder that only this training can write to. The runner moves the file out
of its reach and writes a note with its hash, with what the training is (code, settings, seed, data, machine), and with
what it has cost so far. Only a training for which all of that is the same gets the file back. Nothing here reads the
content of a checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.core.manifest import Manifest
from agent.core.protocols import Sandbox, SandboxProcess
from agent.core.record import Job
from agent.core.sandboxing import Exit, Mount, Used
from agent.core.schema import Strict
from agent.lab.built import build_of, recorded_hashes
from agent.lab.machine import device_in_words
from agent.lab.measuring.scratch import remove
from agent.lab.worlds import package_version
from agent.sandbox import harvest
from agent.storage import foreign
from agent.storage.atomic import sync_folder, write_text

FOLDER = "checkpoints"  # in the job's folder, beside its trainings, which every start of a training clears
SAVED = "state"  # the name under which the code saves a checkpoint
EVERY_S = 1.0  # between two looks for a new checkpoint
SHARE = 4  # a checkpoint may fill 1/SHARE of the disk limit, because an older one and the artefact lie beside it
LARGEST_NOTE = 1 << 16  # bytes
PACKAGES = ("numpy", "torch", "safetensors")  # another version of one may not continue a training bit for bit


class Note(Strict):
    """What the runner knows about a checkpoint (note.json)."""

    identity: str  # of the training that saved it
    job: str  # key of the job during which it was taken
    sha256: str
    wall_s: float  # until the checkpoint, summed over all processes of the training; so are the next two
    cpu_s: float
    peak_memory_mb: float


@dataclass
class Checkpoints:
    """The checkpoints of one training; at most one is kept."""

    job: Job
    root: Path
    before: Used = field(default_factory=Used)  # the cost up to the checkpoint from which this process continues
    identity: str = ""  # see identity_of
    _looked: float = 0.0

    @classmethod
    def of(cls, job: Job, seed: int, condition: str) -> Checkpoints:
        return cls(job, _root(job.folder, seed, condition))

    @property
    def offered(self) -> Path:
        """The folder that the training may write to."""
        return self.root / "offered"

    @property
    def note(self) -> Path:
        return self.root / "note.json"

    @property
    def most_bytes(self) -> int:
        """The largest checkpoint that is taken."""
        return min(self.job.limits.file_mb, self.job.limits.disk_mb // SHARE) << 20

    def begin(self, identity: str) -> Path | None:
        """The checkpoint of this very training, from this job or one that was lost; None if there is none.

        Whatever else lies in the folders of checkpoints is removed.
        """
        self.identity, self.before = identity, Used()
        name = self.root.name
        places = [self.root, *(Path(folder, FOLDER, name) for folder in self.job.earlier)]
        found = next(((place, note) for place in places if (note := _valid(place, identity))), None)
        if found and found[0] != self.root:
            remove(self.root)
            self.root.parent.mkdir(parents=True, exist_ok=True)
            found[0].rename(self.root)
        for place in places[1:] if found else places:
            remove(place)
        remove(self.offered)
        self.offered.mkdir(parents=True)
        if found is None:
            return None
        note = found[1]
        self.before = Used(wall_s=note.wall_s, cpu_s=note.cpu_s, peak_memory_mb=note.peak_memory_mb)
        for other in self.root.iterdir():
            if other.name not in (note.sha256, self.note.name, self.offered.name):
                remove(other)
        return self.root / note.sha256

    def mounts(self, kept: Path | None) -> tuple[Mount, ...]:
        """The folder to save to and, if there is one, the checkpoint to continue from."""
        read = (Mount(kept, f"/checkpoint-kept/{SAVED}"),) if kept else ()
        return (Mount(self.offered, "/checkpoint", writable=True), *read)

    def told(self, mounts: tuple[Mount, ...], sandbox: Sandbox) -> dict[str, Any]:
        """The entry `checkpoint` of task.json: where to save, what to load, and how large it may be."""
        save, *load = (sandbox.visible(mount) for mount in mounts)
        return {"save": f"{save}/{SAVED}", "load": load[0] if load else "", "most_bytes": self.most_bytes}

    def look(self, process: SandboxProcess) -> None:
        """Take the checkpoint that the running code has saved since the last look, if there is one."""
        if time.monotonic() - self._looked < EVERY_S:
            return
        self._looked = time.monotonic()
        if os.path.lexists(self.offered / SAVED):
            self._take(_sum(self.before, process.used()))

    def ended(self, end: Exit) -> Exit:
        """The end of this process, with the cost of earlier processes up to the checkpoint added."""
        spent = _sum(self.before, Used(wall_s=end.wall_s, cpu_s=end.cpu_s, peak_memory_mb=end.peak_memory_mb))
        return Exit(end.reason, end.code, spent.wall_s, spent.cpu_s, spent.peak_memory_mb)

    def drop(self) -> None:
        """Remove all checkpoints: the training is over, or must start afresh."""
        remove(self.root)

    def _take(self, spent: Used) -> None:
        """Keep what the code saved in place of the last checkpoint, if it is a plain file within the bound."""
        beside = self.root / "taken"
        remove(beside)
        try:
            os.rename(self.offered / SAVED, beside)
            digest = _sealed(beside, self.most_bytes)
        except FileNotFoundError:  # the code removed it again
            return
        except foreign.Foreign:
            remove(beside)
            return
        os.rename(beside, self.root / digest)
        sync_folder(self.root)
        note = Note(identity=self.identity, job=self.job.key, sha256=digest, **vars(spent))
        write_text(self.note, note.model_dump_json() + "\n")
        for other in self.root.iterdir():
            if other.name not in (digest, self.note.name, self.offered.name):
                remove(other)


def identity_of(job: Job, world: Path, code: Mapping[str, str], task: Mapping[str, Any]) -> str:
    """A hash that names one training: what is trained, on which data and machine, with which versions, for which
    attempt.

    `code` holds the hashes of the files that the training sees, `task` the content of its task.json. A restart of the
    same attempt has the same identity.
    """
    identity = [
        [job.run, job.attempt, job.script, job.device, job.sandbox],
        sorted(code.items()),
        task,
        [build_of(world), sorted(recorded_hashes(world).items())],
        [device_in_words(job.device), {name: package_version(name) for name in PACKAGES}],
        job.environment.key if job.environment else "",
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def possible(manifest: Manifest) -> bool:
    """Whether a template's trainings may save checkpoints: only those that are started as `python experiment.py`."""
    return manifest.form == "own" and manifest.command is None


def got_further(job: Job) -> bool:
    """Whether a checkpoint was taken during a job that was lost, so that the next job continues from it."""
    return any(note.job == job.key for note in _notes(job))


def _notes(job: Job) -> Iterator[Note]:
    for condition in job.conditions:
        for seed in job.seeds:
            if note := _read(_root(job.folder, seed, condition.name)):
                yield note


def _root(folder: str, seed: int, condition: str) -> Path:
    return Path(folder, FOLDER, f"{condition}-seed{seed}")


def _read(root: Path) -> Note | None:
    try:
        return Note.model_validate_json(foreign.read(root, "note.json", LARGEST_NOTE))
    except (foreign.Foreign, ValueError):
        return None


def _valid(root: Path, identity: str) -> Note | None:
    """The note of a checkpoint, if this training saved it and the file still has the noted hash."""
    note = _read(root)
    if note is None or note.identity != identity:
        return None
    try:
        return note if _sealed(root / note.sha256) == note.sha256 else None
    except foreign.Foreign:
        return None


def _sealed(path: Path, most_bytes: int = sys.maxsize) -> str:
    """sha256 of a plain file. The file is flushed to the disk, and becomes ours and readable for the sandbox's user.

    Raises:
        Foreign: it is missing, no plain file, a hard link, or larger than allowed.
    """
    handle = foreign.opened(path.parent, path.name, most_bytes)
    with os.fdopen(handle, "rb") as file:
        if os.fstat(handle).st_nlink != 1:
            raise foreign.Foreign("a hard link")
        if os.getuid() == 0:
            os.fchown(handle, 0, 0)
        os.fchmod(handle, 0o644)
        digest = hashlib.sha256()
        while chunk := file.read(harvest.CHUNK):
            digest.update(chunk)
        os.fsync(handle)
    return digest.hexdigest()


def _sum(before: Used, now: Used) -> Used:
    return Used(
        wall_s=before.wall_s + now.wall_s,
        cpu_s=before.cpu_s + now.cpu_s,
        peak_memory_mb=max(before.peak_memory_mb, now.peak_memory_mb),
    )
