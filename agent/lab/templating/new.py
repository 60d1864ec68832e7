"""--new-template: a folder that works as it is, and what to edit next."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from agent.core.errors import UserError
from agent.lab.templating.owned import mark_own

SKELETON = Path(__file__).with_name("skeleton")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NEXT = """\
{folder} works as it is. Try it, then make it yours, in this order:
  ./launch.py --check-template {shown}       two minutes at most; says what would make a result unbelievable
  {folder}/manifest.toml    question, about, metrics with their direction and range, settings, limits, seeds
  {folder}/prepare.py       your data: what may be trained on, and what is held out
  {folder}/evaluate.py      your metrics
  {folder}/experiment.py    the code that a model starts from; baselines/ holds what it is compared with
  {folder}/plot.py, test_template.py
Then: ./launch.py --idea YOUR_IDEA --template {shown} --model MODEL
docs/templates.md goes through it all."""


def new_template(name: str, home: Path) -> str:
    """Make templates/NAME, or the folder that NAME is a path to; returns what to do next.

    Raises:
        UserError: the name cannot be used, or something is there already.
    """
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
        shutil.copytree(SKELETON, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for file in (folder / "manifest.toml", folder / "test_template.py"):
            file.write_text(file.read_text(encoding="utf-8").replace("__NAME__", folder.name), encoding="utf-8")
        mark_own(folder)
    except OSError as error:
        raise UserError(f"--new-template {name}: cannot write {folder}: {error.strerror}") from None
    shown = folder.name if folder.parent == home / "templates" else str(folder)
    return NEXT.format(folder=_short(folder), shown=shown)


def _short(folder: Path) -> str:
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
