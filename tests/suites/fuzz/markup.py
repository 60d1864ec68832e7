"""Mutators for section files alone: math, expressions, citations and Markdown that TeX or the parser could choke on."""

from __future__ import annotations

import re
from random import Random

from paper.text.mathcheck import COMMANDS, ENVIRONMENTS
from tests.suites.fuzz.mutate import MUTATORS, ODD, Mutator

TOKENS = (
    "{",
    "}",
    "^",
    "_",
    "&",
    "\\\\",
    "'",
    "''",
    "x",
    "W",
    "1",
    "(",
    ")",
    "[",
    "]",
    "|",
    "<",
    ">",
    ",",
    " ",
    "~",
    "=",
    "^{",
    "_{",
    "^2",
    "_i",
    "\\,",
    "\\ ",
    "\\%",
    "\\_",
    "\\{",
    "\\}",
    "\\|",
    "\\left(",
    "\\right)",
    "\\left.",
    "\\right|",
    "\\text{so}",
    "\\frac{1}{2}",
    "\\sqrt[3]{x}",
    "\\mathbb{R}",
    "\n",
    '"',
    "!",
    "-",
    "--",
)
MARKS = (
    "[@tab:main]",
    "[@fig:metrics]",
    "[@sec:method]",
    "[@fig:none]",
    "[@",
    "]",
    "![](fig:curves)",
    "![](x.png)",
    "![](",
    '{{ name("ours") }}',
    '{{ mean("ours", "f1") }}',
    '{{ settings("ours") }}',
    "{{",
    "}}",
    "{{ }}",
    "<b>",
    "^",
    "{{ mean('ours','f1',) }}",
    "{{ [][0] }}",
    "{{ mean(*x) }}",
    '{{ "a"*9**9 }}',
    "**",
    "*",
    "`",
    "`a_b%c`",
    "``",
    "&lt;",
    "|a|b|\n|-|-|\n|1|2|",
    "~~a~~",
    "[a](https://example.org)",
    "<https://example.org>",
    "\\",
    "\\input{x}",
    "## A heading\n",
    "### $x^2$ & more\n",
    "#### Too deep\n",
    "- a\n  - b\n    - c\n      - d\n",
    "1. x\n",
    "%",
    "---\n",
    "    code\n",
    "```\nx\n```\n",
    "$$\nx = y\n$$\n",
    "$$ x $$ (eq1)",
    "*Interpretation.*",
    "~",
    "é",
    "#",
    "> q\n",
    "''",
    "ﬁ",
    "ß",
    "†",
    "→",
    "日本",
    "𝒳",
    '"',
    "--",
    "---",
    "…",
    "\u00ad",
    "\u200d",
    "[^1]",
    "[x]: /y\n",
    "_",
)
FORMULA = re.compile(r"\$[^$\n]+\$")


def formulas(text: str, other: str, draw: Random) -> str:
    """Formulas made of what is allowed, in an order that may not be."""
    for _ in range(draw.randint(1, 4)):
        pieces = [draw.choice(TOKENS) if draw.random() < 0.6 else _command(draw) for _ in range(draw.randint(1, 8))]
        if draw.random() < 0.2:
            name = draw.choice(sorted(ENVIRONMENTS))
            pieces = [f"\\begin{{{name}}}", *pieces, f"\\end{{{name}}}"]
        mark = draw.choice(("$", "$", "$", "$$"))
        text = _planted(text, f" {mark}{draw.choice(('', ' ')).join(pieces)}{mark} ", draw)
    return text


def _command(draw: Random) -> str:
    return "\\" + draw.choice(sorted(COMMANDS)) + draw.choice(("", "{x}"))


def bent_formulas(text: str, other: str, draw: Random) -> str:
    """Each formula loses or gains a token."""

    def bend(match: re.Match[str]) -> str:
        tokens = re.findall(r"\\[A-Za-z]+|\\.|.", match[0][1:-1], re.DOTALL)
        at = draw.randrange(len(tokens) + 1)
        tokens[at : at + draw.choice((0, 1, 2))] = [draw.choice(TOKENS)] * draw.choice((0, 1))
        return f"${''.join(tokens)}$"

    return FORMULA.sub(bend, text)


def marks(text: str, other: str, draw: Random) -> str:
    around = ("", " ", "\n\n")
    for _ in range(draw.randint(1, 6)):
        text = _planted(text, draw.choice(around) + draw.choice(MARKS) + draw.choice(around), draw)
    return text


def bent_expressions(text: str, other: str, draw: Random) -> str:
    def bend(match: re.Match[str]) -> str:
        inner = list(match[1])
        at = draw.randrange(len(inner) + 1)
        inner[at : at + draw.choice((0, 1, 3))] = draw.choice(("", "(", '"', ",", "=", *ODD))
        return "{{" + "".join(inner) + "}}"

    return re.sub(r"\{\{(.+?)\}\}", bend, text)


def plain_words(text: str, other: str, draw: Random) -> str:
    """Something that may well be printed, so that more than refusals is compiled."""
    more = "The encoder is *linear*, `W_enc` is its matrix & $W_{\\text{enc}}$ its symbol; “quotes” follow."
    return f"{text}\n\n{more}\n"


def _planted(text: str, piece: str, draw: Random) -> str:
    at = draw.randrange(len(text) + 1)
    return text[:at] + piece + text[at:]


SECTION_MUTATORS: dict[str, Mutator] = {
    **MUTATORS,
    **{f.__name__: f for f in (formulas, bent_formulas, marks, bent_expressions, plain_words)},
    # what matters most to TeX has more turns
    "formulas again": formulas,
    "formulas once more": bent_formulas,
    "marks again": marks,
    "marks once more": marks,
}
