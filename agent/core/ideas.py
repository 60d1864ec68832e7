"""Ideas on disk: one idea or a list of them in a JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints, ValidationError

from agent.core.errors import UserError
from agent.core.given import json_given
from agent.core.nearest import did_you_mean
from agent.core.schema import Open


def read_ideas(path: Path) -> list[Idea]:
    """All ideas of one file.

    Raises:
        UserError: not JSON, not an idea, or two ideas of one name; names file, field and mend.
    """
    try:
        data = json_given(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; see --list for the ideas there are") from None
    items = data if isinstance(data, list) else [data]
    if not items:
        raise UserError(f"{path}: holds an empty list; add an idea with Name, Title and Experiment")
    ideas = [_read(path, item, f"[{i}]" if isinstance(data, list) else "") for i, item in enumerate(items)]
    names = [idea.Name for idea in ideas]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: Name: {name!r} stands there twice; rename one of them")
    return ideas


def find_idea(wanted: str, folder: Path) -> Idea:
    """An idea by its Name among the files of a folder, or by a path (PATH or PATH:NAME).

    Raises:
        UserError: not found, or ambiguous.
    """
    path, _, name = wanted.partition(":")
    if "/" in path or path.endswith(".json"):
        ideas = read_ideas(Path(path))
        if name:
            ideas = [idea for idea in ideas if idea.Name == name]
        if len(ideas) == 1:
            return ideas[0]
        names = [idea.Name for idea in read_ideas(Path(path))]
        meant = did_you_mean(name, names) if name else ""
        raise UserError(f"{path}: holds {', '.join(names)}{meant or f'; name one: --idea {path}:NAME'}")
    named = [*folder.glob(f"{wanted}.json")]
    for file in named or sorted(folder.glob("*.json")):
        for idea in read_ideas(file):
            if idea.Name == wanted:
                return idea
    names = [idea.Name for idea in all_ideas(folder)[0]]
    if meant := did_you_mean(wanted, names):
        raise UserError(f"idea {wanted!r}: not found in {folder}{meant}")
    there = ", ".join(names) or "none"
    raise UserError(f"idea {wanted!r}: not found in {folder} (there are: {there}); or give a path to a JSON file")


def all_ideas(folder: Path) -> tuple[list[Idea], list[str]]:
    """Every readable idea of a folder, and one line for each file that is not."""
    ideas, complaints = [], []
    for file in sorted(folder.glob("*.json")):
        try:
            ideas.extend(read_ideas(file))
        except UserError as error:
            complaints.append(str(error))
    return ideas, complaints


def _read(path: Path, item: object, where: str) -> Idea:
    if not isinstance(item, dict):
        raise UserError(f"{path}{where}: an idea is a JSON object, found {type(item).__name__}")
    try:
        return Idea.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        mend = "add it" if first["type"] == "missing" else first["msg"]
        raise UserError(
            f"{path}{where}: {field}: {first['msg']}; {mend}" if mend == "add it" else f"{path}{where}: {field}: {mend}"
        ) from None


class Idea(Open):
    """A research idea. The keys are those of the field's idea files; unknown ones are kept."""

    Name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    Title: Annotated[str, StringConstraints(min_length=1)]
    Experiment: Annotated[str, StringConstraints(min_length=1)]
    Interestingness: float | None = None
    Feasibility: float | None = None
    Novelty: float | None = None
    novel: bool | None = None
    Technical_Details: str | None = None
    Implementation_Plan: str | None = None
    Abstract: str | None = None
    Overall_Score: float | None = None

    def details(self) -> dict[str, Any]:
        """Every key but the name that says something, in file order, scores left out of what a model reads."""
        data = self.model_dump(exclude_none=True)
        hidden = {"Name", "Title", "Experiment", "novel"}
        return {k: v for k, v in data.items() if k not in hidden and isinstance(v, str) and v.strip()}
