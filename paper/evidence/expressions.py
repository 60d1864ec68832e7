"""{{ expression }}: parsed with Python's own grammar, evaluated against an allow-list, typed results.

An expression is one call of one known function with literal text arguments. Nothing is executed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass

from paper.evidence import confirmed
from paper.evidence import vocabulary as explored
from paper.evidence.facts import FactError, Facts
from paper.evidence.vocabulary import Result

MAX_LENGTH = 300
FUNCTIONS: dict[str, Callable[..., Result]] = {
    call.__name__: call for call in (*explored.FUNCTIONS, *confirmed.FUNCTIONS)
}


@dataclass(frozen=True)
class Problem:
    """Why an expression has no value, in words for the writer."""

    message: str


def evaluate(source: str, facts: Facts) -> Result | Problem:
    """The value of one expression, or why it has none. Never raises for what a writer typed."""
    call = parse(source)
    if isinstance(call, Problem):
        return call
    function, positional, keywords = call
    try:
        inspect.signature(FUNCTIONS[function]).bind(facts, *positional, **keywords)
    except TypeError as error:
        return Problem(f"{function}: {error}; write {usage(function)}")
    try:
        return FUNCTIONS[function](facts, *positional, **keywords)
    except FactError as error:
        return Problem(str(error))


def parse(source: str) -> tuple[str, tuple[str, ...], dict[str, str]] | Problem:
    """Function, arguments and keyword arguments of an expression."""
    if len(source) > MAX_LENGTH:
        return Problem(f"an expression is at most {MAX_LENGTH} characters long")
    try:
        body = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Problem('not an expression; write one call such as mean("topk", "f1")')
    if not isinstance(body, ast.Call) or not isinstance(body.func, ast.Name):
        return Problem('an expression is one call such as mean("topk", "f1"), without arithmetic')
    if body.func.id not in FUNCTIONS:
        return Problem(f'"{body.func.id}" is not known; there are {", ".join(FUNCTIONS)}')
    positional = tuple(a.value for a in body.args if isinstance(a, ast.Constant) and isinstance(a.value, str))
    keywords = {
        k.arg: k.value.value
        for k in body.keywords
        if k.arg is not None and isinstance(k.value, ast.Constant) and isinstance(k.value.value, str)
    }
    if (len(positional), len(keywords)) != (len(body.args), len(body.keywords)):
        return Problem('arguments are names in quotes, e.g. mean("topk", "f1", condition="sparse")')
    return body.func.id, positional, keywords


def canonical(source: str) -> str:
    """One spelling for one expression, so that equal expressions share a provenance row."""
    call = parse(source)
    if isinstance(call, Problem):
        return source.strip()
    function, positional, keywords = call
    parts = [f'"{a}"' for a in positional] + [f'{k}="{v}"' for k, v in sorted(keywords.items())]
    return f"{function}({', '.join(parts)})"


def usage(function: str) -> str:
    """`mean(run, metric, condition=...)`."""
    parameters = list(inspect.signature(FUNCTIONS[function]).parameters.values())[1:]
    shown = [p.name if p.default is p.empty else f"{p.name}=..." for p in parameters]
    return f"{function}({', '.join(shown)})"


def vocabulary(facts: Facts | None = None) -> str:
    """The table of expressions for the writer's prompt; with facts, also the names that are valid."""
    width = max(len(usage(f)) for f in FUNCTIONS)
    lines = [f"{usage(f):<{width}}  {' '.join((call.__doc__ or '').split())}" for f, call in FUNCTIONS.items()]
    lines.append(
        'Arguments are names in quotes. As a run, "best", "ours" and "baseline" mean the best measured run '
        "of all, of the experiments and of the baselines."
    )
    if facts is not None:
        runs = ", ".join(
            f'"{r.name}"' + ("" if r.status == "measured" else f" ({r.status}: no numbers)") for r in facts.explored
        )
        conditions = facts.condition_names()
        several = " (several: condition=... is needed)" if len(conditions) > 1 else " (one: leave it out)"
        settings = facts.explored[0].settings if facts.explored else {}
        diagnostics = {(r.name, k) for r in facts.measured for t in r.trainings for k in t.diagnostics}
        lines.append(
            "Runs are exploratory: say ahead, behind, higher or lower of them. Only what the confirmation "
            "bears out may be called an improvement, significant or confirmed. Its state: "
            + FUNCTIONS["confirmation"](facts).text
            + "."
        )
        lines += [
            f"runs: {runs}",
            "metrics: " + ", ".join(f'"{m}"' for m in facts.manifest.metrics),
            "conditions: " + ", ".join(f'"{c}"' for c in conditions) + several,
            "settings: " + ", ".join(f'"{k}"' for k in settings),
        ]
        if diagnostics:
            lines.append("diagnostics: " + ", ".join(f'"{k}" of "{r}"' for r, k in sorted(diagnostics)))
    return "\n".join(lines)
