"""Turns formulas into letters, signs, superscripts and subscripts, which a page can show without a script.

A formula with commands that are not known here is shown as it was typed (`typeset` tells them apart).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_SIGNS = """
alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ
sigma σ tau τ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Sigma Σ Phi Φ Psi Ψ Omega Ω
top ⊤ cdot · times × pm ± le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ approx ≈ sim ∼ in ∈ notin ∉ subset ⊂ subseteq ⊆ cup ∪ cap ∩
sum ∑ prod ∏ int ∫ infty ∞ partial ∂ nabla ∇ to → rightarrow → leftarrow ← mapsto ↦ ldots … dots … cdots ⋯ ell ℓ odot ⊙
oplus ⊕ otimes ⊗ circ ∘ langle ⟨ rangle ⟩ lVert ‖ rVert ‖ Vert ‖ lvert | rvert | mid | forall ∀ exists ∃ propto ∝ ll ≪
gg ≫
"""
_WORDS = _SIGNS.split()
SIGNS = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
_WITHOUT = """
mathrm mathbf mathit mathcal mathbb mathsf text textbf textit operatorname left right big Big bigl bigr displaystyle
limits nolimits
"""
DROPPED = frozenset(_WITHOUT.split())  # what changes only how a formula is set
ACCENTS = {"hat": "\u0302", "widehat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "vec": "\u20d7", "dot": "\u0307"}
NAMES = ("min", "max", "exp", "log", "arg", "argmin", "argmax", "ln", "Pr")
_SPACES = {",": " ", ";": " ", ":": " ", "!": "", " ": " ", "|": "‖", "\\": " ", "quad": "  ", "qquad": "    "}
_TOKEN = re.compile(r"\\([A-Za-z]+)\s*|\\(.)|([\^_{}])|(.)", re.DOTALL)
DEEPEST = 12


@dataclass(frozen=True)
class Piece:
    """A part of a formula."""

    kind: Literal["plain", "sup", "sub"]
    text: str


def formula(source: str) -> tuple[Piece, ...]:
    """The pieces of a formula; neighbouring plain pieces are joined."""
    joined: list[Piece] = []
    for piece in _parts(_tokens(source), 0):
        if joined and joined[-1].kind == piece.kind == "plain":
            joined[-1] = Piece("plain", joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return tuple(joined)


def typeset(source: str) -> bool:
    """Whether `formula` understands every part of a formula."""
    bare = re.sub(r"\\[{}\\]", "", source)
    return bare.count("{") == bare.count("}") and not any("\\" in p.text or "&" in p.text for p in formula(source))


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    """The tokens of a formula as (what, text): "command", "mark" (a brace, ^ or _) or "letter"."""
    for found in _TOKEN.finditer(source):
        name, sign, mark, letter = found.groups()
        if name:
            yield "command", name
        elif sign:
            yield ("command", sign) if sign in _SPACES else ("letter", sign)
        else:
            yield ("mark", mark) if mark else ("letter", letter)


def _parts(tokens: Iterator[tuple[str, str]], depth: int, one: bool = False) -> Iterator[Piece]:
    """The pieces up to the end of the group; with `one`, only the first, as TeX takes an argument without braces."""
    for what, text in tokens:
        if (what, text) == ("mark", "}"):
            return
        if depth > DEEPEST:
            yield Piece("plain", text)
        elif what == "mark" and text in "^_":
            yield Piece("sup" if text == "^" else "sub", _words(tokens, depth))
        elif what == "mark":
            yield from _parts(tokens, depth + 1)
        elif what == "command" and text == "frac":
            above, below = _words(tokens, depth), _words(tokens, depth)
            yield Piece("plain", f"{_grouped(above)}/{_grouped(below)}")
        elif what == "command" and text == "sqrt":
            yield Piece("plain", f"√{_grouped(_words(tokens, depth))}")
        elif what == "command" and text in ACCENTS:
            yield Piece("plain", f"{_words(tokens, depth)}{ACCENTS[text]}")
        elif what == "command":
            yield Piece("plain", _sign(text))
        else:
            yield Piece("plain", text)
        if one:
            return


def _words(tokens: Iterator[tuple[str, str]], depth: int) -> str:
    """The next argument as one line of text."""
    marks = {"plain": "", "sup": "^", "sub": "_"}
    return "".join(marks[piece.kind] + piece.text for piece in _parts(tokens, depth + 1, one=True))


def _sign(name: str) -> str:
    if name in DROPPED:
        return ""
    return SIGNS.get(name, _SPACES.get(name, f"{name} " if name in NAMES else f"\\{name} "))


def _grouped(text: str) -> str:
    return text if len(text) == 1 or text.isalnum() else f"({text})"
