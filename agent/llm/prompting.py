"""Renders prompts, which are Jinja files in agent/llm/prompts. A missing variable is an error."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent / "prompts"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,
    )
    environment.filters["fenced"] = fenced
    return environment


def render(name: str, **values: Any) -> str:
    """The prompt `name` (without .md.j2) filled with values."""
    return _environment().get_template(f"{name}.md.j2").render(**values).strip() + "\n"


def fenced(text: str) -> str:
    """Text that is not trusted, in a code fence that it cannot close, so that it is not taken for the prompt itself."""
    longest = max((len(run) for run in _backtick_runs(text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def _backtick_runs(text: str) -> list[str]:
    runs, run = [], ""
    for char in text:
        run = run + char if char == "`" else ""
        if run:
            runs.append(run)
    return runs
