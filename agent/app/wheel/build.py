"""The build hook that puts aider's files into the wheel.

aider-chat pins the version of a hundred packages, among them a numpy with which pyarrow cannot be imported. In a
checkout uv overrides these pins (pyproject.toml); pip cannot. So the wheel contains the files of aider-chat, licence
included, exactly as in its own wheel, and depends on what they import (dependencies in pyproject.toml).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "aider-chat"


class CarriesAider(BuildHookInterface):
    """A build hook of hatchling. A starting session deletes leftover folders of sessions, but none of this name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        self.scratch = tempfile.TemporaryDirectory(prefix="aider-for-a-wheel-")
        unpacked = Path(self.scratch.name, "unpacked")
        with zipfile.ZipFile(downloaded(Path(self.root, "uv.lock"), Path(self.scratch.name))) as wheel:
            wheel.extractall(unpacked)
        for part in unpacked.iterdir():  # aider, and the dist-info with its licence
            build_data["force_include"][str(part)] = f"experiment_runner/{part.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "wheel" and version != "editable":
            self.scratch.cleanup()


def downloaded(lock: Path, folder: Path) -> Path:
    """Downloads the wheel of aider-chat that uv.lock names, with pip, which checks its hash; returns its path.

    Raises:
        RuntimeError: pip could not get it.
    """
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    locked = next(package for package in packages if package["name"] == PACKAGE)
    hashes = " ".join(f"--hash={wheel['hash']}" for wheel in locked["wheels"])
    wanted = folder / "aider.txt"
    wanted.write_text(f"{PACKAGE}=={locked['version']} {hashes}\n", encoding="utf-8")
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{PACKAGE} cannot be downloaded: {done.stderr.strip()[-500:]}")
    return next(folder.glob("*.whl"))
