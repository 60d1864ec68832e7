"""A named check: a stable code, a grade, and a pure function that yields a text for each thing it finds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.core.manifest import Manifest
from agent.core.record import Finding, Grade, RunRecord


@dataclass(frozen=True)
class Check:
    """Calling it with the evidence yields a finding for each text that its function yields."""

    code: str
    grade: Grade
    look: Callable[..., Iterator[str]]

    def __call__(self, *evidence: object) -> Iterator[Finding]:
        for text in self.look(*evidence):
            yield Finding(code=self.code, grade=self.grade, text=text)

    @property
    def about(self) -> str:
        """What it catches and what it does not: the function's docstring on one line."""
        return " ".join((inspect.getdoc(self.look) or "").split())


def is_control(record: RunRecord, manifest: Manifest) -> bool:
    """Whether this is a baseline that the manifest calls a control, or the confirmation's repetition of one.

    A control does not learn on purpose, so that it may be no better than chance and the same for every seed.
    """
    of_baseline = record.kind == "baseline" or record.run == "confirm.baseline"
    return of_baseline and any(b.control and b.name == record.name for b in manifest.baselines)


def named(code: str, grade: Grade) -> Callable[[Callable[..., Iterator[str]]], Check]:
    """A decorator that makes a Check of a function; the function's docstring is printed in the manual."""
    return lambda look: Check(code, grade, look)
