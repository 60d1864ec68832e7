"""Compares a committed paper.tex, its figures and its PDF with what was rendered again from the records.

Texts and bytes come in, problems come out. Git, TeX and the command are in agent/publishing/verify.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

from paper.evidence.vocabulary import Result
from paper.press.parsed import page_texts, strokes
from paper.press.parts import Rendered

Rows = Sequence[tuple[str, Result]]
_DIGITS = re.compile(r"\d")
_DECIMAL = re.compile(r"\d[\d,]*\.\d+")
_RESULT = re.compile(r"\\result\{(\d+)\}\{")
_LENGTHS = re.compile(r"(?:width=)?[\d.]+\\(?:line|figure)width|\[-?[\d.]+(?:pt|em)\]|\{[\d.]+(?:pt|em|in)\}")
_MACROS = re.compile(r"\\(?:allowbreak|char\d+)\{\}")


class Problem(NamedTuple):
    """One difference. `numbers`: how many printed numbers are therefore not verified."""

    where: str
    what: str
    numbers: int = 0


# ---------------------------------------------------------------- paper.tex


def count_numbers(rendered: Rendered) -> int:
    """How many numbers a paper prints: results in the text, and values in the tables."""
    return sum(len(_numbers(line, rendered.rows)) for line in rendered.tex.splitlines())


def compare_tex(committed: str, rendered: Rendered) -> list[Problem]:
    """Where a committed paper.tex differs from the rendered one, line by line."""
    if committed == rendered.tex:
        return []
    found = []
    old, new = committed.splitlines(), rendered.tex.splitlines()
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for offset, (printed, given) in enumerate(zip_longest(old[a:b], new[c:d])):
            where = f"paper/paper.tex, line {min(a + offset, len(old)) + 1}{_piece(old, a + offset)}"
            found.append(_line_problem(where, printed, given, rendered.rows))
    return found or [Problem("paper/paper.tex", "its line ends were changed")]


def _line_problem(where: str, printed: str | None, given: str | None, rows: Rows) -> Problem:
    lost = Counter(_numbers(given or "", rows)) - Counter(_numbers(printed or "", rows))
    numbers = sum(lost.values())
    if printed is None or given is None:
        what = (
            f"lacks {_short(given)!r}, which the records give"
            if printed is None
            else f"prints {_short(printed)!r}, which nothing in the repository gives"
        )
        return Problem(where, what, numbers)
    one, two = _first_difference(_pieces(printed), _pieces(given))
    return Problem(
        where, f"prints {_short(one)!r} where the record gives {_short(two)!r}{_expression(two, rows)}", numbers
    )


def _pieces(line: str) -> list[str]:
    """A line in pieces that a message can quote: words, table cells and whole results."""
    pieces, start = [], 0
    for match in _RESULT.finditer(line):
        if match.start() < start:
            continue
        end = _closing(line, match.end())
        pieces += re.split(r"(?<=&)|\s+", line[start : match.start()]) + [line[match.start() : end]]
        start = end
    return [p for p in pieces + re.split(r"(?<=&)|\s+", line[start:]) if p]


def _numbers(line: str, rows: Rows) -> list[str]:
    """The numbers of a line: results of the text unless they are only a name, and table cells with a digit."""
    found = []
    for match in _RESULT.finditer(line):
        row = int(match[1])
        if row > len(rows) or rows[row - 1][1].kind != "name":
            found.append(line[match.start() : _closing(line, match.end())])
    if "&" in line and r"\\" in line and r"\resultrow" not in line:
        found += [cell for cell in re.split(r"(?<!\\)&", line)[1:] if _DIGITS.search(_MACROS.sub("", cell))]
    return found


def printed_numbers(line: str) -> list[str]:
    """The numbers of a line of a paper.tex of any version of this program, without layout commands."""
    return [_MACROS.sub("", _LENGTHS.sub(" ", piece)) for piece in _numbers(line, ())]


def _closing(text: str, start: int) -> int:
    """The index behind the brace that closes the group which begins just before `start`."""
    depth = 1
    for index in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index + 1
    return len(text)


def _piece(lines: Sequence[str], index: int) -> str:
    """The piece of the paper (e.g. " (results:4.2)") to which a line of paper.tex belongs; "" if it has none."""
    for line in reversed(lines[: index + 1]):
        if line.startswith("% piece: "):
            return f" ({line.removeprefix('% piece: ')})"
        if line.startswith(r"\label{app:"):
            return f" ({line.removeprefix(chr(92) + 'label{').rstrip('}')})"
    return ""


def _expression(piece: str, rows: Rows) -> str:
    """The expression that printed a result, with the runs that it reads, e.g. " (mean(...), from plain)"."""
    match = _RESULT.search(piece) or re.search(r"\\resultrow\{(\d+)\}", piece)
    if match is None or not 0 < int(match[1]) <= len(rows):
        return ""
    expression, value = rows[int(match[1]) - 1]
    return f" ({expression}, from {', '.join(value.runs) or 'no run'})"


# ---------------------------------------------------------------- paper.pdf


def compare_pages(printed: Sequence[str], wanted: Sequence[str], rows: Rows) -> list[Problem]:
    """Where the text of a PDF differs from that of the PDF that was compiled again, page by page."""
    found = []
    if len(printed) != len(wanted):
        found.append(Problem("paper.pdf", f"has {len(printed)} pages; the paper of this repository has {len(wanted)}"))
    for number, (one, two) in enumerate(zip(printed, wanted, strict=False), start=1):
        old, new = one.split(), two.split()
        for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                was, is_now = " ".join(new[c:d]), " ".join(old[a:b])
                found.append(
                    Problem(
                        f"paper.pdf, page {number}, after {' '.join(old[max(0, a - 4) : a])!r}",
                        f"prints {_short(is_now)!r} where the record gives {_short(was)!r}{_behind(new[c:d], rows)}",
                        sum(bool(_DIGITS.search(word)) for word in new[c:d]),
                    )
                )
    return found


def numerals(texts: Iterable[str]) -> Counter[str]:
    """Every number of these pages with how often it occurs; line and page breaks make no difference."""
    return Counter(re.findall(r"[-−+]?\d[\d,]*(?:\.\d+)?", re.sub(r"\.\n(?=\d)", ".", "\n".join(texts))))


def missing_numbers(pages: Sequence[str], rendered: Rendered) -> list[Problem]:
    """Decimal numbers and results of paper.tex that the text of a PDF lacks; for machines without TeX.

    Numbers that figures print are not counted, because a number that a figure shows too would hide a changed one.
    """
    text = _unbroken(pages)
    printed, found = Counter(_DECIMAL.findall(text)), []
    for name, path in rendered.files.items():
        if path.suffix == ".pdf" and f"{{{name}}}" in rendered.tex:
            printed -= Counter(_DECIMAL.findall(_unbroken(page_texts(path.read_bytes()) or [])))
    lines = rendered.tex.splitlines()
    for index, line in enumerate(lines):
        if line.startswith("%"):
            continue
        for literal in _DECIMAL.findall(_LENGTHS.sub(" ", _MACROS.sub("", line))):
            printed[literal] -= 1
            if printed[literal] < 0:
                found.append(
                    Problem(
                        "paper.pdf",
                        f"lacks a {literal} that the records give in line {index + 1} of "
                        f"paper.tex{_piece(lines, index)}{_behind([literal], rendered.rows)}",
                        1,
                    )
                )
    squeezed = _squeezed(text)
    found += [
        Problem("paper.pdf", f"lacks {value.text!r} ({expression})", 1)
        for expression, value in rendered.rows
        if _squeezed(value.text) not in squeezed
    ]
    return found


def _unbroken(pages: Sequence[str]) -> str:
    return re.sub(r"\.\s*\n(?=\d)", ".", "\n".join(pages))


def _behind(words: Sequence[str], rows: Rows) -> str:
    """The first expression that prints one of these numbers, as `_expression` words it."""
    for word in words:
        wanted = word.strip(".,;()")
        for expression, value in rows:
            if _DIGITS.search(wanted) and wanted in value.text.replace("-", "−").split():
                return f" ({expression}, from {', '.join(value.runs) or 'no run'})"
    return ""


def _squeezed(text: str) -> str:
    return re.sub(r"\s+|-\n", "", text).replace("−", "-").lower()


# ---------------------------------------------------------------- figures


def same_drawing(one: bytes, two: bytes) -> bool:
    """Whether two figures (PDF) show the same; coordinates may differ by 0.01 pt, because machines round
    differently."""
    if one == two:
        return True
    a, b = strokes(one), strokes(two)
    if a is None or b is None:
        return False
    return len(a) == len(b) and all(x == y or _close(x, y) for x, y in zip(a, b, strict=True))


def _close(x: str, y: str) -> bool:
    try:
        return abs(float(x) - float(y)) < 0.01  # points
    except ValueError:
        return False


# ---------------------------------------------------------------- shared


def _first_difference(old: Sequence[str], new: Sequence[str]) -> tuple[str, str]:
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            return " ".join(old[a:b]), " ".join(new[c:d])
    return " ".join(old), " ".join(new)


def _plain(tex: str) -> str:
    """A piece of LaTeX approximately as a reader sees it, for messages."""
    text = re.sub(r"\\result(?:row)?\{\d+\}", "", tex).replace(r"\ensuremath{\pm}", "±").replace(r"\pm", "±")
    text = text.replace(r"\plusminus", " ± ")
    text = re.sub(r"\\[a-zA-Z]+|\\[,\\]|[{}$%&~]", " ", text.replace(r"\ensuremath{-}", "−"))
    return " ".join(text.split()) or tex.strip()


def _short(text: str | None, most: int = 90) -> str:
    text = _plain(text or "")
    return text if len(text) <= most else text[: most - 3] + "..."
