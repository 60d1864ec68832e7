"""The Python environment of a template or a tool: an interpreter that exists, or one that uv builds.

An environment is built once for each state of its requirements and kept in the cache. Not here: which code runs in it
(measure.py, figures.py), and the sandbox, which mounts it read-only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from filelock import FileLock

from agent.core.errors import UserError
from agent.core.manifest import EnvironmentSpec
from agent.core.program import HOME
from agent.core.record import Environment
from agent.core.template import Template
from agent.sandbox.bwrap import trees_of
from agent.storage.atomic import write_text

BUILD_S = 3600.0
PROBE = Path(__file__).with_name("environment_probe.py")
READY = "environment.json"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pins:
    """The requirements of one template or tool."""

    name: str  # of the template or tool
    folder: str  # that holds the requirements file
    where: str  # how an error message begins

    def path(self, name: str) -> Path:
        return Path(self.folder) / name


def environment_of(template: Template, cache: Path, say: Say) -> Environment | None:
    """The environment that the manifest names, built if the cache does not hold it yet; None for the runner's own.

    Raises:
        UserError: uv is missing, the packages cannot be installed, or the interpreter does not run or lacks a module.
    """
    spec = template.manifest.environment
    if spec is None:
        return None
    found = _existing(template, spec.python) if spec.python else built(_pins(template), spec, cache, say)
    for name, why in _needed(template):
        if name not in found.modules:
            mend = "install it there" if spec.python else f"add it to {spec.file}"
            raise UserError(f"{_where(template)}: the environment lacks {name}, {why}; {mend}")
    return found


def built(pins: Pins, spec: EnvironmentSpec, cache: Path, say: Say) -> Environment:
    """The environment with these requirements, built if the cache does not hold it yet.

    Raises:
        UserError: uv is missing, or the packages cannot be installed.
    """
    key = content_key(pins, spec)
    folder = cache / "environments" / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if (found := kept(pins, spec, cache)) is not None:
            return found
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        say(f"Building the environment of {pins.name} ({spec.file})")
        try:
            made = _build(pins, spec, folder, key)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        write_text(folder / READY, made.model_dump_json(indent=1) + "\n")
    return made


def kept(pins: Pins, spec: EnvironmentSpec, cache: Path) -> Environment | None:
    """The environment with these requirements, or None if the cache does not hold it."""
    return kept_as(content_key(pins, spec), cache)


def kept_as(key: str, cache: Path) -> Environment | None:
    """The environment that was built under this key, if the cache still holds it."""
    path = cache / "environments" / key / READY
    return Environment.model_validate_json(path.read_bytes()) if path.is_file() else None


def missing_modules(environment: Environment, names: Iterable[str]) -> list[str]:
    """Those of the top-level modules `names` that this interpreter does not find."""
    asked = sorted(set(names))
    done = subprocess.run(
        [environment.python, "-I", str(PROBE), *asked], capture_output=True, text=True, check=False, cwd="/"
    )
    return json.loads(done.stdout)["missing"] if done.returncode == 0 else asked


# ---------------------------------------------------------------- one that exists


def _existing(template: Template, python: str) -> Environment:
    named = os.path.expanduser(os.path.expandvars(python))
    program = named if "/" in named else shutil.which(named)
    if program and not os.path.isabs(program):
        program = str(template.path(program))
    if program is None or not os.access(program, os.X_OK):
        raise UserError(
            f"{_where(template)}: environment.python = {python!r}: no such interpreter here"
            + (f" (it is {named!r} now)" if named != python else "")
            + "; load its module or activate it, or correct the path"
        )
    return _probed(_pins(template), Path(program), "")


# ---------------------------------------------------------------- one that is built


def content_key(pins: Pins | Template, spec: EnvironmentSpec) -> str:
    """16 hex digits over everything that decides which packages are installed.

    That includes the files and folders that the requirements name, such as a local package.
    """
    names = [spec.file, "pyproject.toml"]
    texts = [pins.path(name).read_bytes() for name in names if pins.path(name).is_file()]
    for word in sorted(set(re.findall(rb"[^\s=]+", texts[0]))):
        place = pins.path(os.fsdecode(word))
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        texts += [path.read_bytes() for path in files if path.is_file()]
    own = _own_packages() if spec.extend else []
    identity = [
        spec.model_dump(),
        [hashlib.sha256(text).hexdigest() for text in texts],
        own,
        spec.version or sys.version.split()[0],
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _build(pins: Pins, spec: EnvironmentSpec, folder: Path, key: str) -> Environment:
    venv = folder / "venv"
    python = venv / "bin" / "python"
    _uv(pins, "venv", "--no-project", "--python", spec.version or sys.executable, str(venv))
    file = spec.file
    install = ["pip", "install" if spec.requirements else "sync", "--python", str(python), "--compile-bytecode"]
    if spec.extend:
        left_out = folder / "packages-of-the-runner.txt"
        write_text(left_out, "\n".join(_not_asked_for(pins.path(file).read_text(encoding="utf-8"))) + "\n")
        install += ["--excludes", str(left_out)]
    if Path(file).name == "uv.lock":
        exported = folder / "exported.txt"
        _uv(
            pins,
            "export",
            "--frozen",
            "--no-emit-project",
            "--no-dev",
            "--format",
            "requirements-txt",
            "--directory",
            str(pins.path(file).parent),
            "--output-file",
            str(exported),
        )
        file = str(exported)
    _uv(pins, *install, *([] if spec.lock else ["-r"]), file)
    if spec.extend:
        place = next(venv.glob("lib/python*/site-packages"))
        write_text(place / "runner.pth", "\n".join(p for p in sys.path if p.endswith("site-packages")) + "\n")
    found = _probed(pins, python, key)
    own = set(_own_packages()) if spec.extend else set()
    return found.model_copy(
        update={
            "packages": {name: version for name, version in found.packages.items() if f"{name}=={version}" not in own}
        }
    )


def _uv(pins: Pins, *words: str) -> None:
    program = find_uv()
    environ = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and k != "VIRTUAL_ENV"}
    done = subprocess.run(
        [program, *words, "--quiet"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=pins.folder,
        env=environ,
        timeout=BUILD_S,
    )
    if done.returncode:
        said = " ".join(done.stderr.replace("\u2570", " ").replace("\u2500", "").replace("\u25b6", "").split())
        raise UserError(f"{pins.where}: uv {words[0]} {words[1]}: {said[-700:] or 'failed without a message'}")


def find_uv() -> str:
    """The path of the uv program.

    Raises:
        UserError: uv is neither on PATH nor in one of the usual places.
    """
    beside = Path(sys.executable).parent / "uv"  # pip may have put it into this environment, which is not activated
    usual = (HOME / ".tools/bin/uv", beside, Path.home() / ".local/bin/uv", Path.home() / ".cargo/bin/uv")
    for place in (shutil.which("uv"), *usual):
        if place and os.access(place, os.X_OK):
            return str(place)
    raise UserError(
        "an environment is built by uv, which is not on PATH: install it (pip install uv); a template may "
        'name an interpreter that exists instead: [environment] python = "/path/to/python"'
    )


def _own_packages() -> list[str]:
    return sorted({f"{d.metadata['Name']}=={d.version}" for d in distributions() if d.metadata["Name"]})


def _not_asked_for(requirements: str) -> list[str]:
    """The names of the runner's packages that the requirements do not name themselves."""
    named = {
        _plain(match[1])
        for line in requirements.splitlines()
        if (match := re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line))
    }
    return [name for one in _own_packages() if _plain(name := one.partition("==")[0]) not in named]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# ---------------------------------------------------------------- what it is


def _probed(pins: Pins, python: Path, key: str) -> Environment:
    """The Environment of an interpreter, as environment_probe.py describes it; no package is imported there."""
    try:
        done = subprocess.run(
            [str(python), "-I", str(PROBE)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            timeout=120,
        )
        told = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise UserError(
            f"{pins.where}: {python} does not run as a Python of version 3.8 or newer: {str(error)[:200]}"
        ) from None
    trees = trees_of(python, (Path(told["prefix"]), Path(told["base_prefix"])))
    identity = key or hashlib.sha256(json.dumps([str(python), told], sort_keys=True).encode()).hexdigest()[:16]
    return Environment(
        key=identity,
        python=str(python),
        trees=tuple(map(str, trees)),
        version=told["version"],
        packages=told["packages"],
        modules=tuple(told["modules"]),
        cuda=told["cuda"],
    )


def _needed(template: Template) -> list[tuple[str, str]]:
    """The modules that a template's environment must have, each with the reason."""
    needed = [("numpy", "with which the runner reads what the model gives")] if template.manifest.measured else []
    plot = template.path(template.manifest.plot).read_text(encoding="utf-8", errors="replace")
    return needed + ([("matplotlib", f"which {template.manifest.plot} imports")] if "matplotlib" in plot else [])


def _pins(template: Template) -> Pins:
    return Pins(template.manifest.name, template.folder, _where(template))


def _where(template: Template) -> str:
    return str(template.path("manifest.toml"))
