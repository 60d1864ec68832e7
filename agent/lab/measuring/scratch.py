"""Every path of one training, and the copy of the code that it sees."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.manifest import Manifest
from agent.core.record import Job
from agent.storage.atomic import readable

CODE = "experiment.py"
TRIES = 3  # a process that the machine killed is no reason to stop
MAX_CODE_BYTES = 1 << 20  # one source file


@dataclass(frozen=True)
class TrainingPaths:
    """Every file of one training."""

    root: Path
    out_name: str  # e.g. "run_3"

    @classmethod
    def of(cls, job: Job, seed: int, condition: str) -> TrainingPaths:
        name = f"{condition}-seed{seed}"
        return cls(Path(job.folder) / "trainings" / name, f"run_{re.sub(r'[^A-Za-z0-9]', '_', job.run)}")

    @property
    def code(self) -> Path:
        """What the training sees as its working directory."""
        return self.root / "code"

    @property
    def out(self) -> Path:
        """The only folder it may write to; gone once its files are harvested."""
        return self.code / self.out_name

    @property
    def live_log(self) -> Path:
        """Where the curve grows while the training runs; written by code nobody trusts."""
        return self.out / "log.jsonl"

    @property
    def encode_code(self) -> Path:
        """A second copy of the code, which no training had in its hands."""
        return self.root / "encode_code"

    @property
    def kept(self) -> Path:
        """Harvested copies: artefact, log.jsonl, diagnostics.json."""
        return self.root / "harvest"

    @property
    def export(self) -> Path:
        """The SAE as others load it."""
        return self.root / "export"

    def text(self, name: str) -> Path:
        """Standard output or error of one stage, e.g. "train.stderr"."""
        return self.root / f"{name}.txt"


def remove(folder: Path) -> None:
    """Remove a tree that hostile code wrote: unreadable folders too, and any depth (Python's own recurses).

    Raises:
        InfrastructureError: it is still there.
    """
    if folder.is_symlink():
        folder.unlink()
        return
    said = ""
    for _ in range(TRIES):
        if not os.path.lexists(folder):
            return
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            done = subprocess.run(
                [*command, "--", os.fspath(folder.absolute())],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
            )
            said = done.stderr.strip()[-200:]
    if os.path.lexists(folder):
        raise InfrastructureError(f"{folder}: cannot be removed: {said}")


def copy_code(job: Job, target: Path, manifest: Manifest) -> None:
    """The Python files of a commit, with `script` in the place of experiment.py, beside the template's assets.

    Left out: links, hidden folders, protected files, the plotting script and what is neither Python nor editable, so
    that notes, records and papers of the session stay unseen. With a command, files that begin with #! can be executed.
    """
    code, script = Path(job.code), job.script
    unseen = {*manifest.protected, manifest.plot} - {*manifest.editable, script}
    target.mkdir(parents=True)
    for asset in manifest.assets:
        (target / asset).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(job.template) / asset, target / asset)
    for path in sorted({*code.rglob("*.py"), *(path for n in manifest.editable if (path := code / n).is_file())}):
        name = path.relative_to(code)
        linked = any((code / part).is_symlink() for part in [*name.parents, name])
        hidden = any(part.startswith(".") for part in name.parts)
        if linked or hidden or name.as_posix() in {*unseen, *manifest.assets} or path.stat().st_size > MAX_CODE_BYTES:
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)
    if script != CODE and not manifest.command:
        shutil.copyfile(code / script, target / CODE)
    readable(target)
    for file in (*manifest.assets, *manifest.editable) if manifest.command else ():
        with (target / file).open("rb") as opened:
            if opened.read(2) == b"#!":
                (target / file).chmod(0o755)


def inside(folder: str, manifest: Manifest) -> str:
    """The folder in which code runs, where the copy of it is seen as `folder`."""
    return f"{folder}/{manifest.command.folder}" if manifest.command and manifest.command.folder else folder
