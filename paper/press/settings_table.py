"""The table of settings: what the runner fixed for every run, and what each condition changes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from pylatex import NoEscape

from paper.evidence.facts import Facts, machines
from paper.evidence.numbers import fixed, setting_text
from paper.press.latex import code, escape
from paper.press.tabular import LETTERS_PT, fitted, in_lines, paragraph, tabular
from paper.press.widths import LINE_PT, text_pt

Rows = list[tuple[str, str]]  # names and values


def settings(facts: Facts) -> str:
    """The table of settings: those of the data beside those of the training, or one a line where they are long."""
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
    """What each run gets besides settings: its seeds; for a script that chooses its own seeds, its limits."""
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


def _settings_rows(facts: Facts) -> tuple[Rows, Rows]:
    """Names and values of the settings of the data, and of all others.

    Settings that only baselines read which this session does not train are left out.
    """
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
    """A table with one setting a line, for long names or values."""
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
    """The caption, with how the settings were tuned, the hardware, and how long trainings took."""
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
    """A sentence on how many settings were tried for each trained baseline; "" where the template does not say."""
    trials = facts.trials
    if not trials:
        return ""
    if not any(trials.values()):
        return " They were not tuned for this profile, neither for a baseline nor for another run."
    told = ", ".join(f"{label} {count}" for label, count in trials.items())
    return f" Settings tried for each baseline before these were fixed, in other worlds: {told}; for other runs: none."


def _effort(facts: Facts) -> str:
    """Sentences on the hardware and on the duration of trainings; "" where nothing was measured."""
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
