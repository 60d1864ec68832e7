"""Runs every attack and prints what stopped it; exit status 1 if one got through or left a process."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.scratch import remove
from tests.hostile import groups
from tests.hostile.arena import KEY, KEY_NAME, left_behind
from tests.hostile.attack import Attack, Row, Stopped, first_line


def rows(root: Path, only: str) -> Iterator[Row]:
    for group in groups.GROUPS:
        chosen = [a for a in group.attacks if only in group.name or only in a.name]
        if not chosen:
            continue
        stage = group.stage(root / group.name.replace(" ", "-"))
        try:
            for attack in chosen:
                yield _row(group.name, attack, stage)
            yield _row(group.name, Attack("afterwards: the session goes on", lambda stage: _goes_on(stage)), stage)
        finally:
            stage.close()
    if not only:
        yield _row("all", Attack("the planted key, looked for in every file", lambda root: _no_key(root)), root)


def _goes_on(stage: groups.Stage) -> Stopped:
    stage.honest()
    return Stopped("-", "honest work is done as before")


def _row(group: str, attack: Attack, stage: object) -> Row:
    started = time.monotonic()
    escaped, by, seen = False, "", ""
    try:
        stopped = attack.run(stage)
        by, seen = stopped.by, stopped.seen
        if isinstance(stage, groups.Stage):
            stage.check()
    except Exception as error:  # whatever an attack makes the product raise is an escape as well
        escaped, seen = True, f"{type(error).__name__}: {first_line(str(error), 300)}"
    left = left_behind()
    return Row(group, attack.name, by or "NOTHING", seen, escaped, left, round(time.monotonic() - started, 2))


def _no_key(root: Path) -> Stopped:
    count = 0
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            count += 1
            if KEY.encode() in path.read_bytes():
                raise AssertionError(f"the planted key stands in {path.relative_to(root)}")
    return Stopped("environment by allow-list", f"not in any of {count} files of the sessions")


def _show(found: list[Row], wall_s: float, console: Console) -> int:
    table = Table("attack", "what stopped it", "seen", box=None, pad_edge=False)
    for row in found:
        style = "bold red" if row.escaped or row.left else ""
        table.add_row(f"{row.group}: {row.attack}", row.by, row.seen, style=style)
    console.print(table, markup=False) if console.is_terminal else _plain(found)
    real = [row for row in found if not row.attack.startswith("afterwards")]
    escapes, left = sum(row.escaped for row in found), sum(row.left for row in found)
    print(f"{len(real)} attacks, {escapes} escapes, {left} processes left behind")
    print(f"({wall_s:.0f} s)", file=sys.stderr)
    return 1 if escapes or left else 0


def _plain(found: list[Row]) -> None:
    for row in found:
        mark = "ESCAPE " if row.escaped else f"LEFT {row.left} " if row.left else ""
        print(f"{mark}{row.group}: {row.attack} | {row.by} | {row.seen}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--only", default="", help="groups or attacks whose name holds this")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    args = parser.parse_args()
    if os.environ.get(KEY_NAME) != KEY:  # a key set later would not stand in our own /proc/PID/environ
        os.execve(sys.executable, [sys.executable, "-m", "tests.hostile", *sys.argv[1:]],
                  {**os.environ, KEY_NAME: KEY})
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="hostile-"))
    scratch.chmod(0o755)
    found = []
    for row in rows(scratch, args.only):
        found.append(row)
        if sys.stderr.isatty() or args.only:
            print(f"  {row.wall_s:6.2f} s  {row.group}: {row.attack}", file=sys.stderr)
    remove(scratch)
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in found]))
    return _show(found, time.monotonic() - started, Console())


if __name__ == "__main__":
    sys.exit(main())
