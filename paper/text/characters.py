"""The characters that the paper's fonts can print, and how LaTeX writes those that are not plain."""

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
    "`": r"\textasciigrave{}",
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


def writable(character: str) -> bool:
    """Can this character be typeset with the class's fonts?"""
    return character in SPECIAL or character in GREEK or " " <= character <= "~" or "\u00c0" <= character <= "\u017e"
