"""Runs every attack and prints what stopped it; exit status 1 if one got through or left a process.

Groups are independent: each has a process of its own, to which all orphans of its attacks return.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.lab.measuring.scratch import remove
from tests.suites.hostile import groups
from tests.suites.hostile.arena import KEY, KEY_NAME, left_behind
from tests.suites.hostile.attack import Attack, Row, Stopped, first_line
from tests.support import ROOT

AT_ONCE = 2  # groups
GROUP_S = 900.0


@dataclass(frozen=True)
class Wanted:
    """Which attacks are made."""

    only: str  # those whose "group: name" holds this
    sample: bool  # of these, those that make suites would try


# ---------------------------------------------------------------- one group


def rows(group: groups.Group, root: Path, wanted: Wanted) -> Iterator[Row]:
    """Its attacks, one after the other on one stage; then honest work on the same stage."""
    stage = group.stage(root)
    try:
        for attack in chosen(group, wanted):
            yield _row(group.name, attack, stage)
        yield _row(group.name, Attack("afterwards: the session goes on", _goes_on), stage)
    finally:
        stage.close()


def chosen(group: groups.Group, wanted: Wanted) -> list[Attack]:
    attacks = group.sample() if wanted.sample else group.attacks
    return [a for a in attacks if wanted.only in f"{group.name}: {a.name}"]


def _goes_on(stage: groups.Stage) -> Stopped:
    stage.honest()
    return Stopped("-", "honest work is done as before")


def _row(group: str, attack: Attack, stage: groups.Stage) -> Row:
    started = time.monotonic()
    escaped, by, seen = False, "", ""
    try:
        stopped = attack.run(stage)
        by, seen = stopped.by, stopped.seen
        stage.check()
    except Exception as error:  # whatever an attack makes the product raise is an escape as well
        escaped, seen = True, f"{type(error).__name__}: {first_line(str(error), 300)}"
    left = left_behind()
    return Row(
        group, attack.name, "NOTHING" if escaped else by, seen, escaped, left, round(time.monotonic() - started, 2)
    )


# ---------------------------------------------------------------- all of them


def table(scratch: Path, wanted: Wanted) -> list[Row]:
    those = [group for group in groups.GROUPS if chosen(group, wanted)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [row for part in pool.map(lambda group: _elsewhere(group.name, scratch, wanted), those) for row in part]
    return found + ([] if wanted.only else [_no_key(scratch)])


def _elsewhere(name: str, scratch: Path, wanted: Wanted) -> list[Row]:
    """A group in a process of its own."""
    result, log = scratch / f"{name}.rows.json", scratch / f"{name}.log"
    with open(log, "wb") as out:
        command = [
            sys.executable,
            "-m",
            "tests.suites.hostile",
            "--group",
            name,
            "--only",
            wanted.only,
            *(["--sample"] if wanted.sample else []),
            "--root",
            scratch / name,
            "--json",
            result,
        ]
        try:
            subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=GROUP_S)
            return [Row(**row) for row in json.loads(result.read_text())]
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            said = log.read_text(errors="replace").strip().splitlines()[-1:] or [repr(error)]
            return [Row(name, "the whole group", "NOTHING", f"it broke: {said[0]}", True, 0, 0.0)]


def _no_key(scratch: Path) -> Row:
    files = [path for path in scratch.rglob("*") if path.is_file() and not path.is_symlink()]
    holding = [str(path.relative_to(scratch)) for path in files if KEY.encode() in path.read_bytes()]
    seen = f"it stands in {', '.join(holding[:3])}" if holding else f"in none of {len(files)} files of the sessions"
    return Row(
        "all",
        "the planted key, looked for in every file",
        "NOTHING" if holding else "environment by allow-list",
        seen,
        bool(holding),
        0,
        0.0,
    )


def show(found: list[Row]) -> int:
    """The table and the closing line; the exit status."""
    for row in found:
        mark = "ESCAPE " if row.escaped else f"LEFT {row.left} " if row.left else ""
        print(f"{mark}{row.group}: {row.attack} | {row.by} | {row.seen}")
    attacks = sum(not row.attack.startswith("afterwards") for row in found)
    escapes, left = sum(row.escaped for row in found), sum(row.left for row in found)
    print(f"{attacks} attacks, {escapes} escapes, {left} processes left behind")
    return 1 if escapes or left or not attacks else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.hostile", description=__doc__)
    parser.add_argument("--only", default="", help='attacks whose "group: name" holds this')
    parser.add_argument("--sample", action="store_true", help="what `make suites` tries (SUITE_SEED, SUITE_ALL)")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    parser.add_argument("--group", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if os.environ.get(KEY_NAME) != KEY:  # a key set later would not stand in our own /proc/PID/environ
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.suites.hostile", *sys.argv[1:]], {**os.environ, KEY_NAME: KEY}
        )
    wanted = Wanted(args.only, args.sample)
    if args.group:
        group = next(group for group in groups.GROUPS if group.name == args.group)
        found = list(rows(group, args.root, wanted))
    else:
        scratch = Path(tempfile.mkdtemp(prefix="hostile-"))
        scratch.chmod(0o755)
        try:
            found = table(scratch, wanted)
        finally:
            remove(scratch)
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in found]))
    return 0 if args.group else show(found)


if __name__ == "__main__":
    sys.exit(main())
