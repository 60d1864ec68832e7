"""Evaluates `{{ expression }}` and `{% if condition %}` of a paper's Markdown over the run records.

An expression is one call of one function from an allow-list (FUNCTIONS, CONDITIONS); its arguments are texts or lists
of texts. It is parsed with Python's grammar (`ast`), and nothing that a writer typed is executed.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from paper.evidence import clauses, confirmed, factors
from paper.evidence import vocabulary as explored
from paper.evidence.facts import FactError, Facts
from paper.evidence.vocabulary import Result

MAX_LENGTH = 400
_CLAUSES = (*clauses.FUNCTIONS, *factors.FUNCTIONS)
_FORMS: tuple[Callable[..., Result], ...] = (*_CLAUSES, *confirmed.FUNCTIONS, *explored.FUNCTIONS)
FUNCTIONS: dict[str, Callable[..., Result]] = {call.__name__: call for call in _FORMS}
_HELD = (*clauses.CONDITIONS, *factors.CONDITIONS)
CONDITIONS: dict[str, Callable[..., bool]] = {call.__name__: call for call in _HELD}
Argument = str | tuple[str, ...]
Call = tuple[str, tuple[Argument, ...], dict[str, Argument]]


@dataclass(frozen=True)
class Problem:
    """Why an expression has no value, in words for the writer."""

    message: str


def evaluate(source: str, facts: Facts) -> Result | Problem:
    """The value of one expression, or why it has none. Never raises for what a writer typed."""
    value = _value(source, facts, FUNCTIONS)
    return value if isinstance(value, Result | Problem) else Problem("not an expression")


def holds(source: str, facts: Facts) -> bool | Problem:
    """Whether the condition of `{% if ... %}` holds, or the reason why this is not known. It may begin with "not"."""
    positive = source.strip().removeprefix("not ")
    value = _value(positive, facts, CONDITIONS)
    if not isinstance(value, bool):
        return value if isinstance(value, Problem) else Problem("not a condition")
    return value == (positive == source.strip())


def _value(source: str, facts: Facts, known: Mapping[str, Callable[..., Any]]) -> Any:
    call = parse(source, known)
    if isinstance(call, Problem):
        return call
    function, positional, keywords = call
    try:
        inspect.signature(known[function]).bind(facts, *positional, **keywords)
    except TypeError as error:
        return Problem(f"{function}: {error}; write {usage(function, known)}")
    try:
        return known[function](facts, *positional, **keywords)
    except FactError as error:
        return Problem(str(error))


def parse(source: str, known: Mapping[str, Callable[..., Any]] = FUNCTIONS) -> Call | Problem:
    """The function, the arguments and the keyword arguments of an expression, or what is wrong with its form."""
    if len(source) > MAX_LENGTH:
        return Problem(f"an expression is at most {MAX_LENGTH} characters long")
    try:
        body = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Problem('not an expression; write one call such as mean("baseline", "accuracy")')
    if not isinstance(body, ast.Call) or not isinstance(body.func, ast.Name):
        return Problem('an expression is one call such as mean("baseline", "accuracy"), without arithmetic')
    if body.func.id not in known:
        return Problem(f'"{body.func.id}" is not known; there are {", ".join(known)}')
    positional = [_argument(a) for a in body.args]
    keywords = {k.arg: _argument(k.value) for k in body.keywords if k.arg is not None}
    if None in positional or None in keywords.values() or len(keywords) != len(body.keywords):
        return Problem('arguments are names in quotes or lists of them, e.g. versus("ours", "baseline", ["loss"])')
    given = tuple(a for a in positional if a is not None)
    return body.func.id, given, {k: v for k, v in keywords.items() if v is not None}


def _argument(node: ast.expr) -> Argument | None:
    """A text or a list of texts; None for anything else. A text where a list is asked for is a list of one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        texts = [e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
        return tuple(texts) if len(texts) == len(node.elts) else None
    return None


def canonical(source: str) -> str:
    """One spelling for one expression, so that equal expressions share a provenance row."""
    call = parse(source)
    if isinstance(call, Problem):
        return source.strip()
    function, positional, keywords = call
    written = [json.dumps(a, ensure_ascii=False) for a in positional]
    written += [f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in sorted(keywords.items())]
    return f"{function}({', '.join(written)})"


def usage(function: str, known: Mapping[str, Callable[..., Any]] = FUNCTIONS) -> str:
    """A function with its parameters as a writer types them: `mean(run, metric, condition=...)`."""
    parameters = list(inspect.signature(known[function]).parameters.values())[1:]
    shown = [p.name if p.default is p.empty else f"{p.name}=..." for p in parameters]
    return f"{function}({', '.join(shown)})"


def vocabulary(facts: Facts | None = None, whole: Facts | None = None) -> str:
    """The table of expressions for the writer's prompt.

    Args:
        facts: of the runs that the prompt tells of; with them, the text also has the names of runs, metrics and
            settings, and what the clauses print now.
        whole: of all runs of the session, where `facts` has only some of them (few.py).
    """
    lines = ["Measured clauses, which print whole clauses (their word of direction is the records'):"]
    lines += _table(_CLAUSES)
    lines += ["Of the confirmation:", *_table(confirmed.FUNCTIONS)]
    lines += ["Single values, names and counts:", *_table(explored.FUNCTIONS)]
    lines += ["Conditions of {% if ... %}:", *_table(_HELD)]
    lines.append(
        'Arguments are names in quotes, or lists of them: ["accuracy", "loss"]. As a run, "best", "ours" and '
        '"baseline" mean the best measured run of all, of the experiments and of the baselines. A value prints the run '
        "and the metric behind it where its clause does not name them; a clause that names others is refused."
    )
    return "\n".join([*lines, *(_names(facts, whole or facts) if facts is not None else ())])


def forms(facts: Facts) -> str:
    """All expressions by their signatures, and the names that they accept: what a writer needs to repair a sentence."""
    known = [usage(name) for name in FUNCTIONS]
    conditions = [usage(name, CONDITIONS) for name in CONDITIONS]
    return "\n".join([f"  {', '.join(known)}", f"  {{% if ... %}}: {', '.join(conditions)}", *_named(facts)])


def _table(functions: Sequence[Callable[..., Any]]) -> list[str]:
    known = {call.__name__: call for call in functions}
    return [f"  {usage(name, known)}: {' '.join((call.__doc__ or '').split())}" for name, call in known.items()]


def _names(facts: Facts, whole: Facts) -> list[str]:
    return [*_named(facts), "", *standing(facts, whole)]


def _named(facts: Facts) -> list[str]:
    """The names that expressions may use."""
    runs = ", ".join(
        f'"{r.name}"' + ("" if r.status == "measured" else f" ({r.status}: no numbers)") for r in facts.explored
    )
    conditions = facts.condition_names()
    several = " (several: condition=... is needed)" if len(conditions) > 1 else " (one: leave it out)"
    settings = facts.explored[0].settings if facts.explored else {}
    diagnostics = {(r.name, k) for r in facts.measured for t in r.trainings for k in t.diagnostics}
    lines = [
        f"runs: {runs}",
        "metrics: " + ", ".join(f'"{m}" ({facts.direction(m)})' for m in facts.manifest.metrics),
        "conditions: " + ", ".join(f'"{c}"' for c in conditions) + several,
        "settings: " + ", ".join(f'"{k}"' for k in settings),
    ]
    if facts.trials:
        tried = ", ".join(f"{label} {count}" for label, count in facts.trials.items())
        lines.append(
            f"settings tried for each baseline before the session, in other worlds: {tried}; for the runs none"
        )
    if worlds := max((len(r.worlds) for r in facts.explored), default=0):
        lines.append(f"worlds of the exploration: {worlds}, shared by all runs and seeds")
    if changes := factors.names(facts):
        lines.append("changes of the factorial design (`[@tab:factorial]`): " + ", ".join(f'"{c}"' for c in changes))
    if diagnostics:
        lines.append("diagnostics: " + ", ".join(f'"{k}" of "{r}"' for r, k in sorted(diagnostics)))
    return lines


def standing(facts: Facts, whole: Facts) -> list[str]:
    """What the clauses print now, a line each, so that a writer does not contradict them.

    Each run is compared with the run that it starts from and with the baselines; then follow the effects of a factorial
    design and the clauses that most papers need. `facts` has the runs that the prompt tells of, `whole` all runs; the
    ranking is left out where they differ, because it would be too long for a sentence.
    """
    if len(facts.measured) < 2:
        return []
    lines = ["How the runs stand (this is what the clauses print; write nothing that speaks against it):"]
    metrics = ", ".join(f'"{m}"' for m in facts.manifest.metrics)
    for where in facts.condition_names():
        at = f', condition="{where}"' if len(facts.condition_names()) > 1 else ""
        for one, other in combinations(reversed(facts.measured), 2):
            if other.run in (one.parent, "0") or other.kind == "baseline":
                found = evaluate(f'versus("{one.name}", "{other.name}", [{metrics}]{at})', facts)
                lines += [f"  {found.text}{at}"] if isinstance(found, Result) else []
        for name in factors.names(facts):
            found = evaluate(f'factor("{name}", [{metrics}]{at})', facts)
            lines += [f"  {found.text}{at}"] if isinstance(found, Result) else []
    ranked = [f'ranking("{facts.manifest.primary}")'] if len(whole.records) == len(facts.records) else []
    for source in ("guarded()", *ranked, "budget()", "confirmation()"):
        found = evaluate(source, whole)
        lines += [f"  {source} prints: {found.text}"] if isinstance(found, Result) else []
    return lines
