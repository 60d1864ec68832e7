"""Tables made from records alone, with pylatex and booktabs. The writer can refer to them, never fill them."""

from __future__ import annotations

from pylatex import NoEscape

from agent.core.record import RunRecord
from paper.evidence.confirmation import Confirmation
from paper.evidence.confirmed import interval, p_text
from paper.evidence.facts import Facts, Series, machines
from paper.evidence.numbers import fixed, setting_text
from paper.evidence.series import series_of
from paper.press.latex import code, escape, number
from paper.press.metric_tables import main, main_caption  # noqa: F401  (tables of the paper by their names)
from paper.press.tabular import DAGGER, fitted, head_row, long, tabular

BODY = ("main", "metrics", "settings")  # float near their mention; the others stand in the appendix


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


def metrics(facts: Facts) -> str:
    """What each metric means and which direction is better."""
    table = tabular(r"@{}l l >{\raggedright\arraybackslash}p{0.7\linewidth}@{}", width=3)
    table.add_row(["Metric", "Better", "How to read it"])
    table.add_hline()
    for name, spec in facts.manifest.metrics.items():
        label = escape(spec.label) + (r" (primary)" if spec.primary else "")
        table.add_row([NoEscape(label), facts.better(name), NoEscape(escape(spec.read))])
    return "\\footnotesize\n" + table.dumps()


def metrics_caption(facts: Facts) -> str:
    how = (
        "measured by the runner on held-out data, outside the experiment's process"
        if facts.manifest.measured
        else "reported by the experiments themselves"
    )
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
    for condition in facts.explored[0].conditions if facts.explored else ():
        if condition.settings:
            rows.append((condition.label, ", ".join(f"{k} = {setting_text(v)}" for k, v in condition.settings.items())))
    half = -(-len(rows) // 2)
    table = tabular(r"l r @{\hspace{3em}} l r", width=4)
    table.add_row(["Setting", "Value", "Setting", "Value"])
    table.add_hline()
    for index in range(half):
        left, right = rows[index], rows[index + half] if index + half < len(rows) else ("", "")
        table.add_row([NoEscape(c) for key, value in (left, right) for c in (_setting_name(key), escape(value))])
    return fitted(table.dumps())


def _setting_name(key: str) -> str:
    return code(key) if key.isidentifier() else escape(key)


def settings_caption(facts: Facts) -> str:
    return (
        f"Settings fixed by the runner for every run (profile {facts.profile} of the template "
        f"{facts.manifest.name}). No run could change them.{_effort(facts)}"
    )


def _effort(facts: Facts) -> str:
    """Where the trainings ran, and how long they took."""
    walls = [t.wall_s for r in facts.explored for t in r.trainings if t.outcome == "measured" and t.wall_s > 0]
    devices = machines(facts.explored)
    if not walls or not devices:
        return ""
    return (
        f" Hardware: {devices}. A training took {fixed(min(walls), 0)} to {fixed(max(walls), 0)} s, all "
        f"{len(walls)} trainings of the exploration {fixed(sum(walls) / 60, 1)} min together."
    )


# ---------------------------------------------------------------- in the appendix


def runs(facts: Facts) -> str:
    """Every run that was tried, with how it ended."""
    table = long(r"l >{\raggedright}p{0.16\linewidth} l r >{\raggedright}p{0.385\linewidth} l", 6)
    head_row(table, ["Run", "Name", "Outcome", "Tries", "What it tries, and why it ended so", "Commit"])
    for record in facts.records:
        repeats = f"Repeats run {record.parent} on fresh seeds."
        about = escape(repeats if record.kind == "confirmation" else record.about)
        if record.status != "measured":
            about += rf" \emph{{{escape(_reason(record))}}}"
        kind = "" if record.kind == "experiment" else f" ({record.kind})"
        table.add_row(
            [
                NoEscape(x)
                for x in (
                    escape(record.run),
                    escape(record.label) + kind,
                    record.status,
                    str(record.attempts),
                    about,
                    code(record.commit[:8]),
                )
            ]
        )
    return table.dumps()


def _reason(record: RunRecord) -> str:
    texts = [f.text for f in record.findings if f.grade == "refuse"]
    texts += [
        f"{t.reason}: {t.detail.strip().splitlines()[-1] if t.detail.strip() else 'no detail'}"
        for t in record.trainings
        if t.outcome in ("failed", "refused")
    ]
    first = texts[0] if texts else "no reason recorded"
    return first if len(first) <= 160 else first[:157] + "..."


def confirmation(found: Confirmation) -> str:
    """The paired comparison seed by seed, then what the test says of it."""
    table = tabular("l r r r")
    table.add_row(
        [NoEscape(escape(h)) for h in ("Fresh seed", found.ours.run.label, found.baseline.run.label, "Difference")]
    )
    table.add_hline()
    for seed, ours, baseline, step in zip(
        found.ours.seeds, found.ours.values, found.baseline.values, found.steps, strict=True
    ):
        table.add_row(
            [
                seed,
                *(
                    NoEscape(number(fixed(v, 4, signed)))
                    for v, signed in ((ours, False), (baseline, False), (step, True))
                ),
            ]
        )
    table.add_hline()
    printed = (side.quantity().text() for side in (found.ours, found.baseline, found.gap))
    table.add_row(["Mean and standard error", *(NoEscape(number(text)) for text in printed)])
    for what, text in (("95% confidence interval", interval(found)), ("Paired t-test, two-sided", p_text(found.p))):
        table.add_row([NoEscape(escape(what)), "", "", NoEscape(number(text))])
    # One box, so that it stays on one page; the appendix counts its tables as long ones, which count for themselves.
    return f"\\addtocounter{{table}}{{1}}\\nopagebreak\\vspace{{5pt}}\\noindent\n{fitted(table.dumps())}"


def diagnostics_of(facts: Facts) -> list[Series]:
    """All self-reported quantities, by run, name and condition."""
    return [
        series
        for record in facts.measured
        for key in dict.fromkeys(k for t in record.trainings for k in t.diagnostics)
        for condition in facts.condition_names(record)
        if (series := series_of(record, key, condition, "diagnostics"))
    ]


def diagnostics(facts: Facts) -> str:
    table = long("l l l r r", 5)
    head_row(table, ["Run", "Quantity", "Condition", "Mean and standard error", "n"])
    for series in diagnostics_of(facts):
        table.add_row(
            [
                NoEscape(escape(series.run.label)),
                NoEscape(code(series.metric)),
                NoEscape(escape(facts.condition_label(series.condition))),
                NoEscape(number(series.quantity().text()) + DAGGER),
                series.n,
            ]
        )
    return table.dumps()


def findings(facts: Facts) -> str:
    """What the integrity gate had to say about the runs."""
    table = long(r"l l l >{\raggedright\arraybackslash}p{0.52\linewidth}", 4)
    head_row(table, ["Run", "Grade", "Code", "Finding"])
    for record in facts.records:
        for finding in dict.fromkeys([*record.findings, *(f for t in record.trainings for f in t.findings)]):
            who = record.label + (" (confirmation)" if record.kind == "confirmation" else "")
            table.add_row(
                [NoEscape(escape(who)), finding.grade, NoEscape(code(finding.code)), NoEscape(escape(finding.text))]
            )
    return table.dumps()
