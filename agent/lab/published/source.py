"""An autoencoder that others trained, from the name that a person typed to an artefact of the runner's own form.

Its files are copied and hashed, and read in a sandbox (layouts.py): whoever made them gets no code to run. Not here:
releases that are fetched by their name (releases.py), and measuring (evaluation.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

WEIGHTS = ("sae_weights.safetensors", "params.npz", "ae.pt", "sae.safetensors")  # in this order, in a folder
SUFFIXES = (".safetensors", ".npz", ".pt")
BESIDE = ("cfg.json", "config.json", "runner_cfg.json")
LARGEST = 64 << 30  # bytes of one file
KEPT, TOLD = "kept", "published.json"
LONGEST = 200  # characters of a name that a file tells


class About(Strict):
    """What an autoencoder's files say of it."""

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
    """An autoencoder that was read, as its folder tells it (published.json)."""

    name: str  # as it was typed
    files: dict[str, str]  # sha256 of each file that was read, by its name
    sha256: str  # of the artefact
    about: About


@dataclass(frozen=True)
class Published:
    """An autoencoder that was read."""

    told: Told
    artefact: Path

    @property
    def name(self) -> str:
        return self.told.name

    @property
    def files(self) -> dict[str, str]:
        return self.told.files

    @property
    def sha256(self) -> str:
        return self.told.sha256

    @property
    def about(self) -> About:
        return self.told.about

    @property
    def trained_on(self) -> str:
        """Its own training budget, in words."""
        return self.about.known.get("trained_on", "unknown")


def opened(name: str, cache: Path, say: Callable[[str], None], beside: Path | None = None) -> Path:
    """Where the files of an autoencoder lie that is named by a path (also one seen from `beside`) or by its release.

    Raises:
        UserError, InfrastructureError: there is none, or its release cannot be fetched.
    """
    places = [Path(name).expanduser(), *([beside / name] if beside else [])]
    for place in reversed(places):
        if place.exists():
            return place
    if is_release(name):
        return fetched(name, cache, say)
    raise UserError(f"{name}: no such file or folder, and not of the form release/id")


def keep(name: str, place: Path, folder: Path, sandbox: Sandbox, trained_on: str = "") -> Published:
    """`read_published`, in a folder from which `found_again` has it. `trained_on` overrules what the files say.

    Raises:
        UserError: it cannot be read.
    """
    found = read_published(name, place, folder, sandbox)
    for part in ("given", "out"):
        shutil.rmtree(folder / part)
    told = found.told
    if trained_on:
        about = found.about.model_copy(update={"known": {**found.about.known, "trained_on": trained_on}})
        told = told.model_copy(update={"about": about})
    write_text(folder / TOLD, told.model_dump_json(indent=1))
    return Published(told, found.artefact)


def found_again(folder: Path) -> Published | None:
    """What `keep` left in this folder; None where it left nothing whole."""
    try:
        told = Told.model_validate_json((folder / TOLD).read_bytes())
    except (OSError, ValidationError):
        return None
    return Published(told, folder / KEPT / ARTEFACT)


def read_published(name: str, place: Path, folder: Path, sandbox: Sandbox) -> Published:
    """Read the autoencoder at `place`, a file or a folder; `folder` is empty, and keeps the artefact.

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
        raise UserError(f"{name}: could not be read: what was found of it makes no sense") from None
    told = Told(name=name, files=files, sha256=found.sha256[ARTEFACT], about=_bounded(about))
    return Published(told, kept / ARTEFACT)


def _chosen(name: str, place: Path) -> dict[str, Path]:
    """The files to read, by the names under which the reader finds them."""
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
    """Our own copies, so that nothing changes between the hash and the reading; their hashes."""
    given.mkdir()
    files: dict[str, str] = {}
    for called, path in chosen.items():
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe does not keep us waiting
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
        raise UserError(f"{name}: reading it takes more than {limit}, so it is not what its size promises")
    if end.reason != "ok":
        said = harvest.tail(harvest.read_text(errors), 400).strip().splitlines() or [""]
        raise UserError(f"{name}: could not be read ({end.reason} {end.code}): {harvest.one_line(said[-1], 300)}")


def _told(name: str, out: Path) -> None:
    """
    Raises:
        UserError: the reader found a reason why it cannot be measured.
    """
    try:
        said = harvest.read_bytes(out, PROBLEM, 1 << 12)
    except harvest.Unharvestable:
        return
    try:
        problem = str(json.loads(said))
    except ValueError:
        raise InfrastructureError(f"{name}: its reader left no line that can be read") from None
    raise UserError(f"{name}: {harvest.one_line(problem, 600)}")


def _bounded(about: About) -> About:
    """Names that files tell, each one short line."""
    known = {key: harvest.one_line(text, LONGEST) for key, text in about.known.items()}
    remarks = tuple(harvest.one_line(text, 600) for text in about.remarks[:8])
    return about.model_copy(update={"known": known, "remarks": remarks})
