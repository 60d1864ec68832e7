"""`make fuzz`: counts and figures on stdout, crashes with what caused them; exit status 1 if there is one."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from agent.lab.measuring.scratch import remove
from agent.sandbox.boxes import BubblewrapSandbox
from tests.suites.fuzz.corpus import recorded
from tests.suites.fuzz.replies import fuzz
from tests.suites.fuzz.sections import fuzz_sections
from tests.suites.fuzz.stage import Stage


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.fuzz", description=__doc__)
    parser.add_argument("--replies", type=int, default=2140)
    parser.add_argument("--files", type=int, default=504)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="fuzz-"))
    stage = Stage(root)
    try:
        report = fuzz(stage, recorded(), count=args.replies, seed=args.seed)
        sections = fuzz_sections(root / "papers", BubblewrapSandbox(), count=args.files, seed=args.seed)
    finally:
        stage.close()
        remove(root)
    for trial in report.crashes:
        print(
            f"CRASH {trial.kind} ({trial.how}, {len(trial.reply)} characters): {trial.why}\n    {trial.reply[:200]!r}"
        )
    for crash in sections.crashes:
        print(f"CRASH {crash}")
    print("\n".join(report.lines()))
    print(sections.line())
    return 1 if report.crashes or sections.crashes else 0


if __name__ == "__main__":
    sys.exit(main())
