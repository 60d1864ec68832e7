"""Which cases of a sweep are tried: all of them where SUITE_ALL is set, else a sample that one seed chooses."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from random import Random
from typing import TypeVar

SEED, ALL = "SUITE_SEED", "SUITE_ALL"
Case = TypeVar("Case")


def fresh() -> str:
    """Another seed each day, so that in time all cases have their turn."""
    return date.today().strftime("%Y%m%d")


def seed() -> int:
    return int(os.environ.get(SEED) or fresh())


def everything() -> bool:
    return bool(os.environ.get(ALL))


def sample(cases: Sequence[Case], most: int, sweep: str) -> list[Case]:
    """At most so many, in the order given; each sweep, by its name, draws for itself."""
    if everything() or len(cases) <= most:
        return list(cases)
    return [cases[place] for place in sorted(Random(f"{seed()} {sweep}").sample(range(len(cases)), most))]


def said() -> str:
    """How to try the same cases again."""
    if everything():
        return f"suites: every case was tried ({ALL}); seed of what is drawn: {SEED}={seed()}"
    return f"suites: a sample was tried; the same again: {SEED}={seed()} make suites; every case: make suites-all"
