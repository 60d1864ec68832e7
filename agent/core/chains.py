"""Sessions that continue one another, brought together: each chain stands where its newest session stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def in_chains(names: Sequence[str], after: Mapping[str, str]) -> list[list[str]]:
    """The sessions in groups: those that are linked by `after` together, a session that stands alone by itself.

    Args:
        names: all sessions, oldest first.
        after: the session that each one continues, where it continues one; it may be gone.

    Returns:
        Groups in the order of their newest sessions, oldest first; in each, its sessions in the order of `names`.
    """
    root: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for name in names:  # a session is younger than the one that it continues, so that one was met before
        root[name] = root.get(after.get(name, ""), name)
        groups.setdefault(root[name], []).append(name)
    place = {name: number for number, name in enumerate(names)}
    return sorted(groups.values(), key=lambda group: place[group[-1]])
