"""Kills a whole small session at its durable effects, fills its disk there, resumes it, and compares the end.

The effects are found by playing the session once; a sample of them, or all, is then tried. Exit status 1 if one of
them lost, repeated or left something behind; 5 where this machine does not allow to look at system calls.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.lab.measuring.scratch import remove
from tests.suites.faults import account
from tests.suites.faults.player import NOT_PERMITTED
from tests.suites.faults.points import Point, chosen, points
from tests.suites.faults.stage import Stage
from tests.suites.faults.trial import BUDGET, Verdict, attempt
from tests.support import ROOT

SKIPPED = 5
MEMORY = Path("/dev/shm")  # a sweep syncs a hundred thousand times
ROOMY = 2 << 30


class NotHere(Exception):
    """The machine does not allow it; the text says what."""


# ---------------------------------------------------------------- one share of the work


def share(args: argparse.Namespace, folder: Path, checkpoints: Path) -> dict[str, Any]:
    """Record the session, then try this share of the chosen points."""
    with Stage(folder, pdf=args.pdf) as stage:
        everything, wanted = record(stage, checkpoints, args)
        kills = [point for point in everything if point.how != "full"]
        full = [point for point in everything if point.how == "full"]
        mine = [*_chosen(kills, args.sample, args), *_chosen(full, args.full, args)]
        mine = mine[args.share :: args.jobs]
        found = []
        for number, point in enumerate(mine):
            to_the_end = number < args.to_the_end
            target = None if to_the_end else point.segment + 1
            verdict = attempt(stage, point, checkpoints, wanted[-1 if to_the_end else target], target=target)
            found.append(verdict)
            if not verdict.right or args.verbose:
                print(line(verdict), flush=True)
    return {
        "kills": len(kills),
        "full": len(full),
        "actions": len(wanted) - 1,
        "verdicts": [asdict(verdict) | {"right": verdict.right} for verdict in found],
    }


def record(stage: Stage, checkpoints: Path, args: argparse.Namespace) -> tuple[list[Point], list[dict]]:
    """Play the session action by action; where each can be hit, and what it leaves."""
    found: list[Point] = []
    wanted: list[dict] = [{}]
    checkpoints.mkdir(parents=True)
    stage.save(checkpoints / "0")
    while True:
        segment = len(wanted) - 1
        stage.restore(checkpoints / str(segment))  # as every trial does: git looks at inodes and their times
        played = stage.play(segment + 1)
        stage.left_alive()
        if played.status == NOT_PERMITTED:
            raise NotHere(played.said.strip())
        if played.status not in (0, BUDGET):
            raise RuntimeError(f"undisturbed, the session ended with {played.status}: {played.said[-2000:]}")
        found += points(segment, played.seen, every_way=args.every_way, turn=args.seed)
        wanted.append(account.account(stage.session))
        stage.save(checkpoints / str(segment + 1))
        if played.status == 0:
            return found, wanted


def _chosen(found: list[Point], number: int, args: argparse.Namespace) -> list[Point]:
    matching = [point for point in found if args.only in point.name]
    return chosen(matching, len(matching) if number < 0 else number, args.seed)


def line(verdict: Verdict) -> str:
    trouble = [*verdict.lost, *verdict.repeated, *verdict.left, *verdict.rude]
    missed = [f"hit at {verdict.instead}"] if verdict.instead else [] if verdict.hit else ["not reached again"]
    said = "; ".join([*missed, *trouble]) or "as if nothing had happened"
    return f"{'' if verdict.right else 'WRONG '}{verdict.point.name} | {verdict.wall_s:.1f} s | {said}"


# ---------------------------------------------------------------- all shares


def shares(args: argparse.Namespace, scratch: Path) -> Iterator[dict[str, Any]]:
    """Each in a process and at a place of its own: paths stand in a session's files."""
    running = []
    for number in range(args.jobs):
        words = [
            "--share",
            str(number),
            "--jobs",
            str(args.jobs),
            "--seed",
            str(args.seed),
            "--sample",
            str(args.sample),
            "--full",
            str(args.full),
            "--to-the-end",
            str(args.to_the_end),
            "--only",
            args.only,
            "--scratch",
            str(scratch),
            "--json",
            str(scratch / f"{number}.json"),
        ]
        words += [f"--{name.replace('_', '-')}" for name in ("pdf", "every_way", "verbose") if getattr(args, name)]
        running.append(subprocess.Popen([sys.executable, "-m", "tests.suites.faults", *words], cwd=ROOT))
    try:
        statuses = [process.wait() for process in running]
    finally:
        for process in running:
            process.terminate()
            process.wait()
    if SKIPPED in statuses:
        raise NotHere("seccomp user notification is refused")
    if any(statuses):
        raise RuntimeError(f"a share of the work broke: {statuses}")
    for number in range(args.jobs):
        yield json.loads((scratch / f"{number}.json").read_text())


def closing_lines(found: list[dict[str, Any]], seed: int) -> list[str]:
    verdicts = [verdict for part in found for verdict in part["verdicts"]]
    lines = []
    for name, what in (("kills", "kill points"), ("full", "full-disk points")):
        these = [v for v in verdicts if (v["point"]["how"] == "full") == (name == "full")]
        bad = {key: sum(bool(v[key]) for v in these) for key in ("lost", "repeated", "left", "rude")}
        missed = sum(not v["hit"] for v in these)
        lines.append(
            f"{len(these)} of {found[0][name]} {what} in {found[0]['actions']} actions (seed {seed}): "
            f"{bad['lost']} lost, {bad['repeated']} repeated, {bad['left']} left something behind, "
            f"{bad['rude']} without a clear word{f', {missed} not reached again' if missed else ''}"
        )
    return lines


def main() -> int:
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that all is cleared away
    if args.scratch:
        place = args.scratch / f"share-{args.share}"
        try:
            found = share(args, place / "stage", place / "checkpoints")
        except NotHere as reason:
            print(reason, flush=True)
            return SKIPPED
        args.json.write_text(json.dumps(found))
        return 0
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOMY
    scratch = Path(tempfile.mkdtemp(prefix="faults-", dir=MEMORY if roomy else None))
    scratch.chmod(0o755)
    started = time.monotonic()
    try:
        found = list(shares(args, scratch))
    except NotHere as reason:
        print(f"SKIPPED: no durable effect was tried on this machine: {reason}")
        return SKIPPED
    finally:
        remove(scratch)
    lines = closing_lines(found, args.seed)
    if args.json:
        args.json.write_text(json.dumps({"lines": lines, "shares": found}))
    print("\n".join(lines) + f"\n{time.monotonic() - started:.0f} s")
    return 0 if all(verdict["right"] for part in found for verdict in part["verdicts"]) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.faults", description=__doc__)
    parser.add_argument("--sample", type=int, default=-1, metavar="N", help="kill points to try (default: all)")
    parser.add_argument("--full", type=int, default=120, metavar="N", help="full-disk points to try; -1: all")
    parser.add_argument(
        "--to-the-end",
        type=int,
        default=4,
        metavar="N",
        help="points of each share after which the session is played to its end",
    )
    parser.add_argument("--seed", type=int, default=7, help="of the sample, and of the ways to die")
    parser.add_argument("--every-way", action="store_true", help="all ways to die at each effect, not one in turn")
    parser.add_argument("--pdf", action="store_true", help="with LaTeX")
    parser.add_argument("--only", default="", metavar="TEXT", help="points whose name holds this")
    parser.add_argument("--jobs", type=int, default=2, help="sessions side by side")
    parser.add_argument("--verbose", action="store_true", help="a line for each point, not only for a wrong one")
    parser.add_argument("--json", type=Path, help="write all verdicts there as well")
    parser.add_argument("--share", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
