"""How the paper's tables are set, with pylatex and booktabs. Their content comes from the modules of each table."""

from __future__ import annotations

from collections.abc import Sequence

from pylatex import LongTable, NoEscape, Tabular

from paper.press.latex import escape
from paper.press.widths import CODE_EM, LINE_PT, lines_of, shares, text_pt

DAGGER = r"\textsuperscript{\dag}"
LETTERS_PT = 8.0  # of \footnotesize, in which all tables are set
GAP_PT = 9.0  # between two columns of a table in the appendix
APART = r"\addlinespace[3pt]"  # between two rows, or groups of rows
_SLACK = 0.96  # share of a width that is used, because the widths of words are estimates


class Columns:
    """The columns of a long table, made to fit the page by breaking the words of the widest columns into lines.

    Args:
        kinds: a letter for each column: l for words, c for code (in which lines break at signs), r for numbers.
        heads, rows: the texts of the cells, not LaTeX.
    """

    def __init__(self, kinds: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.kinds = kinds
        widths = [
            max(_width(kind, text) for text in (heads[i], *(row[i] for row in rows))) for i, kind in enumerate(kinds)
        ]
        room = LINE_PT - GAP_PT * (len(kinds) - 1)
        self.widths = shares(widths, [kind != "r" for kind in kinds], room)

    @property
    def spec(self) -> str:
        """LaTeX's specification of the columns."""
        return " ".join(
            ("l" if kind == "c" else kind) if width is None else paragraph(width)
            for kind, width in zip(self.kinds, self.widths, strict=True)
        )

    def words(self, index: int, text: str) -> str:
        """A cell of words, in lines that fit its column."""
        return in_lines(text, self.widths[index])


def _width(kind: str, text: str) -> float:
    return CODE_EM * LETTERS_PT * len(text) if kind == "c" else text_pt(text, LETTERS_PT) / _SLACK


def paragraph(width: float) -> str:
    """LaTeX's specification of a column in which words are broken into lines, by its width in points."""
    return rf">{{\raggedright\arraybackslash}}p{{{width / LINE_PT:.3f}\linewidth}}"


def in_lines(text: str, width: float | None) -> str:
    """Words as LaTeX, broken into lines of a width in points; None: in one line."""
    if width is None:
        return escape(text)
    return r"\newline ".join(escape(line) for line in lines_of(text, width * _SLACK, LETTERS_PT))


def long_table(spec: str, heads: Sequence[str], rows: Sequence[Sequence[str]], apart: bool = False) -> str:
    """A table that may run over pages. The heads are plain text, the cells LaTeX. `apart`: adds space between rows."""
    table = long(spec, len(heads))
    head_row(table, heads)
    for index, row in enumerate(rows):
        if apart and index:
            table.append(NoEscape(APART))
        table.add_row([NoEscape(cell) for cell in row])
    return table.dumps()


def tabular(spec: str, width: int | None = None) -> Tabular:
    """A table that stays on one page, with the rules of booktabs. `width`: its number of columns."""
    return Tabular(spec, booktabs=True, width=width)


def long(spec: str, width: int) -> LongTable:
    """A table that may run over pages; LaTeX counts it by itself."""
    return LongTable(spec, booktabs=True, width=width)


def head_row(table: LongTable, heads: Sequence[str], latex: bool = False) -> None:
    """Add a head that is repeated on each page. `latex`: the heads are LaTeX, not plain text."""
    table.add_row([NoEscape(h if latex else escape(h)) for h in heads])
    end_head(table)


def end_head(table: LongTable) -> None:
    """Make the rows so far the head, which is repeated on each page, and end each page's part with a rule."""
    table.add_hline()
    table.end_table_header()
    table.append(NoEscape(r"\bottomrule\endfoot\endlastfoot"))


def fitted(table: str, close: bool = False) -> str:
    """The table shrunk to the width of the text if it is wider. `close`: sets many columns in smaller type first."""
    before = "\\manycolumns\n" if close else ""
    return f"{before}\\begin{{adjustbox}}{{max width=\\linewidth}}\n{table}\n\\end{{adjustbox}}"
