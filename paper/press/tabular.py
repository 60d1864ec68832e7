"""How the paper's tables are set: pylatex and booktabs. Not here: what stands in them (tables.py, metric_tables.py)."""

from __future__ import annotations

from collections.abc import Sequence

from pylatex import LongTable, NoEscape, Tabular

from paper.press.latex import escape

DAGGER = r"\textsuperscript{\dag}"


def long_table(spec: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table over several pages from cells that are LaTeX already."""
    table = long(spec, len(heads))
    head_row(table, heads)
    for row in rows:
        table.add_row([NoEscape(cell) for cell in row])
    return table.dumps()


def tabular(spec: str, width: int | None = None) -> Tabular:
    """A table of one piece, ruled as booktabs does."""
    return Tabular(spec, booktabs=True, width=width)


def long(spec: str, width: int) -> LongTable:
    """A table that may run over pages; it counts itself."""
    return LongTable(spec, booktabs=True, width=width)


def head_row(table: LongTable, heads: Sequence[str]) -> None:
    """Repeated on each page."""
    table.add_row([NoEscape(escape(h)) for h in heads])
    table.add_hline()
    table.end_table_header()


def fitted(table: str, close: bool = False) -> str:
    """Never wider than the text; `close`: many columns, set smaller and nearer first."""
    before = "\\manycolumns\n" if close else ""
    return f"{before}\\begin{{adjustbox}}{{max width=\\linewidth}}\n{table}\n\\end{{adjustbox}}"
