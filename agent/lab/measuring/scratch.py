"""The paths of one training, and the copy of the code that its sandbox sees."""

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
TRIES = 3  # for rm, which the machine may kill
MAX_CODE_BYTES = 1 << 20  # of one source file


@dataclass(frozen=True)
class TrainingPaths:
    """Makes every path of one training, below its folder."""

    root: Path
    out_name: str  # the name of its output folder, e.g. "run_3"

    @classmethod
    def of(cls, job: Job, seed: int, condition: str) -> TrainingPaths:
        name = f"{condition}-seed{seed}"
        return cls(Path(job.folder) / "trainings" / name, f"run_{re.sub(r'[^A-Za-z0-9]', '_', job.run)}")

    @property
    def code(self) -> Path:
        """The copy of the code that is the training's working directory."""
        return self.root / "code"

    @property
    def out(self) -> Path:
        """The only folder that it may write to; removed once its files are harvested."""
        return self.code / self.out_name

    @property
    def live_log(self) -> Path:
        """The log to which the running training appends; untrusted code writes it."""
        return self.out / "log.jsonl"

    @property
    def encode_code(self) -> Path:
        """A second copy of the code, for boxes, which no training could change."""
        return self.root / "encode_code"

    @property
    def kept(self) -> Path:
        """The harvested files: artefact, log.jsonl, diagnostics.json."""
        return self.root / "harvest"

    @property
    def export(self) -> Path:
        """The exported SAE (export.py)."""
        return self.root / "export"

    def text(self, name: str) -> Path:
        """The file with standard output or error of one stage, e.g. of "train.stderr"."""
        return self.root / f"{name}.txt"


def remove(folder: Path) -> None:
    """Remove a folder that hostile code wrote, with unreadable and very deep folders, which shutil.rmtree cannot.

    Raises:
        InfrastructureError: it could not be removed.
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
    """Copy a job's code to `target`: its Python and editable files, and the template's assets.

    The job's `script` takes the place of experiment.py. Links, hidden folders, protected files and the plotting script
    are left out; so is everything that is neither Python nor editable, such as the session's notes, records and papers.
    If the template runs a command, files that begin with #! become executable.
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
    """The working directory of the code, given the folder under which its copy is seen."""
    return f"{folder}/{manifest.command.folder}" if manifest.command and manifest.command.folder else folder
