"""Finds a published autoencoder by the name that a person typed, and makes an artefact in the runner's own form of it.

Its files are copied, hashed, and read in a sandbox (layouts.py), so that hostile files do no harm. Not here: releases
that are fetched by their name (releases.py), and measuring (evaluation.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from agent.core.errors import InfrastructureError, UserError
from agent.core.manifest import Limits
from agent.core.protocols import Sandbox
from agent.core.sandboxing import Mount, SandboxSpec
from agent.core.schema import Strict
from agent.lab.measuring.walled import AGENT
from agent.lab.published.forms import ABOUT, ARTEFACT, PROBLEM
from agent.lab.published.layouts import ABOVE
from agent.lab.published.releases import fetched, is_release
from agent.sandbox import harvest
from agent.storage.atomic import readable, write_text

WEIGHTS = ("sae_weights.safetensors", "params.npz", "ae.pt", "sae.safetensors")  # looked for in this order
SUFFIXES = (".safetensors", ".npz", ".pt")
BESIDE = ("cfg.json", "config.json", "runner_cfg.json")
LARGEST = 64 << 30  # bytes of one file
KEPT, TOLD = "kept", "published.json"
LONGEST = 200  # characters of a name that a file gives


class About(Strict):
    """What an autoencoder's files say about it; fields as in forms.Read."""

    layout: str
    d_in: int
    d_sae: int
    architecture: str
    subtracts_b_dec: bool
    k: int
    by_decoder_norm: bool
    known: dict[str, str]  # model, hook_name, trained_on
    remarks: tuple[str, ...]


class Told(Strict):
    """What is known about an autoencoder that was read; `keep` writes it to published.json."""

    name: str  # as it was typed
    files: dict[str, str]  # sha256 of each file that was read, by its name
    sha256: str  # of the artefact
    about: About


class Published(Told):
    """An autoencoder that was read, with the file that was made of it."""

    artefact: Path

    @property
    def trained_on(self) -> str:
        """The budget that it was trained on, in words."""
        return self.about.known.get("trained_on", "unknown")


def opened(name: str, cache: Path, say: Callable[[str], None], beside: Path | None = None) -> Path:
    """The file or folder of an autoencoder that is named by a path or by its release.

    A path may be relative to the folder `beside`. A release is fetched into the cache.

    Raises:
        UserError: there is no such file, folder or release.
        InfrastructureError: its release cannot be fetched.
    """
    places = [Path(name).expanduser(), *([beside / name] if beside else [])]
    for place in reversed(places):
        if place.exists():
            return place
    if is_release(name):
        return fetched(name, cache, say)
    raise UserError(f"{name}: no such file or folder, and not of the form release/id")


def keep(name: str, place: Path, folder: Path, sandbox: Sandbox, trained_on: str = "") -> Published:
    """Like `read_published`, but the folder is kept, so that `found_again` can read it.

    `trained_on` replaces what the files say about the training budget.

    Raises:
        UserError: it cannot be read.
    """
    found = read_published(name, place, folder, sandbox)
    for part in ("given", "out"):
        shutil.rmtree(folder / part)
    if trained_on:
        about = found.about.model_copy(update={"known": {**found.about.known, "trained_on": trained_on}})
        found = found.model_copy(update={"about": about})
    write_text(folder / TOLD, found.model_dump_json(indent=1, exclude={"artefact"}))
    return found


def found_again(folder: Path) -> Published | None:
    """The autoencoder that `keep` left in this folder; None if it left none."""
    try:
        told = Told.model_validate_json((folder / TOLD).read_bytes())
    except (OSError, ValidationError):
        return None
    return Published(**dict(told), artefact=folder / KEPT / ARTEFACT)


def read_published(name: str, place: Path, folder: Path, sandbox: Sandbox) -> Published:
    """Read the autoencoder at `place`, a file or a folder, and write its artefact into the empty `folder`.

    Raises:
        UserError: it cannot be read; one line that begins with its name.
    """
    given, out, kept = folder / "given", folder / "out", folder / KEPT
    out.mkdir(parents=True)
    files = _copied(name, _chosen(name, place), given)
    readable(folder)
    size_mb = sum(file.stat().st_size for file in given.iterdir()) >> 20
    _read_in_sandbox(name, given, out, str(place.resolve()), size_mb, sandbox)
    _told(name, out)
    found = harvest.copy_files(out, kept, {ARTEFACT: LARGEST, ABOUT: 1 << 20}, max_total=LARGEST)
    if found.problems:
        raise UserError(f"{name}: could not be read: {'; '.join(found.problems.values())}")
    try:
        about = About.model_validate_json((kept / ABOUT).read_bytes())
    except ValidationError:
        raise UserError(f"{name}: could not be read: the process that read it left a malformed description") from None
    return Published(
        name=name, files=files, sha256=found.sha256[ARTEFACT], about=_bounded(about), artefact=kept / ARTEFACT
    )


def _chosen(name: str, place: Path) -> dict[str, Path]:
    """The files to read, by the names under which layouts.py expects them."""
    if place.is_dir():
        folder, weights = place, _weights_in(name, place)
    else:
        folder, weights = place.parent, place
        if place.suffix not in SUFFIXES:
            raise UserError(f"{name}: neither a folder nor a file that ends with {', '.join(SUFFIXES)}")
    beside = (*BESIDE, f"{weights.stem}.json")
    chosen = {weights.name: weights} | {n: folder / n for n in beside if (folder / n).is_file()}
    above = folder.resolve().parent / "config.json"
    if weights.name == "sae.safetensors" and above.is_file():
        chosen[ABOVE] = above
    return chosen


def _weights_in(name: str, folder: Path) -> Path:
    for known in WEIGHTS:
        if (folder / known).is_file():
            return folder / known
    others = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    if len(others) != 1:
        found = f"{len(others)} files of weights; name one of them" if others else f"none of {', '.join(WEIGHTS)}"
        raise UserError(f"{name}: the folder holds {found}")
    return others[0]


def _copied(name: str, chosen: Mapping[str, Path], given: Path) -> dict[str, str]:
    """Copy the files to `given`, so that they cannot change between hashing and reading; returns their hashes."""
    given.mkdir()
    files: dict[str, str] = {}
    for called, path in chosen.items():
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # O_NONBLOCK: a pipe would make us wait
        except OSError as error:
            raise UserError(f"{name}: {called}: {error.strerror}") from None
        digest = hashlib.sha256()
        with os.fdopen(handle, "rb") as file, open(given / called, "wb") as copy:
            info = os.fstat(handle)
            if not stat.S_ISREG(info.st_mode) or info.st_size > LARGEST:
                raise UserError(f"{name}: {called}: not a plain file of at most {LARGEST >> 30} GB")
            while chunk := file.read(harvest.CHUNK):
                digest.update(chunk)
                copy.write(chunk)
        files[called] = digest.hexdigest()
    return files


def _read_in_sandbox(name: str, given: Path, out: Path, where: str, size_mb: int, sandbox: Sandbox) -> None:
    """Run layouts.py in the sandbox, within limits that grow with the size of the files."""
    code, files, result = Mount(AGENT, "/runner/agent"), Mount(given, "/given"), Mount(out, "/out", writable=True)
    limits = Limits(
        wall_s=600.0 + size_mb, memory_mb=4096 + 6 * size_mb, disk_mb=256 + 6 * size_mb, file_mb=256 + 6 * size_mb
    )
    show = sandbox.visible
    spec = SandboxSpec(
        argv=(sys.executable, "-m", "agent.lab.published.layouts", show(files), show(result), where),
        cwd=show(result),
        mounts=(code, files, result),
        limits=limits,
        env={"PYTHONPATH": show(code).removesuffix("/agent")},
    )
    errors = out.parent / "stderr"
    end = sandbox.start(spec, stdout=out.parent / "stdout", stderr=errors).wait()
    if end.reason in ("timeout", "memory", "disk"):
        limit = {"timeout": f"{limits.wall_s:.0f} s", "memory": f"{limits.memory_mb} MB of memory"}.get(
            end.reason, f"{limits.disk_mb} MB on the disk"
        )
        raise UserError(f"{name}: reading it takes more than {limit}, which the size of its files does not explain")
    if end.reason != "ok":
        said = harvest.tail(harvest.read_text(errors), 400).strip().splitlines() or [""]
        raise UserError(f"{name}: could not be read ({end.reason} {end.code}): {harvest.one_line(said[-1], 300)}")


def _told(name: str, out: Path) -> None:
    """Report why layouts.py could not read the files, if it says so.

    Raises:
        UserError: it does.
    """
    try:
        said = harvest.read_bytes(out, PROBLEM, 1 << 12)
    except harvest.Unharvestable:
        return
    try:
        problem = str(json.loads(said))
    except ValueError:
        raise InfrastructureError(f"{name}: the process that read it left a malformed message") from None
    raise UserError(f"{name}: {harvest.one_line(problem, 600)}")


def _bounded(about: About) -> About:
    """The same with every name and remark cut to one short line."""
    known = {key: harvest.one_line(text, LONGEST) for key, text in about.known.items()}
    remarks = tuple(harvest.one_line(text, 600) for text in about.remarks[:8])
    return about.model_copy(update={"known": known, "remarks": remarks})
