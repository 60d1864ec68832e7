"""Tables and JSON on standard output, without markup or colours, because texts in them may come from strangers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent.core.visible import line

if TYPE_CHECKING:
    from rich.table import Table


def table(*heads: str, title: str | None = None) -> Table:
    """An empty table without lines around it. A cell is never cut: what is too long for its column goes on below."""
    from rich.table import Column, Table

    columns = (Column(head, overflow="fold") for head in heads)
    return Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)


def add(to: Table, *cells: str) -> None:
    """Adds a row; control characters in a cell are shown as their codes."""
    to.add_row(*map(line, cells))


def show(made: Table) -> None:
    """Prints a table; rich's markup and emoji codes in its texts are printed as they are."""
    from rich.console import Console

    Console(color_system=None, force_terminal=False, markup=False, emoji=False, highlight=False).print(made)


def show_json(value: Any) -> None:
    """Print one JSON value for a program, in ASCII, so that it arrives on any terminal and in any pipe."""
    print(json.dumps(value, indent=2))
