"""The packages that speed-gpu compares with, in a folder of their own beside whichever Python runs the bench.

A folder and no virtual environment: every arm then runs on the one torch that is there, and the folder can be made for
another machine's Python, carried there and used without a network (`speed-gpu-peers --python 3.12`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import distributions
from pathlib import Path

from tests.support import ROOT

FOLDER = ROOT / ".cache" / "bench" / "peers"
PINS = Path(__file__).with_name("peers.txt")
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
PLATFORM = "x86_64-manylinux_2_28"  # of a folder that is made for another Python
UNUSED = ("wandb/bin",)  # half of the folder; nothing is logged
SHOWN = ("sae-lens", "dictionary-learning", "eai-sparsify", "triton")


def folder(python: str = HERE) -> Path:
    return FOLDER / python


def pins(text: str) -> list[str]:
    """name==version, of a file with remarks."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def missing(wanted: Iterable[str], present: Iterable[str]) -> list[str]:
    """Pins of packages that are not there at any version."""
    there = {_plain(name) for name in present}
    return [pin for pin in wanted if _plain(pin.partition("==")[0]) not in there]


def ready() -> str:
    """Install what this Python lacks; says in a line what cannot be had, "" if nothing."""
    place = folder()
    wanted = missing(pins(PINS.read_text()), _present(place))
    if not wanted:
        return ""
    print(f"installing {len(wanted)} packages into {place.relative_to(ROOT)}", flush=True)
    if not (error := install(wanted, place)):
        return ""
    names = ", ".join(pin.partition("==")[0] for pin in wanted)
    return (
        f"Missing here: {names} ({error}). Where there is a network, `python -m tests.suites.bench speed-gpu-peers "
        f"--python {HERE}` makes {place.relative_to(ROOT)}, which can be carried here."
    )


def install(wanted: Sequence[str], place: Path, *foreign: str) -> str:
    """With uv, without dependencies; what went wrong, in a line."""
    try:
        from agent.core.errors import UserError
        from agent.lab.environments import find_uv
    except ImportError as error:
        return f"the runner's own environment is not here: {error}"
    try:
        uv = find_uv()
    except UserError:
        return "uv is not here"
    for_whom = foreign or ("--python", sys.executable)
    options = ("--quiet", "--no-deps", "--no-compile-bytecode", "--target", str(place), *for_whom)
    done = subprocess.run([uv, "pip", "install", *options, *wanted], capture_output=True, text=True)
    for name in UNUSED:
        shutil.rmtree(place / name, ignore_errors=True)
    return "uv: " + " ".join(done.stderr.split())[-200:] if done.returncode else ""


def for_another(python: str) -> str:
    """The whole folder for a Python of another machine."""
    place = folder(python)
    error = install(
        pins(PINS.read_text()),
        place,
        "--python-version",
        python,
        "--python-platform",
        PLATFORM,
        "--only-binary",
        ":all:",
    )
    if error:
        raise SystemExit(error)
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    return f"{place.relative_to(ROOT)}: {size / 1e6:.0f} MB, for Python {python}"


def versions() -> dict[str, str]:
    """Of the packages that are compared: this Python's, else the folder's."""
    there = _present(folder())
    return {name: there[name] for name in SHOWN if name in there}


def _present(place: Path) -> dict[str, str]:
    """Versions by name; where both have a package, this Python's is the one that is imported."""
    found = distributions(path=[str(place), *sys.path[1:]])
    return {_plain(d.metadata["Name"]): d.version for d in found if d.metadata["Name"]}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
