"""Measured clauses: expressions that print run, metric, relation, number and interval together, from the records.

The writer names runs and metrics only; the direction ("ahead", "behind") and the numbers come from the records, so a
clause cannot contradict them. The docstring of each function is its line in the writer's prompt. Single numbers and
names are in vocabulary.py; the confirmation is in confirmed.py.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations

from agent.core.compute import measure_of, relative_compute
from paper.evidence import factors
from paper.evidence.facts import Difference, FactError, Facts
from paper.evidence.numbers import Quantity, count_text, listed, setting_text
from paper.evidence.relations import (
    Metrics,
    both_values,
    clause,
    metrics_of,
    relation_of,
    sides_of,
    stands,
    step,
    subject_of,
    unjudged,
)
from paper.evidence.series import difference_of
from paper.evidence.sweeps import curve_of, values_text
from paper.evidence.vocabulary import Result, place_text

FORMS = ("short", "full")


# ---------------------------------------------------------------- two runs


def versus(
    facts: Facts,
    a: str,
    b: str,
    metrics: Metrics,
    subject: str = "",
    form: str = "short",
    condition: str | None = None,
) -> Result:
    """run a against run b in one or several metrics, e.g. "it is ahead of Plain in F1 (+0.129) and behind in MCC
    (-0.012)"; form="full" adds both values and the 95% interval"""
    if form not in FORMS:
        raise FactError(f'versus(form="{form}") is not known; there are {", ".join(FORMS)}')
    gaps = [facts.difference(a, b, m, condition) for m in metrics_of(metrics)]
    return clause(facts, f"{subject_of(subject, gaps[0].a)} {stands(facts, gaps, form == 'full')}", sides_of(gaps))


def effect(facts: Facts, run: str, metrics: Metrics, subject: str = "", condition: str | None = None) -> Result:
    """what one change did: a run against the run that it started from, e.g. "against Plain, from which it starts,
    Annealed is ahead in F1 (+0.120)" """
    record = facts.record(run)
    parent = next((r for r in facts.explored if r.run == record.parent), None)
    if parent is None:
        raise FactError(f'run "{record.name}" starts from no other run; use versus(...)')
    gaps = [facts.difference(record.name, parent.name, m, condition) for m in metrics_of(metrics)]
    who = subject_of(subject, gaps[0].a)
    text = f"against {parent.label}, from which it starts, {who} {stands(facts, gaps, False, named=False)}"
    return clause(facts, text, sides_of(gaps))


def tradeoff(facts: Facts, a: str, b: str, gain: str, loss: str, condition: str | None = None) -> Result:
    """run a against run b in two metrics, as an exchange where it is one, e.g. "Annealed is ahead of Plain in F1
    (+0.31) at the price of explained variance (-0.03)"; a loss that a guard allows is told as allowed"""
    gaps = [facts.difference(a, b, m, condition) for m in (gain, loss)]
    won, lost = (relation_of(facts, gap) for gap in gaps)
    if {won, lost} != {"ahead", "behind"}:
        return clause(facts, f"{gaps[0].a.run.label} {stands(facts, gaps, False)}", sides_of(gaps))
    first, second = gaps if won == "ahead" else (gaps[1], gaps[0])
    one, other = (side.run for side in (first.a, first.b))
    text = f"{one.label} is ahead of {other.label} in {step(facts, first)}"
    guards = {guard.metric for guard in facts.manifest.guards}
    broken = {found.metric for found in facts.broken_guards(one.name, other.name, first.a.condition)}
    if second.a.metric in guards - broken:  # the template says how much may be lost, and no more is
        text += f" and behind in {step(facts, second)}, which its guard allows"
    else:
        text += f" at the price of {step(facts, second)}"
    return clause(facts, text, sides_of(gaps))


# ---------------------------------------------------------------- one run


def reaches(facts: Facts, run: str, metrics: Metrics, subject: str = "", condition: str | None = None) -> Result:
    """values of one run, e.g. "Plain reaches 0.580 ± 0.004 in F1 and 0.702 ± 0.003 in MCC" """
    series = [facts.series(run, m, condition) for m in metrics_of(metrics)]
    values = [f"{s.quantity(facts.unit(s.metric)).text()} in {facts.spec(s.metric).label}" for s in series]
    return clause(facts, f"{subject_of(subject, series[0])} reaches {listed(values)}", series)


def spread(facts: Facts, run: str, metric: str, condition: str | None = None) -> Result:
    """the single seeds of one run, e.g. "over three seeds, F1 of Plain lies between 0.572 and 0.588" """
    series = facts.series(run, metric, condition)
    label, unit = facts.spec(metric).label, facts.unit(metric)
    if series.n == 1:
        once = "was measured with one seed" if facts.manifest.seeded else "was reported once"
        text = f"{label} of {series.run.label} {once}: {series.quantity(unit).bare()}"
        return clause(facts, text, [series])
    low, high = (Quantity(v, series.se, unit=unit).bare() for v in (min(series.values), max(series.values)))
    text = f"over {count_text(series.n)} seeds, {label} of {series.run.label} lies between {low} and {high}"
    return clause(facts, text, [series])


def across(facts: Facts, run: str, metric: str) -> Result:
    """one run under each condition, e.g. "accuracy of Plain is 0.51 at rate 4 and 0.63 at rate 16" """
    record = facts.record(run)
    series = [facts.series(run, metric, c) for c in facts.condition_names(record)]
    if len(series) < 2:
        raise FactError("there is one condition only; use reaches(...)")
    unit = facts.unit(metric)
    values = [f"{s.quantity(unit).text()} under {facts.condition_label(s.condition)}" for s in series]
    return clause(facts, f"{facts.spec(metric).label} of {record.label} is {listed(values)}", series)


def swept(facts: Facts, run: str, metric: str, subject: str = "") -> Result:
    """one run over the values of its sweep, e.g. "accuracy of Plain, swept over rate, is 0.51 at 4, 0.63 at 16 and 0.60
    at 64" """
    record = facts.record(run)
    label, points = facts.spec(metric).label, curve_of(record, metric)
    if record.swept is None or not points:
        raise FactError(f'run "{record.name}" has no sweep of {metric}')
    values = listed(values_text(facts, record, metric))
    text = f"{label} of {subject or record.label}, swept over {record.swept.setting}, is {values}"
    return replace(clause(facts, text, [p.series for p in points]), condition="")


def between(facts: Facts, run: str, metric: str, one: str, other: str) -> Result:
    """one run under one condition against itself under another, e.g. "accuracy of Plain is higher under rate 16 than
    under rate 4 (0.63 against 0.51, difference +0.12, 95% interval [0.10, 0.14])" """
    series = [facts.series(run, metric, condition) for condition in (one, other)]
    if one == other:
        raise FactError(f'between(...) needs two different conditions of run "{run}"')
    gap = difference_of(*series)
    here, there = (facts.condition_label(s.condition) for s in series)
    if gap.value == 0 or (gap.judged and not gap.distinct):
        stands = "is the same" if gap.value == 0 else "does not differ measurably"
        relation = f"{stands} under {here} and under {there}"
    else:
        relation = f"is {'higher' if gap.value > 0 else 'lower'} under {here} than under {there}"
    single = unjudged(facts, [gap])
    text = f"{facts.spec(metric).label} of {series[0].run.label} {relation} ({both_values(facts, gap)}){single}"
    return clause(facts, text, series)


def failure(facts: Facts, run: str, subject: str = "") -> Result:
    """a run without a result and why, e.g. "Larger batch failed after two attempts and has no result" """
    record = facts.record(run)
    if record.status == "measured":
        raise FactError(f'run "{record.name}" was measured; failure(...) is for a run without a result')
    ended = "was refused by the integrity gate" if record.status == "refused" else "failed"
    attempts = f"{count_text(record.attempts)} {'attempt' if record.attempts == 1 else 'attempts'}"
    return Result(
        text=f"{subject or record.label} {ended} after {attempts} and has no result", kind="clause", runs=(record.name,)
    )


def reported(facts: Facts, run: str, diagnostics: Metrics, subject: str = "", condition: str | None = None) -> Result:
    """one or several quantities that the experiment reported of itself, marked so, e.g. "Larger batch reports of
    itself: final loss 0.12 ± 0.01 and gradient norm 3.1 ± 0.2 (self-reported)" """
    series = [facts.diagnostic(run, name, condition) for name in metrics_of(diagnostics)]
    values = [f"{s.metric.replace('_', ' ')} {s.quantity().text()}" for s in series]
    return clause(facts, f"{subject_of(subject, series[0])} reports of itself: {listed(values)}", series, reported=True)


def cost(facts: Facts, run: str, against: str = "baseline") -> Result:
    """what a training of a run took, and how much that is beside one of the other run's, e.g. "a training of Annealed
    takes 41 s by the clock and 1.3 times the processor time of one of Plain" """
    record, other = facts.record(run), facts.record(against)
    walls = [t.wall_s for t in record.trainings if t.outcome == "measured"]
    if not walls:
        raise FactError(f'run "{record.name}" has no measured training')
    text = f"a training of {record.label} takes {Quantity(statistics.fmean(walls)).bare()} s by the clock"
    share = relative_compute(record, other) if other.run != record.run else None
    if share is not None:
        text += f" and {Quantity(share).bare()} times the {measure_of(record, other)} time of one of {other.label}"
    return Result(text=text, kind="clause", runs=tuple(dict.fromkeys((record.name, other.name))))


# ---------------------------------------------------------------- all runs


def ranking(facts: Facts, metric: str, condition: str | None = None) -> Result:
    """all measured runs in one metric, best first, with their values"""
    field = [facts.series(r.name, metric, condition) for r in facts.measured]
    if not field:
        raise FactError("no run has a measured result")
    series = sorted(field, key=lambda s: -facts.merit(metric, s.mean, s.condition))
    unit = facts.unit(metric)
    valued = [f"{s.run.label} ({s.quantity(unit).bare()})" for s in series]
    level = [
        f"{x.run.label} and {y.run.label}"
        for x, y in zip(series, series[1:], strict=False)
        if relation_of(facts, facts.difference(x.run.name, y.run.name, metric, x.condition)) == "level"
    ]
    apart = f"; neighbours that do not differ measurably: {'; '.join(level)}" if level else ""
    return clause(facts, f"in {facts.spec(metric).label}, best first: {', '.join(valued)}{apart}", series)


def position(facts: Facts, run: str, metric: str, subject: str = "", condition: str | None = None) -> Result:
    """the place of a run among all measured ones, e.g. "Plain is third of five in F1" """
    series = facts.series(run, metric, condition)
    text = f"{subject_of(subject, series)} is {place_text(facts, series)} in {facts.spec(metric).label}"
    return clause(facts, text, [series])


def ahead_of(facts: Facts, b: str, metric: str, condition: str | None = None) -> Result:
    """how many of the experiments with a result are ahead of run b, e.g. "three of five experiments with a result are
    ahead of Plain in F1" """
    other = facts.record(b)
    field = [r for r in facts.experiments if r.status == "measured" and r.run != other.run]
    if not field:
        raise FactError("no other experiment has a result")
    gaps = [facts.difference(r.name, other.name, metric, condition) for r in field]
    relations = [relation_of(facts, gap) for gap in gaps]
    ahead, level = (sum(r == wanted for r in relations) for wanted in ("ahead", "level"))
    are = "is" if ahead == 1 else "are"
    count = "none" if not ahead else count_text(ahead)
    text = f"{count} of {count_text(len(field))} experiments with a result {are} ahead of {other.label} in "
    text += facts.spec(metric).label
    if level:
        text += f", and {count_text(level)} {'does' if level == 1 else 'do'} not differ from it measurably"
    return clause(facts, text, sides_of(gaps))


def guarded(facts: Facts, subject: str = "", condition: str | None = None) -> Result:
    """the described run against the strongest baseline in the primary metric and in all its companions: the results
    section must hold this once"""
    ours, baseline = facts.described, facts.record("baseline")
    if ours.run == baseline.run:
        raise FactError("no experiment has a result, so nothing can be compared with the baseline")
    names = companions(facts)
    where = facts.condition_names(ours) if condition is None else (condition,)
    sentences = []
    for name in where:
        gaps = [facts.difference(ours.name, baseline.name, m, name) for m in names]
        at = f"under {facts.condition_label(name)}, " if len(where) > 1 else ""
        sentences.append((f"{at}{subject_of(subject, gaps[0].a)} {stands(facts, gaps, False)}", gaps))
    text = "; ".join(text for text, _ in sentences)
    return clause(facts, text, sides_of([gap for _, gaps in sentences for gap in gaps]))


def companions(facts: Facts) -> tuple[str, ...]:
    """The primary metric, then the metrics that guard it; where the manifest has no guards, the headline metrics."""
    manifest = facts.manifest
    guards = tuple(guard.metric for guard in manifest.guards)
    return tuple(dict.fromkeys((manifest.primary, *(guards or manifest.headline))))


def foremost(facts: Facts) -> tuple[str, ...]:
    """All headline metrics: the primary one first, then its companions (`companions`), then the others."""
    return tuple(dict.fromkeys((*companions(facts), *facts.manifest.headline)))


# ---------------------------------------------------------------- settings


def setting(facts: Facts, key: str, run: str | None = None, condition: str | None = None) -> Result:
    """a setting with its name, e.g. "batch is 512" """
    runs = (facts.record(run).name,) if run else tuple(r.name for r in facts.explored)
    value = setting_text(facts.setting(key, run, condition))
    whose = f" of {facts.record(run).label}" if run else ""
    return Result(text=f"{key}{whose} is {value}", kind="clause", runs=runs, condition=condition or "")


def budget(facts: Facts) -> Result:
    """what every run is given: samples or steps, seeds and conditions"""
    first = next(iter(facts.explored), None)
    if first is None:
        raise FactError("there are no records yet")
    given = [f"{setting_text(first.settings[k])} {k}" for k in ("samples", "tokens", "steps") if k in first.settings]
    seeds = f"{count_text(len(first.seeds))} {'seed' if len(first.seeds) == 1 else 'seeds'}"
    trained = f"is trained with {seeds}" if facts.manifest.seeded else "is one execution of the template's script"
    if len(first.conditions) > 1:
        trained += f" under each of {count_text(len(first.conditions))} conditions"
    text = f"every run is given {listed(given)} and {trained}" if given else f"every run {trained}"
    return Result(text=text, kind="clause", runs=tuple(r.name for r in facts.explored))


# ---------------------------------------------------------------- conditions of {% if ... %}


def ahead(facts: Facts, a: str, b: str, metric: str, condition: str | None = None) -> bool:
    """run a is measurably better than run b in the metric"""
    return relation_of(facts, facts.difference(a, b, metric, condition)) == "ahead"


def behind(facts: Facts, a: str, b: str, metric: str, condition: str | None = None) -> bool:
    """run a is measurably worse than run b in the metric"""
    return relation_of(facts, facts.difference(a, b, metric, condition)) == "behind"


def level(facts: Facts, a: str, b: str, metric: str, condition: str | None = None) -> bool:
    """the two runs do not differ measurably in the metric"""
    return relation_of(facts, facts.difference(a, b, metric, condition)) == "level"


def measured(facts: Facts, run: str) -> bool:
    """the run has a result"""
    return facts.record(run).status == "measured"


def confirmed_ahead(facts: Facts) -> bool:
    """the confirmation came out in favour of the run"""
    return facts.confirmed is not None and facts.confirmed.verdict == "improvement"


def signs(facts: Facts) -> str:
    """The outcome of every comparison of the session, as a text that changes whenever one of them comes out otherwise.

    It has one letter for each pair of measured runs and for each change of a factorial design, in every metric and
    condition (the first letter of the relation, "-" where there is none), and then the confirmation's verdict. The
    judge's verdict on a sentence is stored under it, because the sentence may be true for these outcomes only.
    """
    verdict = facts.confirmed.verdict if facts.confirmed else "none"
    return "".join(_letters(facts)) + f":{verdict}"


def _letters(facts: Facts) -> Iterator[str]:
    def letter(compare: Callable[..., Difference], *names: str) -> str:
        try:
            return relation_of(facts, compare(*names))[0]
        except FactError:
            return "-"

    for metric in facts.manifest.metrics:
        for a, b in combinations(facts.measured, 2):
            for where in facts.condition_names(a):
                yield letter(facts.difference, a.name, b.name, metric, where)
        for name in factors.names(facts):
            for where in facts.condition_names():
                yield letter(partial(factors.gap_of, facts), name, metric, where)


CONDITIONS: tuple[Callable[..., bool], ...] = (ahead, behind, level, measured, confirmed_ahead)
FUNCTIONS: tuple[Callable[..., Result], ...] = (
    versus,
    effect,
    tradeoff,
    reaches,
    spread,
    across,
    swept,
    between,
    failure,
    reported,
    cost,
    ranking,
    position,
    ahead_of,
    guarded,
    setting,
    budget,
)
