"""The appendix: all runs, values by seed, the origin of every number, and what was cut; from the records alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paper.evidence.confirmed import chosen, fresh, measure
from paper.evidence.facts import Facts, machines
from paper.evidence.prices import price
from paper.evidence.sweeps import swept_runs
from paper.evidence.vocabulary import CONFIRMATION
from paper.press import repeats, tables
from paper.press.code_changes import code_changes
from paper.press.counted import Counted
from paper.press.latex import code, escape
from paper.press.metric_tables import further, has_further
from paper.press.provenance import Rows, provenance
from paper.press.readings_table import further_metrics
from paper.press.seed_table import seeds
from paper.press.tabular import long_table
from paper.truth.complaints import Complaint

if TYPE_CHECKING:
    from paper.press.parts import Dropped, PaperMeta

# Titles by which agent/actions/review.py finds parts of the printed appendix.
RUNS, CODE, PROVENANCE, KINDS = (
    "All Runs",
    "Code of the Described Run",
    "Provenance of Every Number",
    "Kinds of Sentences",
)


@dataclass(frozen=True)
class Appendix:
    """Everything that the appendix is made from."""

    facts: Facts
    rows: Rows
    dropped: tuple[Dropped, ...]
    meta: PaperMeta
    overruled: tuple[Complaint, ...]  # rejections that a person overruled
    figures: tuple[str, ...]  # LaTeX of the figures that the text never mentions
    kinds: Counted  # of the sentences that print


@dataclass(frozen=True)
class Part:
    """One section of the appendix, as LaTeX. `table`: the name by which the text refers to its table, `tab:<name>`."""

    title: str
    label: str
    text: str
    table: str = ""
    caption: str = ""
    body: str = ""


def appendix_parts(given: Appendix) -> tuple[Part, ...]:
    """The sections of the appendix, in order; a section without content is left out."""
    facts = given.facts
    return (
        *_runs(facts),
        *_hyperparameters(given.meta.source),
        _values(facts),
        *_further(facts),
        *_confirmation(facts),
        *_beside_the_comparison(facts),
        *_figures_and_code(given),
        _provenance(given),
        Part(KINDS, "app:kinds", _kinds(given.kinds, given.meta, facts)),
        Part("What Was Left Out", "app:cut", _cut(given)),
        Part("How This Paper Was Made", "app:made", _made(given)),
    )


def _runs(facts: Facts) -> Iterator[Part]:
    but = " but those marked as confirmation" if facts.confirmations else ""
    yield Part(
        RUNS,
        "app:runs",
        f"Every run of the session is listed, also those that failed. All runs{but} are exploratory.",
        "runs",
        "All runs, in the order in which they were made. Compute: seconds of processor (or GPU) of a training, as a "
        "multiple of the first baseline's.",
        tables.runs(facts),
    )
    if tables.failed_runs(facts):
        yield Part(
            "Failed Runs",
            "app:failed",
            "",
            "failed",
            "Every run that has no result, why each of its attempts failed, and what it took: tokens of the models, "
            "their price, and seconds of training. A training that was lost with its machine is not counted.",
            tables.failed(facts),
        )


def _hyperparameters(source: str) -> Iterator[Part]:
    if constants := code_constants(source):
        yield Part(
            "Hyperparameters",
            "app:hyperparameters",
            r"What the runner fixed for all runs stands in Table~\ref{tab:settings}. The described run's code adds the "
            "constants below.",
            "hyperparameters",
            "Constants at the head of the described run's code, with the code's own remarks.",
            _constants(constants),
        )


def _values(facts: Facts) -> Part:
    reported = "Every value, as the experiments reported it themselves." + repeats.in_rows(facts)
    return Part(
        "Values by Seed" if facts.manifest.seeded else "Values by Run",
        "app:seeds",
        "",
        "seeds",
        "Every measured value." if facts.manifest.measured else reported,
        seeds(facts),
    )


def _beside_the_comparison(facts: Facts) -> Iterator[Part]:
    """Sweeps, self-reported quantities and findings of the gate: what no comparison of runs is made of."""
    if swept_runs(facts):
        yield Part(
            "Sweeps",
            "app:sweeps",
            "Some runs were also trained at other values of one number, with the same code and the same seeds.",
            "sweeps",
            "Each sweep, value by value: mean and standard error over seeds."
            + ("" if facts.manifest.measured else " All values are self-reported by the experiments."),
            tables.sweeps(facts),
        )
    if tables.diagnostics_of(facts):
        over = ", mean and standard error over seeds"
        once = " of one execution of the script each"
        yield Part(
            "Self-reported Quantities",
            "app:diagnostics",
            "The experiments wrote these numbers themselves; nobody checked them.",
            "diagnostics",
            f"Self-reported quantities{over if facts.manifest.seeded else once}; the dagger marks what an experiment "
            "reported about itself.",
            tables.diagnostics(facts),
        )
    if tables.has_findings(facts):
        yield Part(
            "Findings of the Integrity Gate",
            "app:findings",
            "",
            "findings",
            "What the checks of the runs remarked.",
            tables.findings(facts),
        )


def _figures_and_code(given: Appendix) -> Iterator[Part]:
    if given.figures:
        words = "These figures are not mentioned in the text."
        yield Part("Further Figures", "app:figures", "\n\n".join([words, *given.figures]))
    if given.meta.diff.strip() and given.facts.measured:
        yield Part(CODE, "app:code", code_changes(given.facts, given.meta.diff))


def _provenance(given: Appendix) -> Part:
    return Part(
        PROVENANCE,
        "app:provenance",
        "Each number and each word of comparison in the text is a link to its row here. It was computed from the named "
        "records by the expression shown; no model typed it.",
        "provenance",
        "Expressions in the order of their first use. Record: the first digits of the SHA-256 of each run record; "
        "commit: the code that was trained.",
        provenance(given.facts, given.rows),
    )


def _constants(constants: list[tuple[str, str, str]]) -> str:
    rows = [[code(name), code(value), escape(remark)] for name, value, remark in constants]
    return long_table(
        r"l >{\raggedright}p{0.3\linewidth} >{\raggedright\arraybackslash}p{0.42\linewidth}",
        ["Name", "Value", "Remark"],
        rows,
    )


def code_constants(source: str) -> list[tuple[str, str, str]]:
    """The constants that a module assigns at its top level, as (name, value, remark); none if it is not valid Python.

    A constant has a name in capitals; its remark is the comment on its line.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = []
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            line = source.splitlines()[(node.end_lineno or node.lineno) - 1]
            remark = line.partition("  # ")[2].strip()
            found.append((node.targets[0].id, _short(ast.unparse(node.value), 120), remark[:1].upper() + remark[1:]))
    return found


def _further(facts: Facts) -> Iterator[Part]:
    """The parts with what the tables of the text have no room for."""
    if goes_on := has_further(facts):
        yield Part(
            "Further Metrics",
            "app:further",
            r"Table~\ref{tab:main} goes on here.",
            "further",
            "Mean and standard error of what the table of the text has no room for; marks as there.",
            further(facts),
        )
    if rest := further_metrics(facts):
        yield Part(
            "How to Read the Further Metrics" if goes_on else "Further Metrics, and How to Read Them",
            "app:readings",
            r"Table~\ref{tab:metrics} goes on here.",
            "readings",
            "Metrics that the table of the text has no room for.",
            rest,
        )


def _confirmation(facts: Facts) -> Iterator[Part]:
    if (found := facts.confirmed) is None:
        return
    paid = (
        f" It is ahead at the price of {escape(price(facts, found.broken, values=True))}: a guard of the template is "
        "broken, so this is no improvement."
        if found.verdict == "price"
        else ""
    )
    averaged = " Each value is a mean over the conditions." if len(facts.condition_names(found.ours.run)) > 1 else ""
    reported = "" if facts.manifest.measured else " All values are self-reported by the experiments."
    yield Part(
        "Confirmation",
        CONFIRMATION,
        f"{escape(found.ours.run.label)}, {chosen(found)} in the exploration, and the "
        f"baseline that was named before the first run, {escape(found.baseline.run.label)}, were trained anew with the "
        f"same code on {fresh(found)}. They are compared once, in the primary metric and by a paired "
        f"two-sided t-test over seeds at the five-percent level; only this comparison may be called an "
        f"improvement.{paid}",
        "confirmation",
        f"The confirmation, seed by seed: {escape(measure(facts, found))} ({found.better} is better)."
        f"{averaged} Standard errors have ddof = 1.{reported}",
        tables.confirmation(found),
    )


def _kinds(kinds: Counted, meta: PaperMeta, facts: Facts) -> str:
    """How many sentences of each kind print, and who judged those in the writer's own words."""
    filled = "measured" if facts.manifest.measured else "filled in from what the experiments reported"
    judge = f" by {escape(meta.judge)}" if meta.judge else ""
    same = " Judge and writer are the same model." if meta.same_judge and kinds.judged else ""
    return (
        f"Of the sentences that print, {kinds.measured} are {filled}: forms with their connecting words. "
        f"{kinds.cited} only cite, and were compared with the cited works. {kinds.told} are told in the writer's own "
        f"words: {kinds.judged} of them were judged{judge} against records, code, settings and plan, and "
        f"{kinds.not_judged} were not judged and print with a mark. {kinds.sent_back} sentences were refused and sent "
        f"back, of which {kinds.cut} were cut.{same}"
    )


def _cut(given: Appendix) -> str:
    if not given.dropped and not given.overruled:
        sent_back = "" if not given.kinds.sent_back else " after some were sent back and rewritten"
        return f"Nothing is missing: no sentence was cut{sent_back}."
    text = []
    if given.dropped:
        text.append("These passages did not pass the checks and were cut from the text.")
        text.append(_items([(d.section, d.sentence, f"{d.code}: {d.text}") for d in given.dropped]))
    if given.overruled:
        text.append("These passages were rejected by the checks and kept by a person's decision.")
        text.append(_items([(c.section, c.sentence, f"{c.code}: {c.literal}") for c in given.overruled]))
    return "\n\n".join(text)


def _items(rows: list[tuple[str, str, str]]) -> str:
    items = "\n".join(
        rf"\item {escape(section.replace('_', ' '))}: ``{escape(_short(sentence))}'' "
        rf"\emph{{{escape(_short(reason))}}}"
        for section, sentence, reason in rows
    )
    return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"


def _short(text: str, most: int = 300) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _made(given: Appendix) -> str:
    facts, meta = given.facts, given.meta
    measured = (
        "All metrics were measured by the runner, outside the experiments' processes."
        if facts.manifest.measured
        else "All metrics were reported by the experiments themselves."
    )
    text = [escape(meta.statement), measured]
    versions = sorted({f"{k} {v}" for r in facts.records for k, v in r.versions.items()})
    sandboxes = dict.fromkeys(r.sandbox for r in facts.records)
    rows = [
        ("Session", meta.session),
        ("Template and profile", f"{facts.manifest.name}, {facts.profile}"),
        ("Rendered from commit", meta.commit),
        ("Hardware", machines(facts.records)),
        ("Sandbox", "; ".join(sandboxes)),
        ("Software", ", ".join(versions)),
        *meta.costs,
        *meta.literature,
    ]
    lines = "\n".join(rf"\item[{escape(label)}] {escape(value)}" for label, value in rows if value)
    text.append(f"\\begin{{description}}\n{lines}\n\\end{{description}}")
    if meta.command:
        text.append(f"This command makes the paper again: {code(meta.command)}.")
    return "\n\n".join(text)
