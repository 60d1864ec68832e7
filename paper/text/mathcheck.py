r"""Which formulas a writer may use: an allow-list of commands, checked token by token.

No command on the list reads or writes files, defines commands or changes category codes; length and nesting are
bounded. Whether the numbers in a formula may be typed is decided in paper/reading/numerals.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_LENGTH = 600
MAX_NESTING = 8

_GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi rho "
    "varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon "
    "Phi Psi Omega"
)
_OPERATORS = (
    "sum prod int min max argmin argmax log exp ln sin cos tan tanh lim sup inf Pr det dim ker gcd "
    "partial nabla cdot times pm mp div circ odot otimes oplus ast star bullet cup cap setminus wedge vee "
    "le leq ge geq ne neq lt gt ll gg approx sim simeq equiv propto in notin ni subset subseteq supset "
    "supseteq to rightarrow leftarrow leftrightarrow Rightarrow Leftarrow Leftrightarrow mapsto mid parallel "
    "perp forall exists neg infty ell Re Im emptyset varnothing top bot langle rangle lVert rVert lvert "
    "rvert Vert vert lfloor rfloor lceil rceil ldots cdots vdots ddots dots prime dagger"
)
_WITH_ARGUMENTS = (
    "frac tfrac dfrac binom sqrt hat widehat tilde widetilde bar overline vec dot ddot underline "
    "underbrace overbrace mathbb mathbf mathcal mathrm mathit mathsf boldsymbol operatorname text "
    "textrm"
)
_LAYOUT = "left right big Big bigl bigr Bigl Bigr quad qquad limits nolimits displaystyle textstyle begin end"
_SYMBOLS = {"\\,", "\\;", "\\:", "\\!", "\\ ", "\\{", "\\}", "\\|", "\\\\", "\\_", "\\%", "\\&"}
COMMANDS = frozenset(f"{_GREEK} {_OPERATORS} {_WITH_ARGUMENTS} {_LAYOUT}".split())
ENVIRONMENTS = frozenset({"aligned", "cases", "matrix", "pmatrix", "bmatrix"})

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}&^_~#%$]|[^\\{}&^_~#%$]", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9\s+\-*/=<>()\[\]|.,;:!?'\"^_&~]")
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{([^{}]*)\}")
_WORDS = re.compile(r"\\(?:text|textrm|mathrm|operatorname)\s*\{([^{}]*)\}")


def problems(source: str) -> tuple[str, ...]:
    """What is wrong with a formula, each as `literal: reason`; empty if nothing is."""
    return tuple(dict.fromkeys(_problems(source)))


def words(source: str) -> str:
    r"""The words inside \text{...} and similar commands, which are checked for typed numbers like any prose."""
    return " ".join(_WORDS.findall(source))


def _problems(source: str) -> Iterator[str]:
    if not source.strip():
        yield "$$: empty formula"
    if len(source) > MAX_LENGTH:
        yield f"{source[:30]}...: a formula has at most {MAX_LENGTH} characters"
    depth = 0
    for token in _TOKEN.findall(source):
        if token == "{":
            depth += 1
            if depth > MAX_NESTING:
                yield f"{{: braces nest deeper than {MAX_NESTING}"
        elif token == "}":
            depth -= 1
            if depth < 0:
                yield "}: a brace closes that was never opened"
                depth = 0
        elif token.startswith("\\"):
            if token[1:] not in COMMANDS and token not in _SYMBOLS:
                yield f"{token}: this command is not allowed in math"
        elif not _PLAIN.match(token):
            yield f"{token}: this character is not allowed in math"
    if depth:
        yield "{: a brace is never closed"
    yield from _structure(source)


def _structure(source: str) -> Iterator[str]:
    """What TeX would stop at: unpaired environments or \\left/\\right, double scripts, alignment outside of one."""
    stack: list[str] = []
    for kind, name in _ENVIRONMENT.findall(source):
        if name not in ENVIRONMENTS:
            yield f"{name}: this environment is not allowed; there are {', '.join(sorted(ENVIRONMENTS))}"
        elif kind == "begin":
            stack.append(name)
        elif not stack or stack.pop() != name:
            yield f"\\end{{{name}}}: does not match its \\begin"
    if stack:
        yield f"\\begin{{{stack[-1]}}}: is never closed"
    begins = len(re.findall(r"\\(?:begin|end)(?![A-Za-z])", source))
    if begins != len(_ENVIRONMENT.findall(source)):
        yield "\\begin: an environment needs a name in braces"
    lefts, rights = (len(re.findall(rf"\\{side}(?![A-Za-z])", source)) for side in ("left", "right"))
    if lefts != rights:
        yield "\\left: does not match \\right"
    if re.search(r"([\^_])\s*(?:\{[^{}]*\}|\\[A-Za-z]+|[^\s{}\\])\s*\1", source) or re.search(r"[\^_]\s*[\^_]", source):
        yield "^ or _: two scripts in a row; use braces"
    if re.search(r"[\^_]\s*($|\}|&|\\\\)", source):
        yield "^ or _: nothing follows it"
    if ("&" in source.replace("\\&", "") or "\\\\" in source) and "\\begin" not in source:
        yield "&: alignment needs \\begin{aligned} ... \\end{aligned}"
    for text in _WORDS.findall(source):
        if len(text) > 40 or not re.fullmatch(r"[A-Za-z \-,.]*", text):
            yield f"{text[:30]}: words in math are short and hold letters only"
