"""The groups of attacks, and the stage each plays on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.suites.hostile import artefacts, encoders, figures, foreign, limits, tex, walls, words
from tests.suites.hostile.arena import Arena
from tests.suites.hostile.attack import Attack
from tests.suites.hostile.session import Sessions
from tests.support import sampling


class Stage(Protocol):
    def honest(self) -> None:
        """Do ordinary work; raises Escape when the product no longer can."""

    def check(self) -> None:
        """Raises Escape when something outside was reached."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Group:
    name: str
    stage: Callable[[Path], Stage]
    attacks: Sequence[Attack]
    most: int | None = None  # in a sample; None: each of them is soon tried

    def sample(self) -> list[Attack]:
        """What `make suites` tries: of attacks that take seconds each only some."""
        return sampling.sample(self.attacks, self.most or len(self.attacks), f"attacks: {self.name}")


GROUPS: tuple[Group, ...] = (
    Group("limits", Arena, limits.attacks(), 5),
    Group("walls", walls.Walls, walls.attacks(), 30),
    Group("artefacts", Arena, artefacts.attacks(), 8),
    Group("encoders", Arena, encoders.attacks(), 5),
    Group("figures", Sessions, figures.attacks(), 16),
    Group("tex", tex.Papers, tex.attacks(), 12),
    Group("words", Sessions, words.attacks()),
    Group("foreign", foreign.Foreign, foreign.attacks(), 30),
)
