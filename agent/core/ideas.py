"""Reads ideas from JSON files. A file holds one idea or a list of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints, ValidationError, model_validator

from agent.core.errors import UserError
from agent.core.given import json_given
from agent.core.nearest import did_you_mean
from agent.core.schema import Open, first_fault


def read_ideas(path: Path) -> list[Idea]:
    """All ideas of one file. Where two ideas have one Name, the later one is called NAME_2, NAME_3, and so on.

    Raises:
        UserError: not JSON, or not an idea; names file, field and remedy.
    """
    ideas, complaints = readable_ideas(path)
    if complaints:
        raise UserError(complaints[0])
    return ideas


def readable_ideas(path: Path) -> tuple[list[Idea], list[str]]:
    """The ideas of one file, and one line for each entry that is not an idea, or for a file that cannot be read."""
    try:
        data = json_given(path)
    except FileNotFoundError:
        return [], [f"{path}: no such file; see --list for the ideas there are"]
    except UserError as error:
        return [], [str(error)]
    items = data if isinstance(data, list) else [data]
    if not items:
        return [], [f"{path}: holds an empty list; add an idea with Name, Title and Experiment"]
    ideas: list[Idea] = []
    complaints = []
    for i, item in enumerate(items):
        try:
            idea = _read(path, item, f"[{i}]" if isinstance(data, list) else "")
        except UserError as error:
            complaints.append(str(error))
        else:
            ideas.append(_named_apart(idea, {other.Name for other in ideas}))
    return ideas, complaints


def _named_apart(idea: Idea, taken: set[str]) -> Idea:
    """The idea under its own name, or, if that is taken, under NAME_2, NAME_3, ..."""
    if idea.Name not in taken:
        return idea
    names = (f"{idea.Name[:60]}_{number}" for number in range(2, len(taken) + 3))
    return idea.model_copy(update={"Name": next(name for name in names if name not in taken)})


def find_idea(wanted: str, *folders: Path) -> Idea:
    """The idea of a Name in the first of these folders that has it, or by a path (PATH or PATH:NAME).

    Raises:
        UserError: not found, or ambiguous.
    """
    path, _, name = wanted.partition(":")
    if "/" in path or path.endswith(".json"):
        ideas, complaints = readable_ideas(Path(path))
        wanted_here = [idea for idea in ideas if name in ("", idea.Name)]
        if len(wanted_here) == 1 and (name or not complaints):
            return wanted_here[0]
        if complaints:
            raise UserError(complaints[0])
        names = [idea.Name for idea in ideas]
        meant = did_you_mean(name, names) if name else ""
        raise UserError(f"{path}: holds {', '.join(names)}{meant or f'; name one: --idea {path}:NAME'}")
    ideas, complaints = all_ideas(*folders)
    for idea in ideas:
        if idea.Name == wanted:
            return idea
    names, folder = [idea.Name for idea in ideas], folders[-1]
    if meant := did_you_mean(wanted, names):
        raise UserError(f"idea {wanted!r}: not found in {folder}{meant}")
    if complaints:
        raise UserError(f"idea {wanted!r}: not found; {complaints[0]}")
    there = ", ".join(names) or "none"
    raise UserError(f"idea {wanted!r}: not found in {folder} (there are: {there}); or give a path to a JSON file")


def all_ideas(*folders: Path) -> tuple[list[Idea], list[str]]:
    """Every readable idea of these folders, and one line for each entry or file that cannot be read.

    If two folders have an idea of one name, the first folder's is returned.
    """
    ideas: list[Idea] = []
    complaints: list[str] = []
    for folder in folders:
        found = [readable_ideas(file) for file in sorted(folder.glob("*.json"))]
        earlier = {idea.Name for idea in ideas}
        ideas += [idea for more, _ in found for idea in more if idea.Name not in earlier]
        complaints += [line for _, lines in found for line in lines]
    return ideas, complaints


def _read(path: Path, item: object, where: str) -> Idea:
    if not isinstance(item, dict):
        raise UserError(f"{path}{where}: an idea is a JSON object, found {type(item).__name__}")
    try:
        return Idea.model_validate(item)
    except ValidationError as error:
        raise UserError(f"{path}{where}: {_wrong(error.errors()[0], item) or first_fault(error)}") from None


def _wrong(first: Mapping[str, Any], item: dict[str, Any]) -> str:
    """The two mistakes that are made most often, in words; "" for another."""
    key = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "missing":
        near = next((one for one in item if one.lower() == key.lower()), "")
        return f"{key} is missing; " + (f"write {near} as {key}" if near else "add it")
    if first["type"] == "string_pattern_mismatch" and key == "Name":
        return f"Name {first['input']!r}: give a letter or digit, then up to 63 letters, digits, _ or -"
    return ""


class Idea(Open):
    """A research idea. The keys are those of the field's idea files; unknown ones are kept.

    AI-Scientist-v2 calls the experiment `Experiments` and writes it as a list; it becomes the text of `Experiment`.
    """

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

    @model_validator(mode="before")
    @classmethod
    def _one_experiment(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        key = "Experiment" if "Experiment" in data else "Experiments"
        text = _text(data.get(key))
        return {k: v for k, v in data.items() if k != key} | {"Experiment": text} if text else data

    def details(self) -> dict[str, Any]:
        """The further keys that have text, in file order, for a model to read. Scores have no text."""
        data = self.model_dump(exclude_none=True)
        hidden = {"Name", "Title", "Experiment", "novel"}
        return {key: text for key, value in data.items() if key not in hidden and (text := _text(value))}


def _text(value: object) -> str:
    """The text in a value: lists become numbered lines, objects "key: text" pairs; "" for numbers and other values."""
    if isinstance(value, str):
        return value if value.strip() else ""
    if isinstance(value, list):
        return "\n".join(f"{i}. {text}" for i, item in enumerate(value, start=1) if (text := _text(item)))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {text}" for key, item in value.items() if (text := _text(item)))
    return ""
