"""Makes a template of an AI-Scientist v1 folder: a manifest, a prepare.py, and copies of its files, unchanged.

The result lies in the workspace, under a name that hangs on every byte of the folder; the folder is only read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.core.errors import UserError
from agent.core.manifest import Manifest
from agent.core.protocols import Sandbox
from agent.core.template import load_template
from agent.lab.measuring import selfreport
from agent.lab.templating.v1 import ADAPTER, IDEAS, Folder, direction, look
from agent.sandbox import harvest
from agent.storage import foreign
from agent.storage.temporary import TemporaryFolder, sweep_folders

VERSION = "2"  # of what is made here
PROFILE = "full"
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
Say = Callable[[str], None]


def adapt(folder: Path, workspace: Path, sandbox: Callable[[], Sandbox], say: Say) -> Path:
    """The folder of a template that runs this one; made once for each state of it.

    Raises:
        UserError: the form is not whole, its first run fails, or nothing says which way its metrics are better.
    """
    given = look(folder)
    target = workspace / ".templates" / _digest(given) / given.name
    if (target / "manifest.toml").is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep_folders(workspace / ".templates")
    if (latex := folder / "latex" / "template.tex").is_file():
        say(f"{folder}: has LaTeX of its own; add --paper-style {latex.parent} to set the paper in it")
    with TemporaryFolder("template", workspace / ".templates") as scratch:
        beside = Path(scratch)
        beside.chmod(0o755)
        said = given.run_0() or _first_run(given, beside, sandbox, say)
        metrics = _metrics(given, said, say)
        _fill(given, beside / given.name, metrics)
        load_template(beside / given.name)
        shutil.rmtree(target, ignore_errors=True)  # without its manifest: not whole
        os.replace(beside / given.name, target)
    return target


def _digest(given: Folder) -> str:
    """Over the version of this adapter and everything that is taken over."""
    digest = hashlib.sha256(f"{VERSION}\0{given.path}\0{given.data()}\0".encode())
    names = ["experiment.py", "plot.py", "prompt.json", ADAPTER, *IDEAS, "run_0/final_info.json", *given.assets()]
    for name in names:
        path = given.path / name
        digest.update(f"{name}\0".encode() + (path.read_bytes() if path.is_file() else b"") + b"\0")
    for place in given.data().values():
        digest.update(repr(_state(place)).encode())
    return digest.hexdigest()[:12]


def _state(place: Path) -> list[tuple[str, int, int]]:
    files = sorted(p for p in place.rglob("*") if p.is_file())
    return [(p.relative_to(place).as_posix(), p.stat().st_size, p.stat().st_mtime_ns) for p in files]


def _first_run(given: Folder, beside: Path, sandbox: Callable[[], Sandbox], say: Say) -> selfreport.Reported:
    """Run the script once, only to learn what it reports."""
    from agent.lab.measuring.measure import run_training
    from agent.lab.measuring.scratch import TrainingPaths
    from agent.lab.templating.trial import Trial

    say(f"{given.path}: has no run_0; running experiment.py once to learn what it reports")
    folder = beside / "first" / given.name
    _fill(given, folder, {"unknown": _metric("unknown", "higher", True)})
    template = load_template(folder)
    trial = Trial(template, PROFILE, beside / "run", sandbox(), say)
    job = trial.job("first", trial.world(1), "experiment.py")
    found = run_training(job, 0, trial.condition, trial.sandbox, lambda: False)
    path = TrainingPaths.of(job, 0, trial.condition.name).kept / "final_info.json"
    if found.outcome == "failed" or not path.is_file():
        raise UserError(
            f"{given.path / 'experiment.py'}: the first run gave no final_info.json: {found.reason}: "
            f"{' '.join(found.detail.split())[-600:]}"
        )
    try:
        return selfreport.final_info(harvest.parse_json(path.read_bytes()))
    except harvest.Unharvestable as problem:
        raise UserError(f"{given.path / 'experiment.py'}: its final_info.json cannot be used: {problem}") from None


def _metrics(given: Folder, said: selfreport.Reported, say: Say) -> dict[str, dict[str, Any]]:
    """Those whose direction is known; all other numbers stay self-reported quantities without one."""
    hints = given.said.metrics
    if unknown := [name for name in hints if name not in said.means]:
        raise UserError(
            f"{given.path / ADAPTER}: metrics.{unknown[0]}: the script reports no such number; it reports "
            f"{', '.join(said.means) or 'none'}"
        )
    if hints:
        first = next((n for n, hint in hints.items() if hint.primary), next(iter(hints)))
        return {n: _metric(n, hint.better, n == first, hint.model_dump(exclude_none=True)) for n, hint in hints.items()}
    known = {name: way for name in said.means if (way := direction(name))}
    if not known:
        example = "".join(f'[metrics.{name}]\nbetter = "higher"  # or "lower"\n' for name in list(said.means)[:3])
        raise UserError(
            f"{given.path}: nothing says which direction of {', '.join(said.means) or 'its numbers'} is "
            f"better; say it in {given.path / ADAPTER}, for example:\n{example}".rstrip()
        )
    first = min(known, key=lambda name: name.startswith(("train_", "best_train")) or "time" in name)
    ways = ", ".join(f"{name}: {way} is better" for name, way in known.items())
    say(f"{given.path.name}: {ways}, by their names; primary: {first} (say otherwise in {ADAPTER})")
    return {name: _metric(name, way, name == first) for name, way in known.items()}


def _metric(name: str, better: str, primary: bool, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
    found = {
        "label": name.replace("_", " "),
        "better": better,
        "primary": primary,
        "read": "As the experiment reports it itself.",
    }
    return {**found, **(said or {}), "primary": primary}


def _fill(given: Folder, folder: Path, metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the whole template."""
    assets, data, prompt = given.assets(), given.data(), given.prompt()
    for name in ("experiment.py", "plot.py", *assets):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            (folder / name).write_bytes(foreign.read(given.path.resolve(), name))
        except foreign.Foreign as problem:
            raise UserError(f"{given.path / name}: {problem}; put a plain file there") from None
    sources = {name: str(place) for name, place in data.items()}
    state = hashlib.sha256(repr([_state(place) for place in data.values()]).encode()).hexdigest()
    (folder / "prepare.py").write_text(PREPARE.format(sources=sources, state=state))
    task = prompt.get("task_description") or f"The experiment of {given.path.name}."
    about = task + (f"\n\nThe folder's own words on the role: {prompt['system']}" if prompt.get("system") else "")
    values = {
        "name": given.name,
        "title": given.path.name.replace("_", " "),
        "question": task.strip().split("\n")[0][:300],
        "about": about,
        "form": "v1",
        "measured": False,
        "seeded": False,
        "artefact": "final_info.json",
        "protected": ["prepare.py"],
        "assets": assets,
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
    Manifest.model_validate_json(json.dumps(values))
    (folder / "manifest.toml").write_text(_toml(values), encoding="utf-8")


def _toml(values: Mapping[str, Any]) -> str:
    """Inline values alone: a TOML basic string escapes as JSON does."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k, ensure_ascii=False)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
