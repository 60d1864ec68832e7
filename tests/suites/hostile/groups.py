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


GROUPS: tuple[Group, ...] = (
    Group("limits", Arena, limits.attacks()),
    Group("walls", walls.Walls, walls.attacks()),
    Group("artefacts", Arena, artefacts.attacks()),
    Group("encoders", Arena, encoders.attacks()),
    Group("figures", Sessions, figures.attacks()),
    Group("tex", tex.Papers, tex.attacks()),
    Group("words", Sessions, words.attacks()),
    Group("foreign", foreign.Foreign, foreign.attacks()),
)
