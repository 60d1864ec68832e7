"""Reads an AI-Scientist v1 folder: experiment.py, plot.py, prompt.json, ideas, run_0, and our adapter.toml beside them.

The folder is only read. Not here: making a template of it (adapt.py), and its LaTeX.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from agent.core.errors import UserError
from agent.core.given import json_given, read_given, toml_given
from agent.core.ideas import Idea, readable_ideas
from agent.core.manifest import Limits
from agent.core.schema import Strict, first_fault
from agent.lab.measuring import selfreport
from agent.lab.measuring.foreign import BESIDE
from agent.lab.templating.beside import check_plain, data_beside, files_state, left_out, upward
from agent.lab.templating.draft import ADAPTER, OPEN
from agent.sandbox import harvest
from agent.storage import foreign
from agent.storage.foreign import is_plain

IDEAS = ("ideas.json", "seed_ideas.json")
NO_ASSETS = {"experiment.py", "plot.py", "prompt.json", *IDEAS, ADAPTER}
MAX_ASSETS = (2000, 32 << 20)  # (files, bytes), because assets are committed with every session
RESERVED = {"w", "tmp", "usr", "etc", "proc", "dev", "bin", "sbin", "lib", "lib64", "runner", "artefact", "var", "sys"}


class MetricHint(Strict):
    """What adapter.toml says about one metric; the other fields of the manifest are filled in."""

    better: Literal["higher", "lower", "target", "?"]
    label: str | None = None
    read: str | None = None
    unit: str = ""
    target: float | None = None
    low: float | None = None
    high: float | None = None
    primary: bool = False


class AdapterEnvironment(Strict):
    """A template's own Python as in a manifest; `requirements` may also list the packages themselves."""

    requirements: str | tuple[str, ...] | None = None
    lock: str | None = None
    python: str | None = None
    version: str | None = None
    extend: bool = False


class AdapterFile(Strict):
    """adapter.toml beside experiment.py, which says what the v1 form does not. All of it is optional."""

    primary: str = OPEN  # the number that runs are compared by
    metrics: dict[str, MetricHint] = {}  # by a number's name, with or without the data set that it ends in
    environment: AdapterEnvironment | None = None
    out_dir: Literal["relative", "absolute"] = "relative"
    limits: Limits = Field(
        default=Limits(wall_s=7200.0, memory_mb=16384, disk_mb=4096, files=5000, file_mb=2048, output_mb=64)
    )


@dataclass(frozen=True)
class Folder:
    """One v1 folder."""

    path: Path
    said: AdapterFile  # the content of its adapter.toml

    @property
    def name(self) -> str:
        return selfreport.slug(self.path.name)

    def prompt(self) -> dict[str, str]:
        """`system` and `task_description` of prompt.json, as far as it has them.

        Raises:
            UserError: prompt.json is no JSON object.
        """
        path = self.path / "prompt.json"
        try:
            value = json_given(path)
        except FileNotFoundError:
            return {}
        if not isinstance(value, dict):
            raise UserError(f"{path}: an object with system and task_description was expected; correct the file")
        return {key: value[key] for key in ("system", "task_description") if isinstance(value.get(key), str)}

    def assets(self) -> list[str]:
        """Names of the other plain files beside the script; runs, hidden files, latex/ and data are left out.

        Raises:
            UserError: one is a link, or they are too many or too large to be committed with every session.
        """
        names, size, shown = [], 0, data_beside(self.path)
        for root, folders, files in os.walk(self.path):
            here, top = Path(root), Path(root) == self.path
            folders[:] = sorted(f for f in folders if not left_out(f, top=top) and not (top and f in shown))
            for file in sorted(files):
                path = here / file
                name = path.relative_to(self.path).as_posix()
                if name in NO_ASSETS or file.startswith(".") or file.endswith(".pyc") or not path.is_file():
                    continue
                if path.is_symlink() or not is_plain(name):
                    raise UserError(f"{path}: a link or an odd name; put a copy there, so that it can be taken along")
                names.append(name)
                size += path.stat().st_size
        if len(names) > MAX_ASSETS[0] or size > MAX_ASSETS[1]:
            raise UserError(
                f"{self.path}: {len(names)} files of {size >> 20} MB lie beside experiment.py; at most "
                f"{MAX_ASSETS[0]} files and {MAX_ASSETS[1] >> 20} MB are taken along: put data into a folder of their "
                "own there, without code, or into ../../data"
            )
        return names

    def data(self) -> dict[str, Path]:
        """The data folders: by NAME those that the script reads as ../../NAME, as far as they are found, and by
        beside/NAME the large ones beside the script.

        Raises:
            UserError: one is a link or holds one, which may lead to files that a sandbox must not see.
        """
        found = {}
        for file in [self.path / "experiment.py", *(self.path / n for n in self.assets() if n.endswith(".py"))]:
            for name in upward(file):
                levels = (self.path.parent.parent, self.path.parent, self.path.parent.parent.parent, self.path)
                place = next((level / name for level in levels if (level / name).is_dir()), None)
                if place is not None and name not in {*RESERVED, BESIDE}:
                    found[name] = place.parent.resolve() / name
        for place in found.values():
            check_plain(place)
        return found | {f"{BESIDE}/{name}": place for name, place in data_beside(self.path).items()}

    def state(self) -> str:
        """A hash of everything that decides which numbers the script reports."""
        said = self.said.model_dump_json(include={"environment", "out_dir", "limits"})
        digest = hashlib.sha256(f"{self.path}\0{self.data()}\0{said}\0".encode())
        for name in ("experiment.py", *self.assets()):
            digest.update(f"{name}\0".encode() + (self.path / name).read_bytes() + b"\0")
        for place in self.data().values():
            digest.update(repr(files_state(place)).encode())
        return digest.hexdigest()

    def run_0(self) -> selfreport.Reported | None:
        """The numbers of the folder's own run_0; None if it has none.

        Raises:
            UserError: it has one that cannot be read.
        """
        path = self.path / "run_0" / "final_info.json"
        try:
            report = foreign.read(self.path.resolve(), "run_0/final_info.json")
            return selfreport.final_info(harvest.parse_json(report, finite=False))
        except foreign.Missing:
            return None
        except (foreign.Foreign, harvest.Unharvestable) as problem:
            raise UserError(f"{path}: {problem}; remove the folder run_0 and it is made again") from None


def is_v1(folder: Path) -> bool:
    """Whether a folder has the v1 form: experiment.py, no manifest, and at least one other file of the form."""
    return (
        (folder / "experiment.py").is_file()
        and not (folder / "manifest.toml").exists()
        and any((folder / name).is_file() for name in ("plot.py", "prompt.json", *IDEAS))
    )


def look(folder: Path) -> Folder:
    """Read a v1 folder.

    Raises:
        UserError: adapter.toml is malformed, or plot.py is missing.
    """
    if not (folder / "plot.py").is_file():
        raise UserError(f"{folder}: has experiment.py but no plot.py; add one that draws from run_*/final_info.json")
    path = folder / ADAPTER
    try:
        return Folder(folder, AdapterFile.model_validate(_tuples(toml_given(read_given(path), str(path)))))
    except FileNotFoundError:
        return Folder(folder, AdapterFile())
    except ValidationError as error:
        raise UserError(f"{path}: {first_fault(error)}") from None


def ideas(folder: Path) -> tuple[list[Idea], list[str]]:
    """The ideas in a template's folder, and a line for each entry that is no idea.

    Of two ideas with the same name, the one of ideas.json is taken.
    """
    read = [readable_ideas(folder / name) for name in IDEAS if (folder / name).is_file()]
    found: dict[str, Idea] = {}
    for idea in (idea for some, _ in read for idea in some):
        found.setdefault(idea.Name, idea)
    return list(found.values()), [line for _, lines in read for line in lines]


def _tuples(value: object) -> object:
    """The value with tuples in place of lists, because TOML has arrays only and strict models want tuples."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
