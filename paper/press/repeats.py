"""The spread that a self-reporting script gives for its means: the values behind a mean, or a standard error of its
own.

A self-reporting script measures itself, and each run is one execution of it, so that there are no seeds to take an
error from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from agent.core.record import Statistic, Training
from paper.evidence.facts import Facts, Series
from paper.evidence.numbers import Quantity, fixed
from paper.evidence.series import standard_error


def told(series: Series) -> Quantity:
    """A mean with its standard error over seeds; for a single execution, with the error that the script gives."""
    quantity = series.quantity()
    found = [t.statistics.get(series.metric) for t in series.run.trainings if t.condition == series.condition]
    if quantity.se is not None or len(found) != 1 or found[0] is None:
        return quantity
    return replace(quantity, se=error_of(found[0]))


def error_of(statistic: Statistic) -> float | None:
    """The standard error (ddof = 1) of two or more listed values; else the script's own error, or None without one."""
    return standard_error(statistic.values) if len(statistic.values) > 1 else statistic.stderr


def executed_once(facts: Facts) -> str:
    """A sentence for the caption of a table of means in which each run is one execution of a script."""
    found = list(_statistics(facts))
    if any(len(one.values) > 1 for one in found):
        error = " Errors are standard errors (ddof = 1) over the values that the script lists behind a mean."
    else:
        error = " Errors are the script's own." if found else ""
    return f"One execution of the script each.{error}"


def in_rows(facts: Facts) -> str:
    """A sentence for the caption of the table of values, if it has numbered rows; it begins with a blank."""
    if not any(one.values for one in _statistics(facts)):
        return ""
    return " Numbered rows are the values that the script lists behind a mean, such as those of its own seeds."


def behind(training: Training, metrics: Sequence[str]) -> list[list[str]]:
    """The values behind the means that an experiment reported, as rows with a cell for each metric."""
    listed = [training.statistics[m].values if m in training.statistics else () for m in metrics]
    count = max(map(len, listed), default=0)
    return [[fixed(some[i], 4) if i < len(some) else "" for some in listed] for i in range(count)]


def _statistics(facts: Facts) -> Iterator[Statistic]:
    for record in facts.measured:
        for training in record.trainings:
            yield from (one for name, one in training.statistics.items() if name in facts.manifest.metrics)
