"""How the paper's tables are set: pylatex and booktabs. Not here: what stands in them (tables.py, metric_tables.py)."""

from __future__ import annotations

from collections.abc import Sequence

from pylatex import LongTable, NoEscape, Tabular

from paper.press.latex import escape
from paper.press.widths import CODE_EM, LINE_PT, lines_of, shares, text_pt

DAGGER = r"\textsuperscript{\dag}"
LETTERS_PT = 8.0  # of \footnotesize, in which all tables are set
GAP_PT = 9.0  # between two columns of a table in the appendix
APART = r"\addlinespace[3pt]"  # between two rows, or groups of rows
_SLACK = 0.96  # widths are estimated


class Columns:
    """The columns of a long table, made as narrow as the page asks: words of a wide column go into lines.

    `kinds`: l for words, c for code (which breaks at its signs), r for numbers; `rows` are plain text.
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
    """A column of words in lines, by its width in points."""
    return rf">{{\raggedright\arraybackslash}}p{{{width / LINE_PT:.3f}\linewidth}}"


def in_lines(text: str, width: float | None) -> str:
    """Words as LaTeX, in lines of a width in points; None: in one line."""
    if width is None:
        return escape(text)
    return r"\newline ".join(escape(line) for line in lines_of(text, width * _SLACK, LETTERS_PT))


def long_table(spec: str, heads: Sequence[str], rows: Sequence[Sequence[str]], apart: bool = False) -> str:
    """A table over several pages from cells that are LaTeX already. `apart`: rows are of several lines each."""
    table = long(spec, len(heads))
    head_row(table, heads)
    for index, row in enumerate(rows):
        if apart and index:
            table.append(NoEscape(APART))
        table.add_row([NoEscape(cell) for cell in row])
    return table.dumps()


def tabular(spec: str, width: int | None = None) -> Tabular:
    """A table of one piece, ruled as booktabs does."""
    return Tabular(spec, booktabs=True, width=width)


def long(spec: str, width: int) -> LongTable:
    """A table that may run over pages; it counts itself."""
    return LongTable(spec, booktabs=True, width=width)


def head_row(table: LongTable, heads: Sequence[str], latex: bool = False) -> None:
    """Repeated on each page, whose part of the table ends with a rule. `latex`: the heads are LaTeX already."""
    table.add_row([NoEscape(h if latex else escape(h)) for h in heads])
    end_head(table)


def end_head(table: LongTable) -> None:
    """What stands above is repeated on each page, and a rule ends each page's part."""
    table.add_hline()
    table.end_table_header()
    table.append(NoEscape(r"\bottomrule\endfoot\endlastfoot"))


def fitted(table: str, close: bool = False) -> str:
    """Never wider than the text; `close`: many columns, set smaller and nearer first."""
    before = "\\manycolumns\n" if close else ""
    return f"{before}\\begin{{adjustbox}}{{max width=\\linewidth}}\n{table}\n\\end{{adjustbox}}"
