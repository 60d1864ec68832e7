"""The provenance appendix: for each expression of the text, what it prints and the records that it was read from."""

from __future__ import annotations

from collections.abc import Sequence

from paper.evidence.facts import Facts, record_sha256
from paper.evidence.vocabulary import Result
from paper.press.latex import code, escape, number
from paper.press.tabular import long_table

Rows = Sequence[tuple[str, Result]]  # canonical expression and value, in the order of first use


def provenance(facts: Facts, printed: Rows) -> str:
    """A table with a row for each result; below it a paragraph of settings, names and counts, which all records
    share."""
    numbered = list(enumerate(printed, start=1))
    rows = [_origin(facts, *row) for row in numbered if not _common_to_all(facts, row[1][1])]
    table = long_table(
        r"r >{\raggedright}p{0.27\linewidth} >{\raggedright}p{0.265\linewidth} "
        r">{\raggedright}p{0.145\linewidth} >{\raggedright\arraybackslash}p{0.195\linewidth}",
        ["", "Expression", "Prints", "Runs; seeds" if facts.manifest.seeded else "Runs", "Record / commit"],
        rows,
        apart=True,
    )
    rest = [
        rf"\resultrow{{{index}}}~{code(expression)} {number(value.text)}"
        for index, (expression, value) in numbered
        if _common_to_all(facts, value)
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
