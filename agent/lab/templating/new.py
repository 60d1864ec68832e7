"""--new-template: makes a new template, from the skeleton or from a repository, and says what to edit next."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from agent.core.errors import UserError
from agent.core.program import TYPED, short
from agent.lab.templating.owned import mark_own

SKELETON = Path(__file__).with_name("skeleton")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NEXT = """\
{folder} works as it is. Try it, then make it yours, in this order:
  {typed} --check-template {shown}       two minutes at most; says what would make a result unbelievable
  {folder}/manifest.toml    question, about, metrics with their direction and range, settings, limits, seeds
  {folder}/prepare.py       your data: what may be trained on, and what is held out
  {folder}/evaluate.py      your metrics
  {folder}/experiment.py    the code that a model starts from; baselines/ holds what it is compared with
  {folder}/plot.py, test_template.py
Then: {typed} --idea YOUR_IDEA --template {shown} --model MODEL
      (without a key: --playback FOLDER with answers of your own, docs/python.md)
docs/templates.md goes through it all."""


REPOSITORY_NEXT = """\
{folder} is made. Next:
  {typed} --check-template {shown}       trains it a few times; says what is missing
  {folder}/manifest.toml    question, about, which files are edited, metrics and their direction, limits
Then: {typed} --idea YOUR_IDEA --template {shown} --model MODEL
      (without a key: --playback FOLDER with answers of your own, docs/python.md)
docs/from-a-repository.md says how seeds and data reach the code, and how its numbers become measured."""


def new_template(name: str, home: Path) -> str:
    """Make a template from the skeleton; returns text that says what to do next.

    `name` is the name of a folder to make below home/templates, or the path of one elsewhere.

    Raises:
        UserError: the name cannot be used, or something is there already.
    """

    def make(folder: Path) -> None:
        shutil.copytree(SKELETON, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for file in (folder / "manifest.toml", folder / "test_template.py"):
            file.write_text(file.read_text(encoding="utf-8").replace("__NAME__", folder.name), encoding="utf-8")

    return _made(name, home, make, NEXT)


def new_from(name: str, home: Path, make: Callable[[Path], None]) -> str:
    """Like `new_template`, but `make` fills the folder, from a repository.

    Raises:
        UserError: as in `new_template`, or raised by `make`.
    """
    return _made(name, home, make, REPOSITORY_NEXT)


def _made(name: str, home: Path, make: Callable[[Path], None], what_next: str) -> str:
    path = Path(name)
    folder = path if len(path.parts) > 1 else home / "templates" / name
    if not NAME.fullmatch(folder.name):
        raise UserError(
            f"--new-template {name}: {folder.name!r} is no usable name; use lower case letters, digits "
            "and _, a letter first"
        )
    if folder.exists() or folder.is_symlink():
        raise UserError(f"--new-template {name}: {folder} is there already; choose another name, or remove it first")
    try:
        make(folder)
        mark_own(folder)
    except OSError as error:
        raise UserError(f"--new-template {name}: cannot write {folder}: {error.strerror}") from None
    shown = folder.name if folder.parent == home / "templates" else str(folder)
    return what_next.format(typed=TYPED, folder=short(folder), shown=shown)
