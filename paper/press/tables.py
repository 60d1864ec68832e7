"""The names of a paper's tables, the tables that float in its text (FLOATS), and most tables of its appendix.

All are made from the records alone: a writer can refer to a table, but not fill it.
"""

from __future__ import annotations

from collections.abc import Callable

from pylatex import NoEscape

from agent.core.compute import relative_compute
from agent.core.record import RunRecord
from paper.evidence import factors
from paper.evidence.confirmation import Confirmation
from paper.evidence.confirmed import p_text
from paper.evidence.facts import Facts, Series
from paper.evidence.numbers import fixed, setting_text
from paper.evidence.series import series_of
from paper.evidence.sweeps import curve_of, swept_runs
from paper.press.factor_table import factorial, factorial_caption
from paper.press.latex import code, escape, number
from paper.press.metric_tables import has_further, main, main_caption
from paper.press.readings_table import metrics, metrics_caption
from paper.press.settings_table import settings, settings_caption
from paper.press.tabular import (
    APART,
    DAGGER,
    LETTERS_PT,
    Columns,
    fitted,
    head_row,
    in_lines,
    long,
    long_table,
    paragraph,
    tabular,
)
from paper.press.widths import CODE_EM, LINE_PT, lines_of, text_pt

# The tables that float near their mention, by name, with their captions; all others are in the appendix.
_NARROW_RUN_PT = 84.0  # column of runs in the table of findings, where names or codes are long
FLOATS: dict[str, tuple[Callable[[Facts], str], Callable[[Facts], str]]] = {
    "main": (main, main_caption),
    "metrics": (metrics, metrics_caption),
    "settings": (settings, settings_caption),
    "factorial": (factorial, factorial_caption),
}


def names(facts: Facts) -> tuple[str, ...]:
    """The names of the tables that this paper has, to which the text refers as `[@tab:name]`."""
    found = [name for name in FLOATS if name != "factorial" or factors.names(facts)]
    found += ["runs", "seeds", "provenance"]
    if facts.confirmed is not None:
        found.append("confirmation")
    if has_further(facts):
        found.append("further")
    if swept_runs(facts):
        found.append("sweeps")
    if diagnostics_of(facts):
        found.append("diagnostics")
    if has_findings(facts):
        found.append("findings")
    if failed_runs(facts):
        found.append("failed")
    return tuple(found)


def has_findings(facts: Facts) -> bool:
    """Whether the integrity gate remarked something on a run."""
    return any(r.findings or any(t.findings for t in r.trainings) for r in facts.records)


def failed_runs(facts: Facts) -> list[RunRecord]:
    """The runs without a result whose costs are recorded."""
    return [record for record in facts.records if record.spent is not None]


# ---------------------------------------------------------------- of the appendix


def runs(facts: Facts) -> str:
    """Every run, with its outcome, its attempts, its compute as a multiple of the first baseline's, and its commit."""
    table = long(r"l >{\raggedright}p{0.14\linewidth} l r r >{\raggedright}p{0.305\linewidth} l", 7)
    head_row(table, ["Run", "Name", "Outcome", "Tries", "Compute", "What it tries, and why it ended so", "Commit"])
    first = next((r for r in facts.baselines if r.status == "measured"), None)
    for index, record in enumerate(facts.records):
        if index:
            table.append(NoEscape(APART))
        share = relative_compute(record, first) if first and record.status == "measured" else None
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
                    record.status if facts.manifest.measured or record.status != "measured" else "self-reported",
                    str(record.attempts),
                    "--" if share is None else rf"{share:.1f}\,x",
                    about,
                    code(record.commit[:8]),
                )
            ]
        )
    return table.dumps()


def _reason(record: RunRecord) -> str:
    """Why a run has no result, in at most 160 characters."""
    texts = [f.text for f in record.findings if f.grade == "refuse"] + list(record.reasons[-1:])
    texts += [
        f"{t.reason}: {t.detail.strip().splitlines()[-1] if t.detail.strip() else 'no detail'}"
        for t in record.trainings
        if t.outcome in ("failed", "refused")
    ]
    return _cut(texts[0] if texts else "no reason recorded")


def failed(facts: Facts) -> str:
    """The failed runs: why each attempt failed, and tokens, dollars and seconds of training that the run took."""
    rows = []
    for record in failed_runs(facts):
        spent = record.spent
        if spent is not None:
            why = r"\newline ".join(escape(_cut(reason)) for reason in record.reasons)
            price = "unknown" if spent.usd is None else f"{spent.usd:.4f}"
            rows.append(
                [escape(record.run), escape(record.label), why, f"{spent.tokens:,}", price, rf"{spent.train_s:.0f}\,s"]
            )
    return long_table(
        r"l >{\raggedright}p{0.15\linewidth} >{\raggedright}p{0.42\linewidth} r r r",
        ["Run", "Name", "Why each attempt failed", "Tokens", "US dollars", "Training"],
        rows,
    )


def _cut(text: str) -> str:
    return text if len(text) <= 160 else text[:157] + "..."


def confirmation(found: Confirmation) -> str:
    """The confirmation seed by seed, with means, interval and p of the paired test."""
    several = found.fresh_worlds > 1
    table = tabular("l r r r r" if several else "l r r r")
    heads = (
        "Fresh seed",
        *(["World"] if several else []),
        found.ours.run.label,
        found.baseline.run.label,
        "Difference",
    )
    table.add_row([NoEscape(_confirmation_head(h)) for h in heads])
    table.add_hline()
    for seed, ours, baseline, step in zip(
        found.ours.seeds, found.ours.values, found.baseline.values, found.steps, strict=True
    ):
        table.add_row(
            [
                seed,
                *([found.ours.run.world_of(seed)] if several else []),
                *(
                    NoEscape(number(fixed(v, 4, signed)))
                    for v, signed in ((ours, False), (baseline, False), (step, True))
                ),
            ]
        )
    table.add_hline()
    printed = (side.quantity().text() for side in (found.ours, found.baseline, found.gap))
    empty = [""] if several else []
    table.add_row(["Mean and standard error", *empty, *(NoEscape(number(text)) for text in printed)])
    judged = (("95% confidence interval", found.gap.interval_text()), ("Paired t-test, two-sided", p_text(found.p)))
    for what, text in judged:
        table.add_row([NoEscape(escape(what)), *empty, "", "", NoEscape(number(text))])
    # It is one box, so that it stays on one page. Long tables count themselves, so this one must be counted by hand.
    return f"\\addtocounter{{table}}{{1}}\\nopagebreak\\vspace{{5pt}}\\noindent\n{fitted(table.dumps())}"


def _confirmation_head(text: str) -> str:
    if text_pt(text, LETTERS_PT) <= _HEAD_PT:
        return escape(text)
    lines = (escape(line) for line in lines_of(text, _HEAD_PT, LETTERS_PT))
    return rf"\columnhead{{{(chr(92) * 2 + ' ').join(lines)}}}"


_HEAD_PT = 120.0


def sweeps(facts: Facts) -> str:
    """The sweeps: a row for each swept run, headline metric and value of the swept setting."""
    heads = ["Run", "Swept", "Value", "Metric", "Mean and standard error" if facts.manifest.seeded else "Reported", "n"]
    texts = [
        (
            record.label,
            record.swept.setting if record.swept else "",
            setting_text(point.value),
            facts.spec(metric).label,
            point.series.quantity(facts.unit(metric)).text(),
            str(point.series.n),
        )
        for record in swept_runs(facts)
        for metric in facts.manifest.headline
        for point in curve_of(record, metric)
    ]
    columns = Columns("lcrlrr", heads, texts)
    rows = [
        [columns.words(0, run), code(setting), number(value), columns.words(3, metric), number(found), n]
        for run, setting, value, metric, found, n in texts
    ]
    return long_table(columns.spec, heads, rows)


def diagnostics_of(facts: Facts) -> list[Series]:
    """All quantities that the experiments reported about themselves, by run, name and condition."""
    return [
        series
        for record in facts.measured
        for key in dict.fromkeys(k for t in record.trainings for k in t.diagnostics)
        for condition in facts.condition_names(record)
        if (series := series_of(record, key, condition, "diagnostics"))
    ]


def diagnostics(facts: Facts) -> str:
    """The self-reported quantities, each marked with a dagger."""
    found = diagnostics_of(facts)
    heads = ["Run", "Quantity", "Condition", "Mean and standard error" if facts.manifest.seeded else "Reported", "n"]
    texts = [
        (x.run.label, x.metric, facts.condition_label(x.condition), x.quantity().text() + "+", str(x.n)) for x in found
    ]
    columns = Columns("lclrr", heads, texts)
    rows = [
        [
            columns.words(0, run),
            code(metric),
            columns.words(2, condition),
            number(series.quantity().text()) + DAGGER,
            n,
        ]
        for series, (run, metric, condition, _, n) in zip(found, texts, strict=True)
    ]
    return long_table(columns.spec, heads, rows)


def findings(facts: Facts) -> str:
    """The findings of the integrity gate, a row for each run and finding."""
    found = [
        (record.label + (" (confirmation)" if record.kind == "confirmation" else ""), finding)
        for record in facts.records
        for finding in dict.fromkeys([*record.findings, *(f for t in record.trainings for f in t.findings)])
    ]
    width = max((text_pt(who, LETTERS_PT) for who, _ in found), default=0.0)
    codes = max((CODE_EM * LETTERS_PT * len(f.code) for _, f in found), default=0.0)
    narrow = _NARROW_RUN_PT if width + codes + 60 > 0.48 * LINE_PT else None
    first = "l" if narrow is None else paragraph(narrow)
    rows = [[in_lines(who, narrow), f.grade, code(f.code), escape(f.text)] for who, f in found]
    return long_table(
        rf"{first} l l >{{\raggedright\arraybackslash}}p{{0.52\linewidth}}",
        ["Run", "Grade", "Code", "Finding"],
        rows,
        apart=True,
    )
