"""The data behind every expression: run records, looked up by run, metric and condition. Pure.

Every lookup that fails raises FactError with a message for the writer. Not here: the wording of results (vocabulary.py)
and the digits of numbers (numbers.py).
"""

from __future__ import annotations

import hashlib
import re
import statistics
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal

from agent.core.manifest import Manifest, Setting
from agent.core.metrics import MetricSpec
from agent.core.record import RunRecord
from paper.evidence.confirmation import BASELINE, OURS, Confirmation, confirm, why_none
from paper.evidence.guards import BrokenGuard, broken_guards
from paper.evidence.numbers import setting_text
from paper.evidence.series import Difference, FactError, Series, difference_of, series_of

__all__ = ["BrokenGuard", "Difference", "FactError", "Facts", "Series", "difference_of", "record_sha256"]


class Facts:
    """Everything that a paper may state about a session: its records, read by the template's manifest and a profile."""

    def __init__(self, records: Sequence[RunRecord], manifest: Manifest, profile: str) -> None:
        self.records = tuple(records)
        self.manifest = manifest
        self.profile = profile

    # ---------------------------------------------------------------- runs

    @cached_property
    def explored(self) -> tuple[RunRecord, ...]:
        """Baselines and experiments. The runs of the confirmation are kept apart (`confirmations`)."""
        return tuple(r for r in self.records if r.kind != "confirmation")

    @cached_property
    def baselines(self) -> tuple[RunRecord, ...]:
        return tuple(r for r in self.explored if r.kind == "baseline")

    @cached_property
    def experiments(self) -> tuple[RunRecord, ...]:
        return tuple(r for r in self.explored if r.kind == "experiment")

    @cached_property
    def measured(self) -> tuple[RunRecord, ...]:
        return tuple(r for r in self.explored if r.status == "measured")

    @cached_property
    def confirmations(self) -> tuple[RunRecord, ...]:
        """The runs of the confirmation, also where they failed."""
        return tuple(r for r in self.records if r.kind == "confirmation")

    @cached_property
    def confirmation(self) -> Confirmation:
        """The one confirmatory comparison: the best run against the planned baseline, trained again on fresh seeds.

        Raises:
            FactError: there is none; the message says why.
        """
        metric = self.manifest.primary
        if reason := self._why_unconfirmed:
            raise FactError(reason)

        def distance(value: float, condition: str) -> float:
            return -self.merit(metric, value, condition)

        arms = {r.run: r for r in self.confirmations}
        broken = self._broken(arms[OURS], arms[BASELINE], None)
        return confirm(self.confirmations, self.explored, metric, self.spec(metric).better, distance, broken)

    @cached_property
    def confirmed(self) -> Confirmation | None:
        """The confirmation, or None where it has no result."""
        return None if self._why_unconfirmed else self.confirmation

    @property
    def _why_unconfirmed(self) -> str:
        unbeaten = self.unbeaten
        return why_none(self.confirmations, self.manifest.primary, unbeaten.label if unbeaten else "")

    @property
    def unbeaten(self) -> RunRecord | None:
        """The strongest baseline, where experiments were measured and none is ahead of it in the primary metric."""
        tried = [r for r in self.experiments if r.status == "measured"]
        if not tried or not any(r.status == "measured" for r in self.baselines):
            return None
        baseline = self.record("baseline")
        return baseline if self.best_of([baseline, *tried]) is baseline else None

    def record(self, name: str) -> RunRecord:
        """The explored run of this name. "best", "ours" and "baseline" name the best measured run of all, of the
        experiments and of the baselines.

        Raises:
            FactError: no run has this name, or no run of that kind was measured.
        """
        for record in self.explored:
            if record.name == name:
                return record
        pools: dict[str, Iterable[RunRecord]] = {
            "best": self.measured,
            "ours": [r for r in self.experiments if r.status == "measured"],
            "baseline": [r for r in self.baselines if r.status == "measured"],
        }
        if name in pools:
            return self.best_of(pools[name], name)
        raise FactError(f'no run is called "{name}"; the runs are {_quoted(r.name for r in self.explored)}')

    def best_of(self, records: Iterable[RunRecord], what: str = "best") -> RunRecord:
        """The best of measured runs by the primary metric, averaged over conditions; the earlier run wins a tie.

        Raises:
            FactError: there are no records; the message calls them `what`.
        """
        scored = [(self.explored_merit(r), r) for r in records]
        if not scored:
            raise FactError(f'"{what}" names no run: none of that kind has a measured result')
        return max(scored, key=lambda pair: pair[0])[1]

    @property
    def described(self) -> RunRecord:
        """The run that the paper describes: the best experiment, even if a baseline is better; where no experiment was
        measured, the best baseline."""
        return self.best_of([r for r in self.measured if r.kind == "experiment"] or self.measured)

    def explored_merit(self, record: RunRecord) -> float:
        """How good a measured run is: the merit (larger is better) of the primary metric's mean over seeds, averaged
        over the conditions, each with its own target."""
        metric = self.manifest.primary
        means = {c: self.series(record.name, metric, c).mean for c in self.condition_names(record)}
        return statistics.fmean(self.merit(metric, mean, c) for c, mean in means.items())

    # ---------------------------------------------------------------- metrics

    @property
    def trials(self) -> dict[str, int]:
        """How many settings were tried when each baseline was tuned, by its label; empty where the template does not
        say."""
        known = self.manifest.profiles[self.profile].trials
        return {r.label: known.get(r.name, 0) for r in self.baselines} if known else {}

    def spec(self, metric: str) -> MetricSpec:
        if metric not in self.manifest.metrics:
            raise FactError(f'no metric is called "{metric}"; the metrics are {_quoted(self.manifest.metrics)}')
        return self.manifest.metrics[metric]

    def target(self, metric: str, condition: str | None = None) -> float | None:
        """The value at which a metric is to be held; None where it has no target, or where the conditions have
        different ones and none is named."""
        self.spec(metric)
        profile = self.manifest.profiles[self.profile]
        conditions = [c for c in profile.conditions if condition in (None, c.name)]
        return self.manifest.aim(metric, profile.settings, conditions)

    def merit(self, metric: str, value: float, condition: str) -> float:
        """A metric's value turned so that larger is better, whatever the metric's direction.

        Raises:
            FactError: the metric has a target, but none under this condition.
        """
        spec, aim = self.spec(metric), self.target(metric, condition)
        if spec.better == "target" and aim is None:
            raise FactError(f'metric "{metric}" has no target under condition "{condition}"')
        return spec.merit(value, aim)

    def better(self, metric: str) -> str:
        """ "higher", "lower", "target 8" or, where conditions differ in it, "target" """
        aim = self.target(metric)
        return self.spec(metric).better + ("" if aim is None else f" {setting_text(aim)}")

    def direction(self, metric: str) -> str:
        """ "higher is better", "target 8" or, where conditions differ in it, "target of each condition" """
        if self.spec(metric).better != "target":
            return f"{self.better(metric)} is better"
        return f"{self.better(metric)}{' of each condition' if self.target(metric) is None else ''}"

    def unit(self, metric: str) -> str:
        """A metric's unit as it stands behind a number: after a space, but for "%"."""
        unit = self.spec(metric).unit
        return unit if unit in ("", "%") else f" {unit}"

    def condition_names(self, record: RunRecord | None = None) -> tuple[str, ...]:
        """The conditions of a run; without one, those of the first run, or of the profile before any run."""
        source = record or (self.explored[0] if self.explored else None)
        if source is not None:
            return tuple(c.name for c in source.conditions)
        return tuple(c.name for c in self.manifest.profiles[self.profile].conditions)

    def condition_label(self, name: str) -> str:
        for record in self.explored:
            for condition in record.conditions:
                if condition.name == name:
                    return condition.label
        return name

    def condition(self, record: RunRecord, name: str | None) -> str:
        """The condition that a writer means; None means the only one.

        Raises:
            FactError: the run has no condition of this name, or several and none is named.
        """
        names = self.condition_names(record)
        if name is None:
            if len(names) == 1:
                return names[0]
            raise FactError(f"there are several conditions; add condition=... with one of {_quoted(names)}")
        if name not in names:
            raise FactError(f'no condition is called "{name}"; the conditions are {_quoted(names)}')
        return name

    def series(self, run: str, metric: str, condition: str | None = None) -> Series:
        """Measured values of a metric, one for each seed.

        Raises:
            FactError: unknown run, metric or condition, or a run without a measured result.
        """
        self.spec(metric)
        return self._collect(run, metric, condition, "metrics")

    def diagnostic(self, run: str, name: str, condition: str | None = None) -> Series:
        """Values that the experiment reported about itself; every text that prints them must mark them so."""
        return self._collect(run, name, condition, "diagnostics")

    def _collect(self, run: str, key: str, condition: str | None, field: Literal["metrics", "diagnostics"]) -> Series:
        record = self._with_result(run)
        name = self.condition(record, condition)
        series = series_of(record, key, name, field)
        if series is None:
            known = sorted({k for t in record.trainings if t.condition == name for k in getattr(t, field)})
            raise FactError(
                f'run "{record.name}" has no {field[:-1]} "{key}"'
                + (f"; it has {_quoted(known)}" if known else "; it has none")
            )
        return series

    def _with_result(self, run: str) -> RunRecord:
        record = self.record(run)
        if record.status != "measured":
            raise FactError(
                f'run "{record.name}" has no result (it {_ended(record)}); state that it failed, without a number'
            )
        return record

    def difference(self, a: str, b: str, metric: str, condition: str | None = None) -> Difference:
        """Run a minus run b in one metric, with standard error and exploratory 95% interval.

        The interval is that of the paired t-test where both runs have the same three or more seeds, and Welch's
        otherwise. With a single seed on either side there is no interval.

        Raises:
            FactError: unknown run, metric or condition, a run without a result, or a run compared with itself.
        """
        one, two = self.series(a, metric, condition), self.series(b, metric, condition)
        if one.run.run == two.run.run:
            raise FactError(f'a comparison of run "{one.run.name}" with itself')
        if one.condition != two.condition:
            raise FactError(f'runs "{a}" and "{b}" share no condition')
        return difference_of(one, two)

    def broken_guards(self, a: str, b: str, condition: str | None = None) -> tuple[BrokenGuard, ...]:
        """The guards that run `a` breaks against run `b`, under one condition or (None) under any.

        A guard is a metric that the manifest does not allow to fall by more than a given amount.

        Raises:
            FactError: unknown run or condition, or a run without a measured result.
        """
        one, two = self._with_result(a), self._with_result(b)
        if condition is not None:
            self.condition(one, condition)
        return self._broken(one, two, condition)

    def _broken(self, a: RunRecord, b: RunRecord, condition: str | None) -> tuple[BrokenGuard, ...]:
        shared = [name for name in self.condition_names(a) if name in self.condition_names(b)]
        conditions = shared if condition is None else [condition]
        return broken_guards(self.manifest.guards, a, b, self.merit, conditions)

    # ---------------------------------------------------------------- settings

    def setting(self, key: str, run: str | None = None, condition: str | None = None) -> Setting:
        """A setting of one run, or the value that all explored runs share.

        Raises:
            FactError: there is no such setting or run, or runs or conditions differ in it and none is named.
        """
        records = [self.record(run)] if run else list(self.explored)
        if not records:
            raise FactError("there are no records yet")
        values = [self._settings(record, key, condition) for record in records]
        if key not in values[0]:
            raise FactError(f'no setting is called "{key}"; the settings are {_quoted(values[0])}')
        if any(v.get(key) != values[0][key] for v in values):
            raise FactError(f'setting "{key}" differs between runs; name the run: config("{key}", run="...")')
        return values[0][key]

    def _settings(self, record: RunRecord, key: str, condition: str | None) -> dict[str, Setting]:
        merged = dict(record.settings)
        if condition is None and len(record.conditions) > 1:
            varied = {k for c in record.conditions for k in c.settings}
            if key in varied:
                names = _quoted(c.name for c in record.conditions)
                raise FactError(f'setting "{key}" differs between conditions; add condition=... with one of {names}')
            return merged
        name = self.condition(record, condition)
        return merged | dict(next(c for c in record.conditions if c.name == name).settings)


def machines(records: Iterable[RunRecord]) -> str:
    """The hardware of these runs in a reader's words, e.g. "Intel Xeon Processor, 2 cores (cpu)"."""
    found = []
    for device in dict.fromkeys(r.device for r in records if r.device):
        kind, _, name = re.sub(r"\((R|TM|tm)\)", "", device).partition(": ")
        found.append(f"{name} ({kind})" if name else kind)
    return "; ".join(found)


def record_sha256(record: RunRecord) -> str:
    """The hash that the provenance table prints: over the record's canonical JSON."""
    return hashlib.sha256(record.model_dump_json().encode()).hexdigest()


def _ended(record: RunRecord) -> str:
    return "was refused by the integrity gate" if record.status == "refused" else "failed"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names) or "none"
