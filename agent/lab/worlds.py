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

LONGEST_SECRET = 200  # bytes of its file
PACKAGES = ("numpy", "torch", "sae-lens", "transformer-lens")  # what a world may be drawn with
SAID = "prepare: "  # a line of prepare.py's standard output that a person should see begins so
EXITS = {2: UserError, 3: InfrastructureError}  # how prepare.py's own errors come out of its process
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")  # the only keys that a template's preparation may use
Say = Callable[[str], None]
Prepare = Callable[
    [dict[str, Any], Say], tuple[int, str]
]  # a request -> exit status, and the end of what was complained of


def world_secret(cache: Path, template: str, world: int = 0) -> int:
    """The 256-bit secret of a world, drawn at the first call. World 0 explores, later ones confirm."""
    path = secret_file(cache, template, world)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            write_text(path, f"{secrets.randbits(256):064x}\n", mode=0o600)
        return read_secret(path)


def secret_file(cache: Path, template: str, world: int) -> Path:
    """Where the secret of a world lies for all sessions."""
    return cache / "secrets" / f"{template}-world-{world}"


def read_secret(path: Path) -> int:
    """
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
    """The data of one world; built if this cache does not hold it (whole) yet. `say` hears how the building goes.

    `use` may take hold of the folder before anybody else can remove it. `prepare` runs prepare.py in another way than
    as a process beside this one. `again`: the data were there before, so that a building is a repair, which is said.
    `conditions`: those that change a declared data setting get data of their own, drawn from the same secret.
    `make_room` is called before they are built.

    Raises:
        InfrastructureError: prepare.py failed.
        UserError: prepare.py found a setting that cannot work.
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
    """How long data of this profile took before on this machine; "" where nobody made any."""
    took = list[float]()
    for manifest in sorted(data.glob(f"{template.manifest.name}-{profile}-*/{MANIFEST}")):
        try:
            took.append(float(json.loads(foreign.read_file(manifest))["wall_s"]))
        except (foreign.Foreign, ValueError, TypeError, KeyError):
            continue
    return f"; others took about {max(1.0, median(took)):.0f} s" if took else ""


def still_there(cache: Path, template: Template, key: str, use: Callable[[Path], object]) -> DataPaths | None:
    """Data that were built before, by their key; None if they are not there whole."""
    for folder in sorted((cache / "data").glob(f"{template.manifest.name}-*-{key}")):
        with FileLock(f"{folder}.lock"):
            if not damage(folder):
                use(folder)
                return _paths(folder, key)
    return None


def _paths(folder: Path, key: str) -> DataPaths:
    return DataPaths(folder / "train", folder / "truth", key, recorded_hashes(folder))


def _place(data: Path, name: str, profile: str, key: str) -> Path:
    """Another profile's folder, where that has the same data whole."""
    own = data / f"{name}-{profile}-{key}"
    others = sorted(p for p in data.glob(f"{name}-*-{key}") if (p / MANIFEST).is_file())
    return own if own.is_dir() or not others else others[0]


def data_key(
    template: Template, settings: Mapping[str, Setting], secret: int, conditions: Sequence[Condition] = ()
) -> str:
    """20 hex digits over everything the data depends on."""
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
    """ "absent" for a package that is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def load_module(path: Path) -> types.ModuleType:
    """A template's protected module by its path; never one the agent may write.

    It may import its neighbours in relative form: the folder is a package, whatever it is called.
    """
    package = f"template_{hashlib.sha256(str(path.parent.resolve()).encode()).hexdigest()[:12]}"
    if package not in sys.modules:
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(path.parent)]
    sys.modules.setdefault("agent.errors", errors)  # what the templates in repositories of older sessions import
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
    """Builds beside, then renames: a kill leaves either no world or a whole one. `own`: settings of conditions."""
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
        shutil.rmtree(beside, ignore_errors=True)  # half a corpus may be large
        if code in EXITS:
            raise EXITS[code](said.strip().splitlines()[-1])
        raise InfrastructureError(
            f"{template.path('prepare.py')}: preparing the data failed (exit {code}):\n" + said.strip()[-1500:]
        )
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
    shutil.rmtree(folder, ignore_errors=True)  # without its manifest: not whole
    os.replace(beside, folder)


def _nothing(request: dict[str, Any], say: Say) -> tuple[int, str]:
    """In the place of a prepare.py that is not there: the template's files are all its data."""
    return 0, ""


def _prepare_there(request: dict[str, Any], say: Say) -> tuple[int, str]:
    """Run prepare.py in a process of its own; its exit status and the end of what it complained of."""
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
    for name in SECRETS:
        if os.environ.get(name):
            said = said.replace(os.environ[name], f"<{name}>")
    return process.returncode, said


def _prepare_here() -> int:
    """What the subprocess does."""
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
