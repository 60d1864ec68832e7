"""Chooses the cases of a suite's sweep: all if SUITE_ALL is set, else a sample that the seed SUITE_SEED decides."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from random import Random
from typing import TypeVar

SEED, ALL = "SUITE_SEED", "SUITE_ALL"
Case = TypeVar("Case")


def fresh() -> str:
    """A seed that is another each day, so that in time all cases are tried."""
    return date.today().strftime("%Y%m%d")


def seed() -> int:
    return int(os.environ.get(SEED) or fresh())


def everything() -> bool:
    return bool(os.environ.get(ALL))


def sample(cases: Sequence[Case], most: int, sweep: str) -> list[Case]:
    """At most `most` of the cases, in their order. The sample depends on the seed and the sweep's name."""
    if everything() or len(cases) <= most:
        return list(cases)
    return [cases[place] for place in sorted(Random(f"{seed()} {sweep}").sample(range(len(cases)), most))]


def said() -> str:
    """A line that says how to try the same cases again."""
    if everything():
        return f"suites: every case was tried ({ALL}); seed of what is drawn: {SEED}={seed()}"
    return f"suites: a sample was tried; the same again: {SEED}={seed()} make suites; every case: make suites-all"
