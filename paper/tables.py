"""Tables made from records alone, with pylatex and booktabs. The writer can refer to them, never fill them."""

from __future__ import annotations

from collections.abc import Sequence

from pylatex import LongTable, NoEscape, Tabular

from agent.record import RunRecord
from paper.confirmation import Confirmation
from paper.confirmed import interval, p_text
from paper.facts import FactError, Facts, Series, machines
from paper.latex import code, escape, number
from paper.numbers import Quantity, fixed, setting_text

BODY = ("main", "metrics", "settings")  # float near their mention; the others stand in the appendix
_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "target": r"$\rightarrow$"}
DAGGER = r"\textsuperscript{\dag}"


def names(facts: Facts) -> tuple[str, ...]:
    """The tables that this paper has: `[@tab:name]`."""
    found = [*BODY, "runs", "seeds", "provenance"]
    if facts.confirmed is not None:
        found.append("confirmation")
    if diagnostics_of(facts):
        found.append("diagnostics")
    if any(r.findings or any(t.findings for t in r.trainings) for r in facts.records):
        found.append("findings")
    return tuple(found)


# ---------------------------------------------------------------- in the body

def main(facts: Facts) -> str:
    """All runs by all metrics; the best mean of each metric in bold; failed runs keep their row."""
    metrics = list(facts.manifest.metrics)
    heads = [_head(facts, m) for m in metrics]
    units = [f"[{escape(facts.spec(m).unit)}]" if facts.spec(m).unit else "" for m in metrics]
    table = _tabular("@{}l" + "r" * len(metrics) + "@{}", width=1 + len(metrics))
    table.add_row([NoEscape("Run"), *map(NoEscape, heads)])
    if any(units):
        table.add_row(["", *map(NoEscape, units)])
    several = len(facts.condition_names()) > 1
    for condition in facts.condition_names():
        table.add_hline()
        if several:
            table.append(NoEscape(rf"\multicolumn{{{len(metrics) + 1}}}{{@{{}}l}}{{\itshape "
                                  rf"{escape(facts.condition_label(condition))}}}\\"))
        for record in facts.explored:
            if record.run == next((r.run for r in facts.experiments), ""):
                table.append(NoEscape(r"\addlinespace[2pt]"))
            _main_row(table, facts, record, metrics, condition)
    return _fitted(table.dumps(), close=True)


def main_caption(facts: Facts) -> str:
    seeds = sorted({len(r.seeds) for r in facts.explored})
    n = f"n = {seeds[0]} seeds" if len(seeds) == 1 else "the seeds of each run (listed in the appendix)"
    reported = "" if facts.manifest.measured else " All values are self-reported by the experiments."
    failed = " Runs without a measured result keep their row." if len(facts.measured) < len(facts.explored) else ""
    several = " Conditions are set in italics." if len(facts.condition_names()) > 1 else ""
    return (f"All runs, baselines first. Mean and standard error (ddof = 1) over {n}. Arrows give the direction that "
            f"is "
            f"better; bold marks the best mean of a column, which is no statement about significance.{several}{failed}"
            f"{reported}")


def _main_row(table: Tabular, facts: Facts, record: RunRecord, metrics: Sequence[str], condition: str) -> None:
    name = escape(record.label)
    if record.status != "measured":
        table.append(NoEscape(rf"{name} & \multicolumn{{{len(metrics)}}}{{l}}{{\itshape {record.status}: no result "
                              rf"(\hyperref[tab:runs]{{all runs}})}}\\"))
        return
    cells = []
    for metric in metrics:
        series = _series(facts, record, metric, condition)
        cells.append("--" if series is None else _mean_cell(series, facts, bold=_is_best(facts, series)))
    table.add_row([NoEscape(name), *map(NoEscape, cells)])


def _mean_cell(series: Series, facts: Facts, bold: bool) -> str:
    quantity = Quantity(series.mean, series.se)
    value = number(quantity.bare())
    value = rf"\textbf{{{value}}}" if bold else value
    mark = "" if facts.manifest.measured else DAGGER
    if series.se is None:
        return value + mark
    error = fixed(series.se, quantity.decimals) if series.se else "0"
    return rf"{value}\plusminus{{{error}}}{mark}"


def _is_best(facts: Facts, series: Series) -> bool:
    rivals = [s for r in facts.measured if (s := _series(facts, r, series.metric, series.condition))]
    own = facts.merit(series.metric, series.mean, series.condition)
    merits = [facts.merit(s.metric, s.mean, s.condition) for s in rivals]
    return max(merits) <= own and min(merits) < own


def _head(facts: Facts, metric: str) -> str:
    spec = facts.spec(metric)
    aim = facts.target(metric)
    target = f"\\,{fixed(aim, 0 if aim.is_integer() else 2)}" if aim is not None else ""
    words = escape(spec.label).replace(" ", r"\\ ", 1)  # a long name takes two lines, not a wide column
    return rf"\columnhead{{{words}\,{_ARROWS[spec.better]}{target}}}"


def metrics(facts: Facts) -> str:
    """What each metric means and which direction is better."""
    table = _tabular(r"@{}l l >{\raggedright\arraybackslash}p{0.7\linewidth}@{}", width=3)
    table.add_row(["Metric", "Better", "How to read it"])
    table.add_hline()
    for name, spec in facts.manifest.metrics.items():
        aim = facts.target(name)
        better = f"target {setting_text(aim)}" if aim is not None else spec.better
        label = escape(spec.label) + (r" (primary)" if spec.primary else "")
        table.add_row([NoEscape(label), better, NoEscape(escape(spec.read))])
    return "\\footnotesize\n" + table.dumps()


def metrics_caption(facts: Facts) -> str:
    how = ("measured by the runner on held-out data, outside the experiment's process" if facts.manifest.measured
           else "reported by the experiments themselves")
    return f"The metrics, {how}."


def settings(facts: Facts) -> str:
    """The settings that all runs share, and what each condition changes."""
    rows = [(key, setting_text(value)) for key, value in (facts.explored[0].settings if facts.explored else {}).items()]
    for key, _ in list(rows):
        values = {setting_text(r.settings.get(key, "--")) for r in facts.explored}
        varied = any(key in c.settings for c in facts.explored[0].conditions)
        if len(values) > 1 or varied:
            rows[[k for k, _ in rows].index(key)] = (key, "by condition" if varied else "by run")
    rows.append(("seeds", ", ".join(map(str, facts.explored[0].seeds)) if facts.explored else "--"))
    for condition in (facts.explored[0].conditions if facts.explored else ()):
        if condition.settings:
            rows.append((condition.label,
                         ", ".join(f"{k} = {setting_text(v)}" for k, v in condition.settings.items())))
    half = -(-len(rows) // 2)
    table = _tabular(r"l r @{\hspace{3em}} l r", width=4)
    table.add_row(["Setting", "Value", "Setting", "Value"])
    table.add_hline()
    for index in range(half):
        left, right = rows[index], rows[index + half] if index + half < len(rows) else ("", "")
        table.add_row([NoEscape(c) for key, value in (left, right) for c in (_setting_name(key), escape(value))])
    return _fitted(table.dumps())


def _setting_name(key: str) -> str:
    return code(key) if key.isidentifier() else escape(key)


def settings_caption(facts: Facts) -> str:
    return (f"Settings fixed by the runner for every run (profile {facts.profile} of the template "
            f"{facts.manifest.name}). No run could change them.{_effort(facts)}")


def _effort(facts: Facts) -> str:
    """Where the trainings ran, and how long they took."""
    walls = [t.wall_s for r in facts.explored for t in r.trainings if t.outcome == "measured" and t.wall_s > 0]
    devices = machines(facts.explored)
    if not walls or not devices:
        return ""
    return (f" Hardware: {devices}. A training took {fixed(min(walls), 0)} to {fixed(max(walls), 0)} s, all "
            f"{len(walls)} trainings of the exploration {fixed(sum(walls) / 60, 1)} min together.")


# ---------------------------------------------------------------- in the appendix

def runs(facts: Facts) -> str:
    """Every run that was tried, with how it ended."""
    table = _long(r"l >{\raggedright}p{0.16\linewidth} l r >{\raggedright}p{0.385\linewidth} l", 6)
    _head_row(table, ["Run", "Name", "Outcome", "Tries", "What it tries, and why it ended so", "Commit"])
    for record in facts.records:
        repeats = f"Repeats run {record.parent} on fresh seeds."
        about = escape(repeats if record.kind == "confirmation" else record.about)
        if record.status != "measured":
            about += rf" \emph{{{escape(_reason(record))}}}"
        kind = "" if record.kind == "experiment" else f" ({record.kind})"
        table.add_row([NoEscape(x) for x in (escape(record.run), escape(record.label) + kind, record.status,
                                             str(record.attempts), about, code(record.commit[:8]))])
    return table.dumps()


def _reason(record: RunRecord) -> str:
    texts = [f.text for f in record.findings if f.grade == "refuse"]
    texts += [f"{t.reason}: {t.detail.strip().splitlines()[-1] if t.detail.strip() else 'no detail'}"
              for t in record.trainings if t.outcome in ("failed", "refused")]
    first = texts[0] if texts else "no reason recorded"
    return first if len(first) <= 160 else first[:157] + "..."


def seeds(facts: Facts) -> str:
    """Every measured value, seed by seed."""
    metrics = list(facts.manifest.metrics)
    several = len(facts.condition_names()) > 1
    table = _long(("l l r " if several else "l r ") + "r" * len(metrics), 2 + several + len(metrics))
    _head_row(table, ["Run", *(["Condition"] if several else []), "Seed", *(facts.spec(m).label for m in metrics)])
    for record in facts.measured:
        for training in sorted(record.trainings, key=lambda t: (t.condition, t.seed)):
            values = [fixed(training.metrics[m], 4) if m in training.metrics else "--" for m in metrics]
            if training.outcome != "measured":
                values = [training.outcome, *[""] * (len(metrics) - 1)]
            where = [NoEscape(escape(facts.condition_label(training.condition)))] if several else []
            table.add_row([NoEscape(escape(record.label)), *where, training.seed, *(NoEscape(number(v))
                                                                                    for v in values)])
    return table.dumps()


def confirmation(found: Confirmation) -> str:
    """The paired comparison seed by seed, then what the test says of it."""
    table = _tabular("l r r r")
    table.add_row([NoEscape(escape(h)) for h in ("Fresh seed", found.ours.run.label, found.baseline.run.label,
                                                 "Difference")])
    table.add_hline()
    for seed, ours, baseline, step in zip(found.ours.seeds, found.ours.values, found.baseline.values, found.steps,
                                          strict=True):
        table.add_row([seed, *(NoEscape(number(fixed(v, 4, signed))) for v, signed in ((ours, False), (baseline, False),
                                                                                     (step, True)))])
    table.add_hline()
    means = [Quantity(arm.mean, arm.se) for arm in (found.ours, found.baseline)]
    gap = Quantity(found.gap.value, found.gap.se, signed=True)
    table.add_row(["Mean and standard error", *(NoEscape(number(q.text())) for q in (*means, gap))])
    for what, text in (("95% confidence interval", interval(found)), ("Paired t-test, two-sided", p_text(found.p))):
        table.add_row([NoEscape(escape(what)), "", "", NoEscape(number(text))])
    # One box, so that it stays on one page; the appendix counts its tables as long ones, which count for themselves.
    return f"\\addtocounter{{table}}{{1}}\\nopagebreak\\vspace{{5pt}}\\noindent\n{_fitted(table.dumps())}"


def diagnostics_of(facts: Facts) -> list[Series]:
    """All self-reported quantities, by run, name and condition."""
    found = []
    for record in facts.measured:
        for key in dict.fromkeys(k for t in record.trainings for k in t.diagnostics):
            for condition in facts.condition_names(record):
                try:
                    found.append(facts.diagnostic(record.name, key, condition))
                except FactError:
                    continue
    return found


def diagnostics(facts: Facts) -> str:
    table = _long("l l l r r", 5)
    _head_row(table, ["Run", "Quantity", "Condition", "Mean and standard error", "n"])
    for series in diagnostics_of(facts):
        table.add_row([NoEscape(escape(series.run.label)), NoEscape(code(series.metric)),
                       NoEscape(escape(facts.condition_label(series.condition))),
                       NoEscape(number(Quantity(series.mean, series.se).text()) + DAGGER), series.n])
    return table.dumps()


def findings(facts: Facts) -> str:
    """What the integrity gate had to say about the runs."""
    table = _long(r"l l l >{\raggedright\arraybackslash}p{0.52\linewidth}", 4)
    _head_row(table, ["Run", "Grade", "Code", "Finding"])
    for record in facts.records:
        for finding in dict.fromkeys([*record.findings, *(f for t in record.trainings for f in t.findings)]):
            who = record.label + (" (confirmation)" if record.kind == "confirmation" else "")
            table.add_row([NoEscape(escape(who)), finding.grade, NoEscape(code(finding.code)),
                           NoEscape(escape(finding.text))])
    return table.dumps()


# ---------------------------------------------------------------- shared

def long_table(spec: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table over several pages from cells that are LaTeX already."""
    table = _long(spec, len(heads))
    _head_row(table, heads)
    for row in rows:
        table.add_row([NoEscape(cell) for cell in row])
    return table.dumps()


def _tabular(spec: str, width: int | None = None) -> Tabular:
    return Tabular(spec, booktabs=True, width=width)


def _long(spec: str, width: int) -> LongTable:
    return LongTable(spec, booktabs=True, width=width)


def _head_row(table: LongTable, heads: Sequence[str]) -> None:
    table.add_row([NoEscape(escape(h)) for h in heads])
    table.add_hline()
    table.end_table_header()


def _fitted(tabular: str, close: bool = False) -> str:
    """Never wider than the text; `close`: many columns, set smaller and nearer first."""
    before = "\\manycolumns\n" if close else ""
    return f"{before}\\begin{{adjustbox}}{{max width=\\linewidth}}\n{tabular}\n\\end{{adjustbox}}"


def _series(facts: Facts, record: RunRecord, metric: str, condition: str) -> Series | None:
    try:
        return facts.series(record.name, metric, condition)
    except FactError:
        return None
