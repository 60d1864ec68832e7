"""What an attack is, and how its end is told. The attacks themselves are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Escape(AssertionError):
    """The attack got what it wanted, or the product did not go on as it should."""


@dataclass(frozen=True)
class Stopped:
    """`by`: the layer that held. `seen`: the evidence, as the product or the attacker met it."""

    by: str
    seen: str


@dataclass(frozen=True)
class Attack:
    """One mechanism. `run` gets the group's stage (an arena or a session) and returns, or raises Escape."""

    name: str
    run: Callable[[Any], Stopped]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    group: str
    attack: str
    by: str
    seen: str
    escaped: bool
    left: int  # processes that outlived it
    wall_s: float


def must(claim: object, text: str) -> None:
    """Like assert, but also under `python -O`."""
    if not claim:
        raise Escape(text)


def first_line(text: str, most: int = 78) -> str:
    line = next((line for line in text.splitlines() if line.strip()), "").strip()
    return line if len(line) <= most else line[: most - 3] + "..."
