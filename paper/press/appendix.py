"""The appendix: all runs, settings, values by seed, the origin of every number, and what was cut. From records
alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paper.evidence.confirmation import Confirmation
from paper.evidence.confirmed import chosen, fresh, measure
from paper.evidence.facts import Facts, machines, record_sha256
from paper.evidence.prices import price
from paper.evidence.vocabulary import CONFIRMATION, Result
from paper.press import repeats, tables
from paper.press.counted import Counted
from paper.press.latex import code, code_text, escape, number
from paper.press.metric_tables import further
from paper.press.readings_table import further_metrics
from paper.press.seed_table import seeds
from paper.press.tabular import long_table
from paper.truth.complaints import Complaint

if TYPE_CHECKING:
    from paper.press.parts import Dropped, PaperMeta

MAX_DIFF_LINES = 90  # somewhat more than a page

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
    rows: tuple[tuple[str, Result], ...]  # canonical expression and value, in the order of first use
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
    return tuple(_parts(given))


def _parts(given: Appendix) -> Iterator[Part]:
    facts, names = given.facts, tables.names(given.facts)
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
    if "failed" in names:
        yield Part(
            "Failed Runs",
            "app:failed",
            "",
            "failed",
            "Every run that has no result, why each of its attempts failed, and what it took: tokens of the models, "
            "their price, and seconds of training. A training that was lost with its machine is not counted.",
            tables.failed(facts),
        )
    if constants := code_constants(given.meta.source):
        yield Part(
            "Hyperparameters",
            "app:hyperparameters",
            r"What the runner fixed for all runs stands in "
            r"Table~\ref{tab:settings}. The described run's code adds the constants below.",
            "hyperparameters",
            "Constants at the head of the described run's code, with the code's own remarks.",
            _constants(constants),
        )
    yield Part(
        "Values by Seed" if facts.manifest.seeded else "Values by Run",
        "app:seeds",
        "",
        "seeds",
        "Every measured value."
        if facts.manifest.measured
        else "Every value, as the experiments reported it themselves." + repeats.in_rows(facts),
        seeds(facts),
    )
    yield from _further(facts, names)
    if facts.confirmed is not None:
        yield _confirmation(facts, facts.confirmed)
    if "sweeps" in names:
        yield Part(
            "Sweeps",
            "app:sweeps",
            "Some runs were also trained at other values of one number, with the same code and the same seeds.",
            "sweeps",
            "Each sweep, value by value: mean and standard error over seeds."
            + ("" if facts.manifest.measured else " All values are self-reported by the experiments."),
            tables.sweeps(facts),
        )
    if "diagnostics" in names:
        over = (
            ", mean and standard error over seeds" if facts.manifest.seeded else " of one execution of the script each"
        )
        yield Part(
            "Self-reported Quantities",
            "app:diagnostics",
            "The experiments wrote these numbers themselves; nobody checked them.",
            "diagnostics",
            f"Self-reported quantities{over}; the dagger marks what an experiment reported about itself.",
            tables.diagnostics(facts),
        )
    if "findings" in names:
        yield Part(
            "Findings of the Integrity Gate",
            "app:findings",
            "",
            "findings",
            "What the checks of the runs remarked.",
            tables.findings(facts),
        )
    if given.figures:
        words = "These figures are not mentioned in the text."
        yield Part("Further Figures", "app:figures", "\n\n".join([words, *given.figures]))
    if given.meta.diff.strip() and facts.measured:
        yield Part(CODE, "app:code", _diff(given))
    yield Part(
        PROVENANCE,
        "app:provenance",
        "Each number and each word of comparison in the text "
        "is a "
        "link to its row here. It was computed from the named records by the expression shown; no model typed "
        "it.",
        "provenance",
        "Expressions in the order of their first use. Record: the first digits of the SHA-256 of "
        "each run record; commit: the code that was trained.",
        _provenance(given),
    )
    yield Part(KINDS, "app:kinds", _kinds(given.kinds, given.meta, facts))
    yield Part("What Was Left Out", "app:cut", _cut(given))
    yield Part("How This Paper Was Made", "app:made", _made(given))


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


def _further(facts: Facts, names: tuple[str, ...]) -> Iterator[Part]:
    """The parts with what the tables of the text have no room for."""
    if "further" in names:
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
            "Further Metrics, and How to Read Them" if "further" not in names else "How to Read the Further Metrics",
            "app:readings",
            r"Table~\ref{tab:metrics} goes on here.",
            "readings",
            "Metrics that the table of the text has no room for.",
            rest,
        )


def _confirmation(facts: Facts, found: Confirmation) -> Part:
    paid = (
        f" It is ahead at the price of {escape(price(facts, found.broken, values=True))}: a guard of the template is "
        "broken, so this is no improvement."
        if found.verdict == "price"
        else ""
    )
    averaged = " Each value is a mean over the conditions." if len(facts.condition_names(found.ours.run)) > 1 else ""
    reported = "" if facts.manifest.measured else " All values are self-reported by the experiments."
    return Part(
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


def _provenance(given: Appendix) -> str:
    """A table with a row for each result; below it a paragraph of settings, names and counts, which all records
    share."""
    numbered = list(enumerate(given.rows, start=1))
    rows = [_origin(given.facts, *row) for row in numbered if not _common_to_all(given.facts, row[1][1])]
    table = long_table(
        r"r >{\raggedright}p{0.27\linewidth} >{\raggedright}p{0.265\linewidth} "
        r">{\raggedright}p{0.145\linewidth} >{\raggedright\arraybackslash}p{0.195\linewidth}",
        ["", "Expression", "Prints", "Runs; seeds" if given.facts.manifest.seeded else "Runs", "Record / commit"],
        rows,
        apart=True,
    )
    rest = [
        rf"\resultrow{{{index}}}~{code(expression)} {number(value.text)}"
        for index, (expression, value) in numbered
        if _common_to_all(given.facts, value)
    ]
    if not rest:
        return table
    words = "Settings, names and counts, which every record holds: "
    return f"{table}\n\n{{\\footnotesize\\raggedright {words}{'; '.join(rest)}.\\par}}\n"


def _common_to_all(facts: Facts, value: Result) -> bool:
    return value.kind in ("name", "count") or (value.kind == "setting" and len(value.records(facts)) != 1)


def _origin(facts: Facts, index: int, row: tuple[str, Result]) -> list[str]:
    expression, value = row
    records = value.records(facts)
    shown = records if len(records) <= 3 else ()
    seeds = f"; seeds {_seeds(value.seeds)}" if value.seeds and facts.manifest.seeded else ""
    who = ", ".join(r.run for r in shown) if shown else ("all" if records else "--")
    evidence = r"\newline ".join(rf"{code(record_sha256(r)[:8])}\,/\,{code(r.commit[:8])}" for r in shown)
    return [
        rf"\resultrow{{{index}}}",
        code(expression),
        number(value.text).replace(r"\_", r"\_\allowbreak{}"),  # names of metrics may be long words
        escape(f"{who}{seeds}"),
        evidence or escape("every record of Table ") + r"\ref{tab:runs}",
    ]


def _seeds(seeds: tuple[int, ...]) -> str:
    """Seeds as text: "1, 2, 3"; four or more without gaps as "101 to 105"."""
    if len(seeds) > 3 and seeds == tuple(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _diff(given: Appendix) -> str:
    """The diff to the first baseline's code with added and removed lines marked; of a long diff the beginning."""
    lines = _changed(given.meta.diff.splitlines())
    shown = [_diff_line(line) for line in lines[:MAX_DIFF_LINES]]
    facts = given.facts
    files = " ".join(facts.manifest.editable)
    command = f"git diff {facts.measured[0].commit[:10]} {facts.described.commit[:10]} -- {files}"
    left = f" Its last {len(lines) - MAX_DIFF_LINES} lines are left out." if len(lines) > MAX_DIFF_LINES else ""
    return (
        "The difference between the first baseline's code and the code of the run that this paper describes, a line "
        f"around each change.{left} The whole, in the session's repository: {code(command)}.\n\n"
        "\\begin{difflines}\n" + "\n".join(shown) + "\n\\end{difflines}"
    )


def _changed(lines: Sequence[str]) -> list[str]:
    """The lines of a diff with one line of context around each change, and without git's lines about files."""
    heads = ("index ", "diff --git", "\\ No newline", "--- ", "+++ ")
    body = ["", *(line for line in lines if not line.startswith(heads)), ""]
    near = zip(body, body[1:], body[2:], strict=False)
    return [
        line
        for before, line, after in near
        if line.startswith("@@") or any(x.startswith(("+", "-")) for x in (before, line, after))
    ]


def _diff_line(line: str) -> str:
    kind = {"+": "added", "-": "removed", "@": "hunk"}.get(line[:1], "context")
    code_line = line.replace("\t", "    ")
    indent = len(code_line[1:]) - len(code_line[1:].lstrip())
    text = code_text(code_line.rstrip())
    while r"\ \ " in text or r"~\ " in text:  # a line may end at a single blank, but not inside of an indent
        text = text.replace(r"\ \ ", "~~").replace(r"~\ ", "~~")
    return rf"\diffline{{{kind}}}{{{indent}}}{{{text}}}"


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
