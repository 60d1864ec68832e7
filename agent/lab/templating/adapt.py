"""Makes a template of an AI-Scientist v1 folder: a manifest, a prepare.py, and unchanged copies of its files.

The folder is only read. The template lies in the workspace, under a hash of every file that was taken.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.core.errors import UserError
from agent.core.manifest import EnvironmentSpec, Manifest
from agent.core.protocols import Sandbox
from agent.core.template import Template, load_template
from agent.lab.measuring import selfreport
from agent.lab.templating.beside import files_state
from agent.lab.templating.directions import direction
from agent.lab.templating.draft import ADAPTER, OPEN, Asked, of_metrics, write
from agent.lab.templating.first_run import check_packages, reported
from agent.lab.templating.toml import toml_value
from agent.lab.templating.v1 import IDEAS, Folder, look
from agent.lab.worlds import Say
from agent.storage import foreign
from agent.storage.temporary import TemporaryFolder, sweep_folders

VERSION = "3"  # of this adapter; another version makes every template again
PROFILE = "full"
REQUIREMENTS = "adapter-requirements.txt"  # file with the packages that adapter.toml lists
PREPARE = '''"""Takes over the data that the script reads as ../../NAME; written by the adapter."""

import shutil
from pathlib import Path

from agent.core.errors import UserError

SOURCES = {sources!r}
STATE = {state!r}  # names, sizes and times when this was made


def prepare(settings: dict, secret: int, train_dir: Path, truth_dir: Path) -> None:
    for name, place in SOURCES.items():
        for path in (Path(place), *Path(place).rglob("*")):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise UserError(f"{{path}}: a link or no plain file; put a copy there")
        shutil.copytree(place, train_dir / name, symlinks=True)
'''


def adapt(
    folder: Path,
    workspace: Path,
    sandbox: Callable[[], Sandbox],
    say: Say,
    *,
    device: str = "cpu",
    ask: bool = False,
) -> Path:
    """The template made of a v1 folder; it is made once for each state of the folder.

    Args:
        sandbox: makes the sandbox in which the script runs once, if the folder has no results of its own (run_0).
        ask: write the questions that only a person can answer into the folder's adapter.toml.

    Raises:
        UserError: a file of the form is missing, the first run fails, or adapter.toml leaves a question open.
    """
    try:
        return _adapted(folder, workspace, sandbox, say, device)
    except Asked as asked:
        if ask:
            raise write(asked) from None
        raise


def _adapted(folder: Path, workspace: Path, sandbox: Callable[[], Sandbox], say: Say, device: str) -> Path:
    given = look(folder)
    target = workspace / ".templates" / _digest(given) / given.name
    if (target / "manifest.toml").is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep_folders(workspace / ".templates")
    with TemporaryFolder("template", workspace / ".templates") as scratch:
        beside = Path(scratch)
        beside.chmod(0o755)

        def unknown() -> Template:
            first = beside / "first" / given.name
            _fill(given, first, {"unknown": _metric("unknown", "higher", True)})
            return load_template(first)

        if given.said.environment is None:
            check_packages(given, None)
        said = given.run_0() or reported(given, unknown, workspace, sandbox, say, device)
        metrics = _metrics(given, said, say)
        _fill(given, beside / given.name, metrics)
        load_template(beside / given.name)
        shutil.rmtree(target, ignore_errors=True)  # it has no manifest, so it was not finished
        os.replace(beside / given.name, target)
    if (latex := folder / "latex" / "template.tex").is_file():
        say(f"{folder}: has LaTeX of its own; add --paper-style {latex.parent} to set the paper in it")
    return target


def _digest(given: Folder) -> str:
    """12 hex digits over the version of this adapter and every file that is taken."""
    digest = hashlib.sha256(f"{VERSION}\0{given.state()}\0".encode())
    for name in ("plot.py", "prompt.json", ADAPTER, *IDEAS, "run_0/final_info.json"):
        path = given.path / name
        digest.update(f"{name}\0".encode() + (path.read_bytes() if path.is_file() else b"") + b"\0")
    return digest.hexdigest()[:12]


def _metrics(given: Folder, said: selfreport.Reported, say: Say) -> dict[str, dict[str, Any]]:
    """The metrics: the reported numbers whose better direction adapter.toml or their name says.

    All other numbers are kept as diagnostics, without a direction.

    Raises:
        UserError: adapter.toml names a number that the script does not report.
    """
    hints, names = given.said.metrics, {name: said.base[name] for name in (*said.means, *said.undefined)}
    if unknown := [name for name in hints if name not in names and name not in names.values()]:
        raise UserError(
            f"{given.path / ADAPTER}: metrics.{unknown[0]}: the script reports no such number; it reports "
            f"{', '.join(names) or 'none'}"
        )
    found: dict[str, dict[str, Any]] = {}
    for name, base in names.items():
        hint = hints.get(name) or hints.get(base)
        if hint and hint.better != OPEN:
            found[name] = _metric(name, hint.better, False, hint.model_dump(exclude_none=True))
        elif not hints and (way := direction(base)):
            found[name] = _metric(name, way, False)
    first = _primary(given, names, list(found))
    found[first]["primary"] = True
    ways = ", ".join(f"{name}: {metric['better']} is better" for name, metric in found.items())
    open_ones = [name for name in names if name not in found]
    rest = f"; reported without a direction: {', '.join(open_ones)}" if open_ones else ""
    say(f"{given.path.name}: {ways}; runs are compared by {first}{rest} (say otherwise in {ADAPTER})")
    return found


def _primary(given: Folder, names: Mapping[str, str], directed: list[str]) -> str:
    """The metric that runs are compared by: the one that adapter.toml names, or the only one with a direction.

    Args:
        names: each reported number, and its name without the data set that it ends in.
        directed: those whose better direction is known.

    Raises:
        Asked: adapter.toml names none, and there are none or several.
        UserError: the named one is not reported, stands for several numbers, or has no direction.
    """
    said, path = given.said, given.path / ADAPTER
    marked = [name for name, hint in said.metrics.items() if hint.primary]
    wanted = said.primary if said.primary != OPEN else marked[0] if marked else ""
    if not names:
        raise UserError(f"{given.path / 'experiment.py'}: final_info.json holds no number")
    if not wanted and len(directed) == 1:
        return directed[0]
    if not wanted:
        what = "nothing says which number runs are compared by"
        if not directed:
            what = f"nothing says which way of {', '.join(names)} is better, nor which of them runs are compared by"
        asked_before = said.primary == OPEN and "primary" in said.model_fields_set
        raise Asked(given.path, what, of_metrics(names, known=bool(said.metrics), primary=asked_before))
    meant = [name for name, base in names.items() if wanted in (name, base)]
    if wanted not in names and len(meant) > 1:
        raise UserError(f"{path}: primary: {wanted} stands for {', '.join(meant)}; name one of them")
    if not meant:
        raise UserError(f"{path}: primary: the script reports no {wanted}; it reports {', '.join(names)}")
    if meant[0] not in directed:
        raise UserError(f'{path}: metrics.{names[meant[0]]}: say better = "higher" or "lower": runs are compared by it')
    return meant[0]


def _metric(name: str, better: str, primary: bool, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
    found = {
        "label": name.replace("_", " "),
        "better": better,
        "primary": primary,
        "read": "As the experiment reports it itself.",
    }
    return {**found, **(said or {}), "primary": primary}


def _environment(given: Folder, folder: Path) -> dict[str, Any] | None:
    """The manifest's [environment]; packages that adapter.toml lists are written to a requirements file."""
    said = given.said.environment
    if said is None:
        return None
    values = said.model_dump(exclude_none=True)
    if isinstance(said.requirements, tuple):
        (folder / REQUIREMENTS).write_text("".join(f"{name}\n" for name in said.requirements))
        values["requirements"] = REQUIREMENTS
    if said.python and "/" in said.python and said.python[0] not in "/$~":
        values["python"] = str(given.path / said.python)
    try:
        spec = EnvironmentSpec.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{given.path / ADAPTER}: environment: {error.errors()[0]['msg']}") from None
    if spec.file and not (folder / spec.file).is_file():
        raise UserError(f"{given.path / ADAPTER}: environment: {spec.file} is not in the folder; add it there")
    return values


def _fill(given: Folder, folder: Path, metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Write all files of the template into `folder`."""
    assets, data = given.assets(), given.data()
    for name in ("experiment.py", "plot.py", *assets):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            (folder / name).write_bytes(foreign.read(given.path.resolve(), name))
        except foreign.Foreign as problem:
            raise UserError(f"{given.path / name}: {problem}; put a plain file there") from None
    sources = {name: str(place) for name, place in data.items()}
    state = hashlib.sha256(repr([files_state(place) for place in data.values()]).encode()).hexdigest()
    (folder / "prepare.py").write_text(PREPARE.format(sources=sources, state=state))
    values = _manifest(given, assets, _environment(given, folder), metrics)
    Manifest.model_validate_json(json.dumps(values))
    text = "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items())
    (folder / "manifest.toml").write_text(text, encoding="utf-8")


def _manifest(
    given: Folder, assets: list[str], environment: dict[str, Any] | None, metrics: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The values of manifest.toml."""
    prompt = given.prompt()
    listed = [REQUIREMENTS] if environment and environment.get("requirements") == REQUIREMENTS else []
    task = prompt.get("task_description") or f"The experiment of {given.path.name}."
    about = task + (f"\n\nThe folder's own words on the role: {prompt['system']}" if prompt.get("system") else "")
    return {
        "name": given.name,
        "title": given.path.name.replace("_", " "),
        "question": task.strip().split("\n")[0][:300],
        "about": about,
        "form": "v1",
        "measured": False,
        "seeded": False,
        "artefact": "final_info.json",
        "protected": ["prepare.py"],
        "assets": [*assets, *listed],
        **({"environment": environment} if environment else {}),
        "absolute_out_dir": given.said.out_dir == "absolute",
        "default_profile": PROFILE,
        "metrics": metrics,
        "baselines": [
            {
                "name": "baseline",
                "label": "Baseline",
                "file": "experiment.py",
                "about": "The folder's experiment.py as it is.",
            }
        ],
        "profiles": {
            PROFILE: {
                "about": "As the script is; it chooses its own seeds.",
                "settings": {},
                "seeds": [0],
                "conditions": [{"name": "all", "label": "as it is"}],
                "limits": given.said.limits.model_dump(),
            }
        },
    }
