"""Worlds: a template's data, drawn from a secret by its prepare.py and kept in the cache for all sessions.

A world is named by a hash of everything that its data depend on, and is built once. prepare.py runs in a process of its
own, and nothing here looks into what it writes. Not here: measuring.
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
import tempfile
import time
import types
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from filelock import FileLock

from agent.core import errors
from agent.core.errors import InfrastructureError, UserError
from agent.core.manifest import Condition, Setting
from agent.core.paths import DataPaths
from agent.core.template import Template
from agent.lab.built import CONDITIONS, MANIFEST, damage, folder_hashes, recorded_hashes
from agent.storage import foreign
from agent.storage.atomic import readable, write_text

LONGEST_SECRET = 200  # bytes of the file that holds a secret
PACKAGES = ("numpy", "torch", "sae-lens", "transformer-lens")  # their versions may change what prepare.py draws
SAID = "prepare: "  # a line that prepare.py prints behind this word is shown to the person
EXITS = {2: UserError, 3: InfrastructureError}  # exit statuses that stand for the errors which prepare.py raised
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")  # the keys of the Hugging Face hub
Say = Callable[[str], None]
# Runs prepare.py for a request (see _build); returns its exit status and the end of its standard error.
Prepare = Callable[[dict[str, Any], Say], tuple[int, str]]


def world_secret(cache: Path, template: str, world: int = 0) -> int:
    """The 256-bit secret of a world, drawn at the first call. World 0 is for exploring, later ones for confirming."""
    path = secret_file(cache, template, world)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            write_text(path, f"{secrets.randbits(256):064x}\n", mode=0o600)
        return read_secret(path)


def secret_file(cache: Path, template: str, world: int) -> Path:
    """The file with the secret of a world, which all sessions share."""
    return cache / "secrets" / f"{template}-world-{world}"


def read_secret(path: Path) -> int:
    """The secret that a file holds.

    Raises:
        InfrastructureError: the file does not hold a secret.
    """
    try:
        return int(foreign.read_file(path, LONGEST_SECRET).decode(), 16)
    except (foreign.Foreign, ValueError):
        raise InfrastructureError(
            f"{path}: does not hold the secret of a world any more; restore it from a backup, or remove it for a new "
            "world (a session that began with the old one, and has no copy of its own, cannot go on then)"
        ) from None


def prepared(
    template: Template,
    profile: str,
    settings: Mapping[str, Setting],
    secret: int,
    cache: Path,
    say: Say = lambda line: None,
    use: Callable[[Path], object] = lambda folder: None,
    prepare: Prepare | None = None,
    again: str | None = None,
    conditions: Sequence[Condition] = (),
    make_room: Callable[[], object] = lambda: None,
) -> DataPaths:
    """The data of one world, built if the cache does not hold them whole.

    Args:
        profile: its name, which becomes a part of the folder's.
        settings: of the profile.
        say: gets a line for each thing that a person should know about the build.
        use: locks the folder before anybody else can remove it.
        prepare: runs prepare.py; by default as an ordinary process outside of any sandbox.
        again: the key of data that were there before; building them is then announced as a repair.
        conditions: those that change one of the manifest's `data_settings` get data of their own from the same secret.
        make_room: called before the data are built.

    Raises:
        InfrastructureError: prepare.py failed.
        UserError: prepare.py refused a setting.
    """
    key = data_key(template, settings, secret, conditions)
    folder = _place(cache / "data", template.manifest.name, profile, key)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if harm := damage(folder):
            if again or (folder / MANIFEST).is_file():
                say(f"  data: {folder}: {harm}; built again from the secret of its world")
            else:
                before = _as_before(folder.parent, template, profile)
                say(f"  making a world of profile {profile}, which later sessions use too{before}")
            make_room()
            own = template.condition_data(settings, conditions)
            how = prepare or _prepare_there if template.has_data else _nothing
            _build(template, template.data_settings(settings), own, secret, folder, say, how)
        use(folder)
    return _paths(folder, key)


def _as_before(data: Path, template: Template, profile: str) -> str:
    """The median time that building data of this profile took on this machine, in words; "" if there are none."""
    took = list[float]()
    for manifest in sorted(data.glob(f"{template.manifest.name}-{profile}-*/{MANIFEST}")):
        try:
            took.append(float(json.loads(foreign.read_file(manifest))["wall_s"]))
        except (foreign.Foreign, ValueError, TypeError, KeyError):
            continue
    return f"; others took about {max(1.0, median(took)):.0f} s" if took else ""


def still_there(cache: Path, template: Template, key: str, use: Callable[[Path], object]) -> DataPaths | None:
    """The data with this key, if the cache holds them whole; else None."""
    for folder in sorted((cache / "data").glob(f"{template.manifest.name}-*-{key}")):
        with FileLock(f"{folder}.lock"):
            if not damage(folder):
                use(folder)
                return _paths(folder, key)
    return None


def _paths(folder: Path, key: str) -> DataPaths:
    return DataPaths(folder / "train", folder / "truth", key, recorded_hashes(folder))


def _place(data: Path, name: str, profile: str, key: str) -> Path:
    """The folder for data with this key: another profile's, if that was built already, or else the profile's own."""
    own = data / f"{name}-{profile}-{key}"
    others = sorted(p for p in data.glob(f"{name}-*-{key}") if (p / MANIFEST).is_file())
    return own if own.is_dir() or not others else others[0]


def data_key(
    template: Template, settings: Mapping[str, Setting], secret: int, conditions: Sequence[Condition] = ()
) -> str:
    """20 hex digits over everything that the data depend on.

    evaluate.py only reads the data, so a change of it leaves the key as it is.
    """
    own = template.condition_data(settings, conditions)
    identity = [
        template.manifest.name,
        [template.path(name).read_text() for name in sorted({*template.manifest.protected} - {"evaluate.py"})],
        template.data_settings(settings),
        f"{secret:x}",
        {name: package_version(name) for name in PACKAGES},
        *([own] if own else []),
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]


def package_version(name: str) -> str:
    """The version of a package, or "absent" if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def load_module(path: Path) -> types.ModuleType:
    """Import one of a template's protected modules by its path; never a file that a model may edit.

    The module may import its neighbours in relative form, because its folder is registered as a package.
    """
    package = f"template_{hashlib.sha256(str(path.parent.resolve()).encode()).hexdigest()[:12]}"
    if package not in sys.modules:
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(path.parent)]
    sys.modules.setdefault("agent.errors", errors)  # the templates in repositories of older sessions import this name
    spec = importlib.util.spec_from_file_location(f"{package}.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def _build(
    template: Template,
    settings: Mapping[str, Setting],
    own: Mapping[str, Mapping[str, Setting]],
    secret: int,
    folder: Path,
    say: Say,
    prepare: Prepare,
) -> None:
    """Build a world in a folder beside its own and rename that, so that a killed build never looks finished.

    `own` maps each condition that has data of its own to its settings.
    """
    beside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    places = [beside, *(beside / CONDITIONS / name for name in own)]
    for place in places:
        (place / "train").mkdir(parents=True)
        (place / "truth").mkdir(mode=0o700)
    request = {
        "prepare": str(template.path("prepare.py")),
        "settings": dict(settings),
        "conditions": {name: dict(values) for name, values in own.items()},
        "secret": f"{secret:x}",
        "folder": str(beside),
    }
    started = time.monotonic()
    code, said = prepare(request, say)
    if code:
        shutil.rmtree(beside, ignore_errors=True)  # an unfinished corpus may be large
        raise _failed(template, code, said)
    for place in places:
        readable(place / "train")
    about = {
        "template": template.manifest.name,
        "settings": request["settings"],
        **({"conditions": request["conditions"]} if own else {}),
        "files": folder_hashes(beside),
        "build": secrets.token_hex(8),
        "versions": {name: package_version(name) for name in PACKAGES},
        "wall_s": round(time.monotonic() - started, 1),
    }
    write_text(beside / MANIFEST, json.dumps(about, indent=1))
    shutil.rmtree(folder, ignore_errors=True)  # what lies there was found damaged, or has no manifest
    os.replace(beside, folder)


def _failed(template: Template, code: int, said: str) -> Exception:
    """The error for an exit status of prepare.py that is not 0, and for what it wrote to standard error."""
    if code in EXITS:
        return EXITS[code](said.strip().splitlines()[-1])
    text = f"{template.path('prepare.py')}: preparing the data failed (exit {code}):\n" + said.strip()[-1500:]
    return InfrastructureError(text)


def _nothing(request: dict[str, Any], say: Say) -> tuple[int, str]:
    """Stands in for prepare.py where a template has none, because its files are all its data."""
    return 0, ""


def _prepare_there(request: dict[str, Any], say: Say) -> tuple[int, str]:
    """Run prepare.py in a process of its own; returns its exit status and its standard error, without keys."""
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(  # the secret goes through a pipe: arguments and environment can be read by others
            [sys.executable, "-m", "agent.lab.worlds"],
            cwd=Path(__file__).parents[2],
            text=True,
            errors="replace",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            assert process.stdin and process.stdout
            json.dump(request, process.stdin)
            process.stdin.close()
            for line in process.stdout:
                if line.startswith(SAID):
                    say(f"  {line.removeprefix(SAID).rstrip()}")
            process.wait()
        finally:
            process.kill()
            if process.stdout:
                process.stdout.close()
        errors.seek(0)
        said = errors.read()
    return process.returncode, without_tokens(said)


def without_tokens(text: str) -> str:
    """The text with each key of the Hugging Face hub replaced by the name of its variable."""
    for name in TOKENS:
        if os.environ.get(name):
            text = text.replace(os.environ[name], f"<{name}>")
    return text


def _prepare_here() -> int:
    """The main function of the process that runs prepare.py: reads the request, and returns the exit status."""
    request = json.load(sys.stdin)
    folder = Path(request["folder"])
    module = load_module(Path(request["prepare"]))
    try:
        for place, settings in [
            (folder, request["settings"]),
            *((folder / CONDITIONS / name, values) for name, values in request["conditions"].items()),
        ]:
            module.prepare(settings, int(request["secret"], 16), place / "train", place / "truth")
    except tuple(EXITS.values()) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return next(code for code, kind in EXITS.items() if isinstance(error, kind))
    return 0


if __name__ == "__main__":
    sys.exit(_prepare_here())
