"""The command doctor: reports the state of this machine, and what is wrong and how to fix it. Runs no experiment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata

from agent.app.exits import DONE, USER_ERROR
from agent.app.preflight import TEX, existing, models_of, nvidia_smi
from agent.app.settings import FILE, own_file
from agent.app.tables import show_json
from agent.core.errors import InfrastructureError
from agent.core.numbers import counted
from agent.core.options import Options
from agent.core.program import HOME, INSTALLED, version
from agent.core.protocols import Sandbox
from agent.core.slurm import text
from agent.lab.jobs.inventory import allowed, of_this_machine
from agent.lab.jobs.places import folder, holders
from agent.lab.saebench.environment import described
from agent.storage.cache import summary
from agent.storage.signing import keys_folder
from agent.storage.workspace import Workspace

PACKAGES = ("torch", "sae-lens", "transformer-lens", "litellm", "aider-chat")
BESIDE_TEX = ("chktex", "pdftoppm")  # without them a paper is made, but less of it is checked
LONGEST_S = 20.0  # seconds in which a tool has to print its version


def report(
    found: list[str],
    options: Options,
    sandbox: Sandbox,
    workspace: Workspace,
    cluster: str = "",
    *,
    as_json: bool = False,
) -> int:
    """Prints the report; the exit status says whether something is wrong.

    Args:
        found: the problems, each a line that also says how to fix it.
        cluster: what a job in the cluster's queue found; "" if trainings run on this machine.
    """
    from agent.sandbox.probe import limits_report

    rows, limits = dict(_rows(options, sandbox, workspace)), limits_report()
    rows |= {"cluster": f"Slurm ({text(options.slurm) or 'its defaults'}): {cluster}"} if cluster else {}
    if as_json:
        show_json({"well": not found, "mend": found, **rows, "limits": limits})
        return USER_ERROR if found else DONE
    for name, said in rows.items():
        print(f"{name:<15}{said}")
        if name == "sandbox":
            for limit, means in limits.items():
                print(f"  {limit:<13}{means}")
    for complaint in found:
        print(f"problem        {complaint}")
    print("all well" if not found else f"{counted(len(found), 'problem')} to fix")
    return USER_ERROR if found else DONE


def _rows(options: Options, sandbox: Sandbox, workspace: Workspace) -> Iterator[tuple[str, str]]:
    yield "version", _own_version()
    yield "python", f"{sys.version.split()[0]} ({sys.executable})"
    yield "packages", ", ".join(f"{name} {_installed(name)}" for name in PACKAGES)
    yield "models", ", ".join(models_of(options))
    yield "sandbox", sandbox.name
    yield "device", f"{options.device}, {options.slots} trainings side by side, {options.threads} thread(s) each"
    yield "places", _places(options)
    yield "gpu", _gpu()
    yield "tex", _tex()
    place = existing(workspace.root)
    free = shutil.disk_usage(place).free / 1e9
    yield "disk", f"{free:.0f} GB free at {workspace.root}"
    yield "cache", f"{summary(workspace.cache)}, at most {options.cache_gb:g} GB"
    yield "sae-bench", described(workspace.cache)
    yield "sessions", f"{len(workspace.sessions())} in {workspace.root}"
    yield "settings", _settings(os.environ)
    yield "signing key", str(keys_folder())


def _own_version() -> str:
    commit = "" if INSTALLED else _first_line(["git", "-C", str(HOME), "rev-parse", "--short", "HEAD"])
    return f"{version()}{f' (commit {commit})' if commit else ''} in {HOME}"


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _places(options: Options) -> str:
    """The cores and GPUs that trainings share here, and the sessions that hold or wait for some of them."""
    there = of_this_machine(options.device.startswith("cuda"))
    gpus = f" and {counted(len(allowed(there.gpus, options.gpus)), 'GPU')}" if there.gpus else ""
    held = "; ".join(map(str, holders(folder()))) or "all free"
    return f"{counted(len(there.cores), 'core')}{gpus}; {held} ({folder()})"


def _gpu() -> str:
    table = nvidia_smi()
    if not table:
        return "none; trainings run on the CPU"
    cuda = re.search(r"CUDA Version:\s*([\d.]+)", table)
    names = re.findall(r"^\|\s+\d+\s+(\S.*?)\s{2,}", table, re.MULTILINE)
    return f"{', '.join(names) or 'an NVIDIA GPU'}{f' (driver for CUDA {cuda[1]})' if cuda else ''}"


def _tex() -> str:
    missing = [tool for tool in (*TEX, *BESIDE_TEX) if shutil.which(tool) is None]
    there = _first_line(["pdflatex", "--version"]) or "no pdflatex; papers without a PDF are made with --no-pdf"
    return there + (f"; missing: {', '.join(missing)}" if missing else "")


def _settings(environment: Mapping[str, str]) -> str:
    places = [HOME / FILE, own_file(environment)]
    return ", ".join(f"{path} ({'read' if path.is_file() else 'not there'})" for path in places if path)


def _first_line(command: list[str]) -> str:
    """The first line that a command prints; "" if it does not run."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=True).stdout
    except (OSError, subprocess.SubprocessError, InfrastructureError):
        return ""
    return (said.splitlines() or [""])[0].strip()
