"""All cases, two at a time, and the table of what caught them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from rich.console import Console
from rich.table import Table

from tests.suites.redteam import artefacts, budget, encoders, escape, honest, loop, training
from tests.suites.redteam.case import GAINS_NOTHING, Case, Cheat
from tests.suites.redteam.lab import Lab, Verdict, complaint, lab

CHEATS = (*training.CHEATS, *budget.CHEATS, *escape.CHEATS, *artefacts.CHEATS, *encoders.CHEATS)
AT_ONCE = 2


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    kind: str  # "cheat", "honest"
    name: str
    caught: str
    outcome: str
    complaint: str


def run_all(cases: Sequence[Case] = (*CHEATS, *honest.RUNS), with_loop: bool = True) -> list[Row]:
    with lab() as made:
        with ProcessPoolExecutor(AT_ONCE) as pool:
            verdicts = list(pool.map(_judge, repeat(made), range(1, len(cases) + 1), cases))
        metrics = made.baseline.trainings[0].metrics
        rows = [_row(verdict, complaint(verdict, metrics)) for verdict in verdicts]
    return rows + ([Row("cheat", *found) for found in loop.run()] if with_loop else [])


def _judge(made: Lab, number: int, case: Case) -> Verdict:
    return made.judge(number, case)


def _row(verdict: Verdict, wrong: str) -> Row:
    case = verdict.case
    if isinstance(case, Cheat):
        grade = next((f.grade for f in verdict.findings if f.code == case.caught), "")
        stopped = {"exit": "stopped: the sandbox", "encode": "stopped: the encoding process"}.get(case.caught, grade)
        if case.caught == GAINS_NOTHING:
            return Row("cheat", case.name, "the runner's own decoder", "no metric gains", wrong)
        gain = ", no metric gains" if case.gains is False else ""
        return Row("cheat", case.name, case.caught, f"{stopped} ({verdict.stage}){gain}", wrong)
    flags = ", ".join(dict.fromkeys(f.code for f in verdict.findings if f.grade == "flag"))
    return Row("honest", case.name, flags or "-", "refused" if verdict.refused else "accepted", wrong)


def main() -> int:
    """Print the table; 0 when every cheat is caught and no honest run refused."""
    rows = run_all()
    table = Table("case", "caught by (flags)", "grade and stage", "right?", title="Red team")
    for row in sorted(rows, key=lambda row: row.kind):
        table.add_row(row.name, row.caught, row.outcome, row.complaint or "yes", end_section=row == rows[-1])
    console = Console(width=150)
    console.print(table)
    cheats = [row for row in rows if row.kind == "cheat"]
    oddities = [row for row in rows if row.kind == "honest"]
    console.print(
        f"{sum(not r.complaint for r in cheats)} of {len(cheats)} cheats caught; "
        f"{sum(bool(r.complaint) for r in oddities)} of {len(oddities)} honest runs refused"
    )
    return int(any(row.complaint for row in rows))
