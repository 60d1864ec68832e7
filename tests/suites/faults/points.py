"""Where a session can be hit, and how: every durable effect that its own processes and their children have."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from dataclasses import dataclass

from tests.suites.faults.stage import Seen

DURABLE = (
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "link",
    "symlink",
    "unlink",
    "rmdir",
    "mkdir",
    "connect",
    "exec",
)
ROOM = ("write", "pwrite", "sendfile", "copy_file", "open", "mkdir", "link", "symlink", "rename", "fsync", "fdatasync")
TRAININGS = 6  # one point in so many
# The loop alone, the process at work alone, the machine, a half-written line; the machine and the cache with it, the
# loop while a file of the data is damaged; the process at work is stopped until its session says how it goes on.
KILLS = ("loop", "self", "all", "torn", "uncached", "damaged", "stopped")


@dataclass(frozen=True)
class Point:
    """The `ordinal`-th effect of a stream, between two settled actions; the `among`-th of those with the same words.

    How many effects git has hangs on the hashes of the moment, so the words find it again rather than the ordinal.
    """

    segment: int  # actions that are settled before
    stream: str
    ordinal: int
    how: str  # one of KILLS, or "full": the disk, from here on
    what: str
    among: int

    @property
    def name(self) -> str:
        return f"action {self.segment + 1}, {self.stream} {self.ordinal}, {self.how}: {self.what}"


def is_durable(name: str) -> bool:
    return name.startswith(DURABLE)


def is_line(one: Seen) -> bool:
    """An event that is being written."""
    return one.effect.name == "write" and one.effect.path.endswith("events.jsonl")


def suits(one: Seen, how: str) -> bool:
    """Whether one can be hit in this way here."""
    if how == "torn":
        return is_line(one)
    return needs_room(one.effect.name) if how == "full" else is_durable(one.effect.name)


def needs_room(name: str) -> bool:
    return name.startswith(ROOM)


def points(segment: int, seen: list[Seen], *, every_way: bool, turn: int) -> list[Point]:
    """All points of one segment, from what it did when nothing disturbed it.

    The ways to die take turns from effect to effect, or are all tried at each.
    """
    found: list[Point] = []
    streams: dict[str, list[Seen]] = {}
    for one in seen:
        streams.setdefault(one.stream, []).append(one)
    for stream, effects in streams.items():
        words: Counter[str] = Counter()
        for ordinal, one in enumerate(effects):
            what = in_words(one)
            among = words[what]
            words[what] += 1
            if is_durable(one.effect.name) and not _within_a_run(effects, ordinal):
                ways = _kills(one)
                ways = ways if every_way else [ways[(ordinal + turn) % len(ways)]]
                found += [Point(segment, stream, ordinal, how, what, among) for how in ways]
            if is_line(one):
                found.append(Point(segment, stream, ordinal, "torn", what, among))
            if needs_room(one.effect.name) and not _within_a_run(effects, ordinal, room=True):
                found.append(Point(segment, stream, ordinal, "full", what, among))
    return found


def in_words(one: Seen) -> str:
    """The effect without what is drawn anew in each play: the names of temporary files and of git's objects."""
    path = "/".join(one.effect.path.split("/")[-3:])
    path = re.sub(r"objects/[0-9a-f]{2}(/[0-9a-f]{38})?\b", "objects/*", path)
    path = re.sub(r"tmp_obj_\w+", "tmp_obj_*", re.sub(r"\.\w{8}\.new$", ".*.new", path))
    return f"{one.effect.name} {re.sub(r'[.]git/t[A-Za-z0-9]{6}$', '.git/t*', path)}".strip()


def _kills(one: Seen) -> list[str]:
    if one.stream == "loop" and one.own:
        return ["loop", "uncached"] if one.alone else ["loop", "all", "damaged"]
    if one.stream != "loop":
        ways = ["all", "loop", "self", "damaged", "uncached"]
        return [*ways, "stopped"] if one.own and one.stream != "facts" else ways
    return ["all", "loop", "self"]  # of git and others that somebody waits for


def _within_a_run(effects: list[Seen], ordinal: int, *, room: bool = False) -> bool:
    """A child (git, rm) that does the same thing file after file counts once, at the last of them."""
    one, counts = effects[ordinal], needs_room if room else is_durable
    later = next((e for e in effects[ordinal + 1 :] if counts(e.effect.name)), None)
    return (
        not one.own
        and later is not None
        and later.effect.pid == one.effect.pid
        and later.effect.name == one.effect.name
    )


def chosen(everything: list[Point], number: int, seed: int) -> list[Point]:
    """A sample that comes by every kind of place; points within trainings are the dear ones, so there are fewer."""
    draw = random.Random(seed)
    own, training = (_in_turn([p for p in everything if (p.stream == "loop") is loop], draw) for loop in (True, False))
    ways = len({point.how for point in training})
    few = min(len(training), max(number // TRAININGS, min(ways, number // 2), number - len(own)))
    return [*own[: number - few], *training[:few]]


def _in_turn(points: list[Point], draw: random.Random) -> list[Point]:
    """In a drawn order in which every way to die comes by first, and every kind of effect early."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point.how, point.what.split()[0]), []).append(point)
    for group in groups.values():
        draw.shuffle(group)
    ways = list(groups)
    draw.shuffle(ways)
    before = {way: sum(other[0] == way[0] for other in ways[:n]) for n, way in enumerate(ways)}
    order = [
        groups[way] for way in sorted(ways, key=before.__getitem__)
    ]  # each way once, then each for the second time
    return [p for row in itertools.zip_longest(*order) for p in row if p is not None]
