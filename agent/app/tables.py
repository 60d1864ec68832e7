"""Tables and JSON on standard output: plain, because words in them may be anybody's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent.core.visible import line

if TYPE_CHECKING:
    from rich.table import Table


def table(*heads: str, title: str | None = None) -> Table:
    """An empty table without lines around it."""
    from rich.table import Table

    return Table(*heads, title=title, title_justify="left", box=None, pad_edge=False)


def add(to: Table, *cells: str) -> None:
    """A row; what a terminal would obey in a cell is shown as its code."""
    to.add_row(*map(line, cells))


def show(made: Table) -> None:
    """Print a table; words in it are neither markup nor colours."""
    from rich.console import Console

    Console(color_system=None, force_terminal=False, markup=False, emoji=False, highlight=False).print(made)


def show_json(value: Any) -> None:
    """Print one JSON value for a program, in ASCII, so that it arrives on any terminal and in any pipe."""
    print(json.dumps(value, indent=2))
