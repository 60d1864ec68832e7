"""The passages of the truth suite: lies that must not print and honest passages that must, both about facts.facts()."""

from __future__ import annotations

from pathlib import Path

from agent.core.schema import Strict

FOLDER = Path(__file__).parent


class Passage(Strict):
    """One to three sentences of one section, as a writer might hand them in."""

    id: str
    kind: str  # of lie, or of honest sentence
    section: str
    text: str
    why: str  # what a lie contradicts; empty for honest passages


def passages(path: Path) -> tuple[Passage, ...]:
    """The passages of one file, which holds a JSON object on each line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(Passage.model_validate_json(line) for line in lines if line.strip())


LIES = passages(FOLDER / "lies.jsonl")
HONEST = passages(FOLDER / "honest.jsonl")
