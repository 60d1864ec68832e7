"""What lies pass, and what honest passages are refused: `python -m tests.suites.truth [--judge MODEL]`.

Without a judge only the checks of form speak. `--cases FILE` adds passages of one's own: a JSON object on each line
with id, kind, section, text and why; files with "lie" in their name hold lies. A key is read from the provider's
variable.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.core.exchange import Call, Message, Reply, Role
from agent.llm.litellm_model import LiteLLMModel
from tests.suites.truth.corpus import HONEST, LIES, passages
from tests.suites.truth.trial import Case, by_form, by_judge
from tests.support import sampling


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the confusion matrix and every passage that came out wrong."""
    options = _parser().parse_args(arguments)
    own = [] if options.only_cases else [*((p, True) for p in LIES), *((p, False) for p in HONEST)]
    for file in options.cases:
        own += [(p, "lie" in file.name) for p in passages(file)]
    chosen = [Case(p, lie) for p, lie in sampling.sample(own, options.sample, "passages") if p is not None]
    cases = [by_form(case) for case in chosen]
    judged: list[Case] = []
    if options.judge:
        model = LiteLLMModel({"reviewer": options.judge}, timeout_s=1800, notify=print, api_base=options.api_base)
        counts: Counter[str] = Counter()

        def ask(step: str, role: Role, messages: list[Message]) -> Reply:
            counts[step] += 1
            return model.complete(messages, Call(step, counts[step], role))

        judged = list(by_judge([case for case in cases if not case.refused], ask, options.seed))
    _print(cases, judged)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.truth", description=__doc__)
    parser.add_argument("--judge", metavar="MODEL", help="a model as the judge, by litellm's name")
    parser.add_argument("--api-base", help="address of an endpoint of one's own")
    parser.add_argument("--cases", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--only-cases", action="store_true", help="leave out the corpus of this suite")
    parser.add_argument("--sample", type=int, default=10_000, metavar="N", help="of all passages; the seed is printed")
    parser.add_argument("--seed", type=int, default=0, help="how passages are mixed into papers")
    return parser


def _print(cases: Sequence[Case], judged: Sequence[Case]) -> None:
    after = {case.passage.id: case for case in judged}
    table = Table("", "passages", "refused by form", "refused by the judge", "print", title="Lies and honest passages")
    console = Console(width=160)
    for lie, name in ((True, "lies"), (False, "honest")):
        mine = [case for case in cases if case.lie == lie]
        form = sum(bool(case.refused) for case in mine)
        judge = sum(bool(case.refused) for case in judged if case.lie == lie)
        left = len(mine) - form - judge
        share = f" ({left / len(mine):.0%})" if mine else ""
        table.add_row(name, str(len(mine)), str(form), str(judge) if judged else "-", f"{left}{share}")
    for case in cases:
        last = after.get(case.passage.id, case)
        if bool(last.refused) != case.lie and (judged or not case.lie):
            wrong = "a lie prints" if case.lie else f"refused: {last.refused}"
            console.print(f"{case.passage.id} ({case.passage.kind}, {case.passage.section}): {wrong}", markup=False)
            console.print(f"    {case.passage.text}", markup=False)
    console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
