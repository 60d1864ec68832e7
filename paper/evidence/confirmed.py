"""The expressions that print the confirmation: numbers and words of its one paired test.

`confirmation` and `confirmed_verdict` print a true text also where there is no confirmation or where it has no result;
the others raise FactError then. The docstring of each function in FUNCTIONS is its line in the writer's prompt.
"""

from __future__ import annotations

from dataclasses import replace

from paper.evidence.confirmation import Confirmation
from paper.evidence.facts import FactError, Facts, Series
from paper.evidence.numbers import count_text, fixed
from paper.evidence.prices import price
from paper.evidence.series import ALPHA
from paper.evidence.vocabulary import CONFIRMATION, SELF_REPORTED, Kind, Result

_VERDICT = {
    "improvement": "the improvement is confirmed",
    "worse": "no improvement is confirmed, and the run is worse than its baseline",
    "inconclusive": "no improvement is confirmed, and the result is inconclusive",
}


def _confirmed(facts: Facts, text: str, arms: tuple[Series, ...], kind: Kind) -> Result:
    marked = not facts.manifest.measured
    return Result(
        text=text + (SELF_REPORTED if marked and kind == "result" else ""),
        kind=kind,
        runs=tuple(dict.fromkeys(a.run.name for a in arms)),
        metric=arms[0].metric,
        seeds=arms[0].seeds,
        self_reported=marked,
        confirmed=True,
    )


def _arms(found: Confirmation) -> tuple[Series, Series]:
    return found.ours, found.baseline


def confirmation(facts: Facts) -> Result:
    """the outcome of the confirmation as a whole sentence without its full stop, true also where none was made or none
    has a result: write it alone, {{ confirmation() }}."""
    try:
        found = facts.confirmation
    except FactError as error:
        return _without(facts, str(error))
    values = " against ".join(_value(facts, found, arm) for arm in _arms(found))
    seeds = count_text(found.n) + ("" if found.n == found.planned else f" of {count_text(found.planned)}")
    one, other = (arm.run.label for arm in _arms(found))
    text = (
        f"on {fresh(found, f'{seeds} fresh seeds')}, {one} ({chosen(found)}) {relation(facts, found)} "
        f"{other} in {measure(facts, found)} ({values}, difference {_diff(facts, found)}, "
        f"{_ci(facts, found)}, paired t-test, {p_text(found.p)}): {verdict(facts, found, values=True)}"
    )
    return replace(_confirmed(facts, text, _arms(found), "words"), see=CONFIRMATION)


def confirmed_verdict(facts: Facts) -> Result:
    """the same as a clause without numbers, e.g. "the improvement is confirmed"; true in every case"""
    try:
        found = facts.confirmation
    except FactError as error:
        return _without(facts, str(error).partition("; ")[0].partition(", because")[0])
    return _confirmed(facts, verdict(facts, found), _arms(found), "words")


def confirmed(facts: Facts) -> Result:
    """between the confirmed run and its baseline: "improves on", "is worse than", "does not differ significantly
    from" or, where a guard is broken, "is, at the price of ..., ahead of", by the test on fresh seeds"""
    found = facts.confirmation
    return _confirmed(facts, relation(facts, found), _arms(found), "words")


def confirmed_run(facts: Facts) -> Result:
    """the label of the run that was confirmed"""
    found = facts.confirmation
    return _confirmed(facts, found.ours.run.label, (found.ours,), "name")


def confirmed_value(facts: Facts, which: str) -> Result:
    """mean of "ours" or "baseline" over the fresh seeds with its standard error, in the primary metric"""
    found = facts.confirmation
    arms = {"ours": found.ours, "baseline": found.baseline}
    if which not in arms:
        raise FactError(f'confirmed_value("{which}") is not known; there are "ours" and "baseline"')
    return _confirmed(facts, _value(facts, found, arms[which]), (arms[which],), "result")


def confirmed_diff(facts: Facts) -> Result:
    """the confirmed run minus its baseline on the fresh seeds, with the error of the difference"""
    found = facts.confirmation
    return _confirmed(facts, _diff(facts, found), _arms(found), "result")


def confirmed_ci(facts: Facts) -> Result:
    """confidence interval of that difference, e.g. "95% CI +0.11 to +0.16" """
    found = facts.confirmation
    return _confirmed(facts, _ci(facts, found), _arms(found), "result")


def confirmed_p(facts: Facts) -> Result:
    """its paired two-sided t-test, e.g. "p = 0.0004" """
    found = facts.confirmation
    return _confirmed(facts, p_text(found.p), _arms(found), "result")


def confirmed_n(facts: Facts) -> Result:
    """how many fresh seeds were compared, in words"""
    found = facts.confirmation
    return _confirmed(facts, count_text(found.n), _arms(found), "count")


# ---------------------------------------------------------------- wording, also for the appendix


def fresh(found: Confirmation, seeds: str = "fresh seeds") -> str:
    """The fresh seeds of the two arms and, if they are new as well, the worlds (data sets) that they were trained
    in."""
    if found.fresh_worlds > 1:
        return f"{seeds} in {count_text(found.fresh_worlds)} fresh worlds"
    return f"{seeds} and in a fresh world" if found.fresh_worlds else seeds


def chosen(found: Confirmation) -> str:
    """Among how many runs the confirmed one was chosen: the best of many owes more to luck, so the paper says it."""
    return "the only run tried" if found.tried == 1 else f"the best of {count_text(found.tried)} runs tried"


def relation(facts: Facts, found: Confirmation) -> str:
    """The verb between the names of the confirmed run and of its baseline, e.g. "improves on"."""
    return {
        "improvement": "improves on",
        "price": f"is, at the price of {price(facts, found.broken)}, ahead of",
        "worse": "is worse than",
        "inconclusive": "does not differ significantly from",
    }[found.verdict]


def verdict(facts: Facts, found: Confirmation, values: bool = False) -> str:
    """The verdict as a clause. With `values`, the metrics of broken guards are printed with their values."""
    if found.verdict != "price":
        return _VERDICT[found.verdict]
    paid = price(facts, found.broken, values)
    return f"the run is ahead in {measure(facts, found)} at the price of {paid}, so no improvement is confirmed"


def measure(facts: Facts, found: Confirmation) -> str:
    """What was compared, e.g. "F1"; for a metric with a target, the distance from it."""
    label = facts.spec(found.metric).label
    return f"the distance of {label} from its target" if found.distance else label


def p_text(p: float) -> str:
    """p with two to four decimals: more for a small p, and where it is so near to 0.05 that rounding would hide the
    side. Below 0.0001 it prints "p < 0.0001"."""
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {fixed(p, 2 if p >= 0.1 else 3 if p >= 0.01 and abs(p - ALPHA) > 0.001 else 4)}"


def _value(facts: Facts, found: Confirmation, arm: Series) -> str:
    return arm.quantity(facts.unit(found.metric)).text()


def _diff(facts: Facts, found: Confirmation) -> str:
    return found.gap.quantity(facts.unit(found.metric)).text()


def _ci(facts: Facts, found: Confirmation) -> str:
    return f"95% CI {found.gap.interval_text(facts.unit(found.metric))}"


def _without(facts: Facts, text: str) -> Result:
    """The text for a confirmation without a result; it is read from the records of the arms, if there are any."""
    return Result(
        text=text,
        kind="words",
        runs=tuple(dict.fromkeys(r.name for r in facts.confirmations)),
        metric=facts.manifest.primary,
        confirmed=True,
    )


FUNCTIONS = (
    confirmation,
    confirmed_verdict,
    confirmed,
    confirmed_run,
    confirmed_value,
    confirmed_diff,
    confirmed_ci,
    confirmed_p,
    confirmed_n,
)
