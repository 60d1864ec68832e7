"""Groups sessions that continue one another into chains, for lists of sessions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def in_chains(names: Sequence[str], after: Mapping[str, str]) -> list[list[str]]:
    """The sessions in groups: all sessions of a chain together, and any other session alone.

    Args:
        names: all sessions, oldest first.
        after: for a session that continues another one, that session's name; it may have been deleted.

    Returns:
        Groups in the order of their newest sessions, oldest first; in each, its sessions in the order of `names`.
    """
    root: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for name in names:  # oldest first, so the session that this one continues has its root already
        root[name] = root.get(after.get(name, ""), name)
        groups.setdefault(root[name], []).append(name)
    place = {name: number for number, name in enumerate(names)}
    return sorted(groups.values(), key=lambda group: place[group[-1]])
