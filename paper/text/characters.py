"""The characters that the paper's own fonts can print, and the LaTeX of those that cannot be written as themselves."""

from __future__ import annotations

import unicodedata

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\`{}",  # \textasciigrave is a bitmap in TS1
    "±": r"\ensuremath{\pm}",
    "−": r"\ensuremath{-}",
    "×": r"\ensuremath{\times}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "\u00a0": "~",
    "·": r"\ensuremath{\cdot}",
    "→": r"\ensuremath{\rightarrow}",
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "≈": r"\ensuremath{\approx}",
    "↑": r"\ensuremath{\uparrow}",
    "↓": r"\ensuremath{\downarrow}",
    "†": r"\textdagger{}",
    "§": r"\S{}",
    "°": r"\textdegree{}",
    "µ": r"\ensuremath{\mu}",
    "\n": " ",
    "\t": " ",
    "‐": "-",
    "‑": "-",
    "ℓ": r"\ensuremath{\ell}",
    "∞": r"\ensuremath{\infty}",
    "«": r"\guillemotleft{}",
    "»": r"\guillemotright{}",
}


GREEK = {
    chr(code): unicodedata.name(chr(code)).split()[-1].lower()
    for code in range(0x3B1, 0x3CA)
    if code != 0x3C2 and code != 0x3BF
}


# Unicode's combining marks (they belong to the letter before them), and the LaTeX accent that sets each.
ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u ",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r ",
    "\u030b": "H ",
    "\u030c": "v ",
    "\u0323": "d ",
    "\u0327": "c ",
    "\u0328": "k ",
    "\u0331": "b ",
}
BELOW = frozenset("\u0323\u0327\u0328\u0331")


def invisible(character: str) -> bool:
    """Whether a character has no shape of its own: a control, a joiner, a direction mark or a variation selector."""
    return unicodedata.category(character)[0] == "C" or "\ufe00" <= character <= "\ufe0f"


def writable(character: str) -> bool:
    """Whether a character can be typeset with the fonts of the paper's own class."""
    return character in SPECIAL or character in GREEK or " " <= character <= "~" or "\u00c0" <= character <= "\u017e"
