"""Tables made from records alone, with pylatex and booktabs. The writer can refer to them, never fill them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from pylatex import NoEscape

from agent.core.compute import relative_compute
from agent.core.record import RunRecord
from paper.evidence import factors
from paper.evidence.confirmation import Confirmation
from paper.evidence.confirmed import p_text
from paper.evidence.facts import Facts, Series, machines
from paper.evidence.numbers import fixed, setting_text
from paper.evidence.series import series_of
from paper.evidence.sweeps import curve_of, swept_runs
from paper.press.factor_table import factorial, factorial_caption  # noqa: F401  (tables by their names)
from paper.press.latex import code, escape, number
from paper.press.metric_tables import has_further, main, main_caption  # noqa: F401  (tables by their names)
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

BODY = ("main", "metrics", "settings", "factorial")  # float near their mention; the others stand in the appendix


def names(facts: Facts) -> tuple[str, ...]:
    """The tables that this paper has: `[@tab:name]`."""
    found = [name for name in BODY if name != "factorial" or factors.names(facts)]
    found += ["runs", "seeds", "provenance"]
    if facts.confirmed is not None:
        found.append("confirmation")
    if has_further(facts):
        found.append("further")
    if swept_runs(facts):
        found.append("sweeps")
    if diagnostics_of(facts):
        found.append("diagnostics")
    if any(r.findings or any(t.findings for t in r.trainings) for r in facts.records):
        found.append("findings")
    if failed_runs(facts):
        found.append("failed")
    return tuple(found)


def failed_runs(facts: Facts) -> list[RunRecord]:
    """Runs without a result whose costs are known."""
    return [record for record in facts.records if record.spent is not None]


# ---------------------------------------------------------------- in the body


def metrics(facts: Facts) -> str:
    """What each metric means and which direction is better."""
    table = _readings(facts, _read_first(facts))
    return "\\footnotesize\n" + table


def further_metrics(facts: Facts) -> str:
    """The same for the metrics that one page does not hold; "" where it holds all."""
    first = _read_first(facts)
    rest = [name for name in facts.manifest.metrics if name not in first]
    heads = ["Metric", "Better", "How to read it"]
    if not rest:
        return ""
    rows = [_reading(facts, name, _LABEL_PT) for name in rest]
    return long_table(f"{paragraph(_LABEL_PT)} l {paragraph(_READ_PT)}", heads, rows)


_LABEL_PT, _READ_PT = 84.0, 238.0  # of a table of metrics whose names are long
_WIDE_READ = 0.7
_READ_LINES = 46


def _readings(facts: Facts, names: Sequence[str]) -> str:
    width = _metric_label_pt(facts)
    spec = r"l l >{\raggedright\arraybackslash}p{0.7\linewidth}"
    if width is not None:
        spec = f"{paragraph(width)} l {paragraph(_READ_PT)}"
    table = tabular(rf"@{{}}{spec}@{{}}", width=3)
    table.add_row(["Metric", "Better", "How to read it"])
    table.add_hline()
    for name in names:
        table.add_row([NoEscape(cell) for cell in _reading(facts, name, width)])
    return table.dumps()


def _metric_label(facts: Facts, name: str) -> str:
    spec = facts.spec(name)
    return spec.label + (" (primary)" if spec.primary else "")


def _metric_label_pt(facts: Facts) -> float | None:
    """None where every label fits in one line beside the text."""
    labels = max(text_pt(_metric_label(facts, name), LETTERS_PT) for name in facts.manifest.metrics)
    better = max(text_pt(facts.better(name), LETTERS_PT) for name in facts.manifest.metrics)
    return None if labels + better + 24 <= (1 - _WIDE_READ) * LINE_PT else _LABEL_PT


def _reading(facts: Facts, name: str, width: float | None) -> list[str]:
    return [in_lines(_metric_label(facts, name), width), facts.better(name), escape(facts.spec(name).read)]


def _read_first(facts: Facts) -> list[str]:
    """The metrics that one page holds, with how they are read."""
    width = _metric_label_pt(facts)
    room = _READ_PT if width else _WIDE_READ * LINE_PT
    shown: list[str] = []
    lines = 0
    for name in facts.manifest.headline:
        label = lines_of(_metric_label(facts, name), width, LETTERS_PT) if width else [""]
        lines += max(len(label), len(lines_of(facts.spec(name).read, room, LETTERS_PT)))
        if lines > _READ_LINES and shown:
            break
        shown.append(name)
    return shown


def metrics_caption(facts: Facts) -> str:
    how = (
        "measured by the runner on held-out data, outside the experiment's process"
        if facts.manifest.measured
        else "reported by the experiments themselves"
    )
    rest = len(facts.manifest.metrics) > len(_read_first(facts))
    more = " What one page does not hold stands in the appendix, under Further Metrics." if rest else ""
    return f"The metrics, {how}.{more}"


def settings(facts: Facts) -> str:
    """The settings that the session's runs share, of the data and of the training, and what each condition changes."""
    data, training = _settings_rows(facts)
    rows = [*data, *training]
    sizes = [(text_pt(key, LETTERS_PT) * 1.1, text_pt(value, LETTERS_PT)) for key, value in rows]
    if 2 * (max(k for k, _ in sizes) + max(v for _, v in sizes)) > 1.25 * LINE_PT:
        return _settings_in_lines(rows)
    heads = ["Data", "", "Training", ""]
    if not data or not training or max(len(data), len(training)) > 0.75 * len(rows):
        half = -(-len(rows) // 2)
        data, training, heads = rows[:half], rows[half:], ["Setting", "Value", "Setting", "Value"]
    table = tabular(r"l r @{\hspace{3em}} l r", width=4)
    table.add_row(heads)
    table.add_hline()
    for left, right in zip_longest(data, training, fillvalue=("", "")):
        table.add_row([NoEscape(c) for key, value in (left, right) for c in (_setting_name(key), escape(value))])
    return fitted(table.dumps())


def _given(facts: Facts) -> list[tuple[str, str]]:
    """What each run gets besides settings: seeds, or what a script that chooses its own is run with."""
    if facts.manifest.seeded:
        return [("seeds", ", ".join(map(str, facts.explored[0].seeds)) if facts.explored else "--")]
    limits = facts.manifest.profiles[facts.profile].limits
    repeats = {len(s.values) for r in facts.measured for t in r.trainings for s in t.statistics.values() if s.values}
    values = f"{min(repeats)} to {max(repeats)}" if len(repeats) > 1 else str(max(repeats, default=1))
    return [
        ("executions of the script", "1 for each run"),
        ("values behind a reported mean", values),
        ("seeds", "as the script chooses them"),
        ("time limit", f"{limits.wall_s:,.0f} s"),
        ("memory limit", f"{limits.memory_mb:,} MB"),
        ("network", "yes" if facts.manifest.network else "none"),
    ]


Rows = list[tuple[str, str]]


def _settings_rows(facts: Facts) -> tuple[Rows, Rows]:
    """Names and values of what shapes the data, and of the rest. What only a baseline reads that this session does not
    train is left out."""
    first = next(iter(facts.explored), None)
    if first is None:
        return [], _given(facts)
    trained = {run.name for run in facts.explored}
    idle = {key for b in facts.manifest.baselines if b.name not in trained for key in b.settings}
    idle -= {key for b in facts.manifest.baselines if b.name in trained for key in b.settings}
    several = len(first.conditions) > 1
    rows = {key: setting_text(value) for key, value in first.settings.items() if key not in idle}
    for key in rows:
        values = {setting_text(r.settings.get(key, "--")) for r in facts.explored}
        if several and any(key in c.settings for c in first.conditions):
            rows[key] = "by condition"
        elif len(values) > 1:
            rows[key] = "by run"
    for condition in first.conditions:
        own = {key: setting_text(value) for key, value in condition.settings.items()}
        if not several:
            rows |= own
        elif own:
            rows[condition.label] = ", ".join(f"{key} = {value}" for key, value in own.items())
    rows |= dict(_given(facts))
    ours = facts.manifest.data_settings
    return [(k, v) for k, v in rows.items() if k in ours], [(k, v) for k, v in rows.items() if k not in ours]


def _settings_in_lines(rows: Sequence[tuple[str, str]]) -> str:
    """A setting a line, where names or values are long."""
    width = min(150.0, max(text_pt(key, LETTERS_PT) for key, _ in rows) * 1.1 + 4)
    table = tabular(f"{paragraph(width)} {paragraph(LINE_PT - width - 30)}", width=2)
    table.add_row(["Setting", "Value"])
    table.add_hline()
    for key, value in rows:
        name = code(key) if key.isidentifier() else in_lines(key, width)
        table.add_row([NoEscape(name), NoEscape(in_lines(value, LINE_PT - width - 30))])
    return "\\footnotesize\n" + table.dumps()


def _setting_name(key: str) -> str:
    return code(key) if key.isidentifier() else escape(key)


def settings_caption(facts: Facts) -> str:
    if not facts.manifest.seeded:
        return (
            f"What each run of the template {facts.manifest.name} gets from the runner. All other settings stand in "
            f"the template's script, which a run may change; the described run's changes stand in the "
            f"appendix.{_effort(facts)}"
        )
    return (
        f"Settings fixed by the runner for every run (profile {facts.profile} of the template "
        f"{facts.manifest.name}). No run could change them.{_tuning(facts)}{_effort(facts)}"
    )


def _tuning(facts: Facts) -> str:
    """How many settings were tried for each baseline that was trained, where the template says it."""
    trials = facts.trials
    if not trials:
        return ""
    if not any(trials.values()):
        return " They were not tuned for this profile, neither for a baseline nor for another run."
    told = ", ".join(f"{label} {count}" for label, count in trials.items())
    return f" Settings tried for each baseline before these were fixed, in other worlds: {told}; for other runs: none."


def _effort(facts: Facts) -> str:
    """Where the trainings ran, and how long they took."""
    walls = [t.wall_s for r in facts.explored for t in r.whole.trainings if t.outcome == "measured" and t.wall_s > 0]
    devices = machines(facts.explored)
    if not walls or not devices:
        return ""
    if not facts.manifest.seeded:
        shortest, longest = (f"{wall:.1f}" if wall < 10 else fixed(wall, 0) for wall in (min(walls), max(walls)))
        span = longest if shortest == longest else f"{shortest} to {longest}"
        return f" Hardware: {devices}. An execution of the script took {span} s."
    return (
        f" Hardware: {devices}. A training took {fixed(min(walls), 0)} to {fixed(max(walls), 0)} s, all "
        f"{len(walls)} trainings of the exploration {fixed(sum(walls) / 60, 1)} min together."
    )


# ---------------------------------------------------------------- in the appendix


def runs(facts: Facts) -> str:
    """Every run that was tried, with how it ended, and its compute as a multiple of the first baseline's."""
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
    texts = [f.text for f in record.findings if f.grade == "refuse"] + list(record.reasons[-1:])
    texts += [
        f"{t.reason}: {t.detail.strip().splitlines()[-1] if t.detail.strip() else 'no detail'}"
        for t in record.trainings
        if t.outcome in ("failed", "refused")
    ]
    return _cut(texts[0] if texts else "no reason recorded")


def failed(facts: Facts) -> str:
    """Why each attempt of a failed run came to nothing, and what the run took."""
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
    """The paired comparison seed by seed, then what the test says of it."""
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
    # One box, so that it stays on one page; the appendix counts its tables as long ones, which count for themselves.
    return f"\\addtocounter{{table}}{{1}}\\nopagebreak\\vspace{{5pt}}\\noindent\n{fitted(table.dumps())}"


def _confirmation_head(text: str) -> str:
    if text_pt(text, LETTERS_PT) <= _HEAD_PT:
        return escape(text)
    lines = (escape(line) for line in lines_of(text, _HEAD_PT, LETTERS_PT))
    return rf"\columnhead{{{(chr(92) * 2 + ' ').join(lines)}}}"


_HEAD_PT = 120.0


def sweeps(facts: Facts) -> str:
    """Every headline metric of each swept run, a row for each value."""
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
    """All self-reported quantities, by run, name and condition."""
    return [
        series
        for record in facts.measured
        for key in dict.fromkeys(k for t in record.trainings for k in t.diagnostics)
        for condition in facts.condition_names(record)
        if (series := series_of(record, key, condition, "diagnostics"))
    ]


def diagnostics(facts: Facts) -> str:
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
    """What the integrity gate had to say about the runs."""
    found = [
        (record.label + (" (confirmation)" if record.kind == "confirmation" else ""), finding)
        for record in facts.records
        for finding in dict.fromkeys([*record.findings, *(f for t in record.trainings for f in t.findings)])
    ]
    width = max((text_pt(who, LETTERS_PT) for who, _ in found), default=0.0)
    codes = max((CODE_EM * LETTERS_PT * len(f.code) for _, f in found), default=0.0)
    narrow = _LABEL_PT if width + codes + 60 > 0.48 * LINE_PT else None
    first = "l" if narrow is None else paragraph(narrow)
    rows = [[in_lines(who, narrow), f.grade, code(f.code), escape(f.text)] for who, f in found]
    return long_table(
        rf"{first} l l >{{\raggedright\arraybackslash}}p{{0.52\linewidth}}",
        ["Run", "Grade", "Code", "Finding"],
        rows,
        apart=True,
    )
