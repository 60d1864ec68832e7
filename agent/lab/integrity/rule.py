"""What a named check is: a stable code, a grade, a docstring, and a pure function that yields texts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.core.manifest import Manifest
from agent.core.record import Finding, Grade, RunRecord


@dataclass(frozen=True)
class Check:
    """Calling it yields a finding for each text its function yields."""

    code: str
    grade: Grade
    look: Callable[..., Iterator[str]]

    def __call__(self, *evidence: object) -> Iterator[Finding]:
        for text in self.look(*evidence):
            yield Finding(code=self.code, grade=self.grade, text=text)

    @property
    def about(self) -> str:
        """What it catches and what it does not."""
        return " ".join((inspect.getdoc(self.look) or "").split())


def is_control(record: RunRecord, manifest: Manifest) -> bool:
    """Is this a baseline, or the confirmation's repetition of one, that the manifest calls a control: it does not learn
    on purpose, so it may be no better than chance and the same for every seed."""
    of_baseline = record.kind == "baseline" or record.run == "confirm.baseline"
    return of_baseline and any(b.control and b.name == record.name for b in manifest.baselines)


def named(code: str, grade: Grade) -> Callable[[Callable[..., Iterator[str]]], Check]:
    """Makes a check of a function; its docstring is shown to people."""
    return lambda look: Check(code, grade, look)
