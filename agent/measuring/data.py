"""A template's data: built once for each secret world, kept by content hash, shared by all sessions.

`prepare.py` runs in a process of its own; nothing here looks into what it writes. Not here: measuring.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from filelock import FileLock

from agent.atomic import write_text
from agent.errors import InfrastructureError
from agent.manifest import Setting, Template

MANIFEST = "manifest.json"
PACKAGES = ("numpy", "torch", "sae-lens")  # what a world may be drawn with


@dataclass(frozen=True)
class DataPaths:
    """Where a world's files lie. Experiments see `train` alone."""

    train: Path
    truth: Path
    key: str  # names template, profile, settings, code and world; reveals none of the secret
    hashes: dict[str, str]  # sha256 by name, e.g. "train/activations.npy"


def world_secret(cache: Path, template: str, world: int = 0) -> int:
    """The 256-bit secret of a world, drawn at the first call. World 0 explores, later ones confirm."""
    path = cache / "secrets" / f"{template}-world-{world}"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            write_text(path, f"{secrets.randbits(256):064x}\n", mode=0o600)
        return int(path.read_text(), 16)


def prepared(
    template: Template, profile: str, settings: Mapping[str, Setting], secret: int, cache: Path
) -> DataPaths:
    """The data of one world; built if this cache does not hold it yet.

    Raises:
        InfrastructureError: prepare.py failed, or a file of an older build is gone.
    """
    key = data_key(template, settings, secret)
    folder = cache / "data" / f"{template.manifest.name}-{profile}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / MANIFEST).is_file():
            _build(template, settings, secret, folder)
    hashes = recorded_hashes(folder)
    missing = [name for name in hashes if not (folder / name).is_file()]
    if missing:
        raise InfrastructureError(f"{folder}: lacks {missing[0]}; remove the folder and it is built again")
    return DataPaths(train=folder / "train", truth=folder / "truth", key=key, hashes=hashes)


def data_key(template: Template, settings: Mapping[str, Setting], secret: int) -> str:
    """20 hex digits over everything the data depends on."""
    identity = [
        template.manifest.name,
        template.path("prepare.py").read_text(),
        dict(settings),
        f"{secret:x}",
        {name: package_version(name) for name in PACKAGES},
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]


def recorded_hashes(folder: Path) -> dict[str, str]:
    """The hashes written down when the data was built."""
    return json.loads((folder / MANIFEST).read_text())["files"]


def file_sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_hashes(folder: Path) -> dict[str, str]:
    """sha256 of every regular file below a folder, by relative name."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}


def package_version(name: str) -> str:
    """"absent" for a package that is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def load_module(path: Path) -> ModuleType:
    """A template's protected module by its path; never one the agent may write."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def _build(template: Template, settings: Mapping[str, Setting], secret: int, folder: Path) -> None:
    """Build beside, then rename: a kill leaves either no world or a whole one."""
    beside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "train").mkdir(parents=True)
    (beside / "truth").mkdir(mode=0o700)
    request = {
        "prepare": str(template.path("prepare.py")), "settings": dict(settings),
        "secret": f"{secret:x}", "folder": str(beside),
    }
    started = time.monotonic()
    done = subprocess.run(  # the secret goes through a pipe: arguments and environment can be read by others
        [sys.executable, "-m", "agent.measuring.data"], input=json.dumps(request), cwd=Path(__file__).parents[2],
        capture_output=True, text=True, errors="replace",
    )
    if done.returncode:
        raise InfrastructureError(
            f"{template.path('prepare.py')}: preparing the data failed (exit {done.returncode}):\n"
            + done.stderr.strip()[-1500:]
        )
    about = {
        "template": template.manifest.name, "settings": dict(settings), "files": folder_hashes(beside),
        "versions": {name: package_version(name) for name in PACKAGES},
        "wall_s": round(time.monotonic() - started, 1),
    }
    write_text(beside / MANIFEST, json.dumps(about, indent=1))
    shutil.rmtree(folder, ignore_errors=True)  # without its manifest: not whole
    os.replace(beside, folder)


def _prepare_here() -> None:
    """What the subprocess does."""
    request = json.load(sys.stdin)
    folder = Path(request["folder"])
    module = load_module(Path(request["prepare"]))
    module.prepare(request["settings"], int(request["secret"], 16), folder / "train", folder / "truth")


if __name__ == "__main__":
    _prepare_here()
