"""`python -m tests.bench WHAT`: measure, and put the table into its place in BENCHMARKS.md."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tests.bench.baselines import METRICS, RATES, conditions_table, rates_table

PAGE = Path(__file__).resolve().parents[2] / "BENCHMARKS.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", choices=("baselines", "rates"), help="all conditions of a profile, or learning rates")
    parser.add_argument("--template", default="synth_sae", choices=METRICS, help="with baselines")
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--baselines", default=",".join(RATES), help="names, with commas between")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--rates", default="0.003,0.006,0.01,0.014,0.02,0.03", help="with rates")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    names, seeds = args.baselines.split(","), [int(s) for s in args.seeds.split(",")]
    if args.what == "baselines":
        table = conditions_table(args.template, args.profile, names, seeds, args.device)
    else:
        table = rates_table(args.profile, names, [float(r) for r in args.rates.split(",")], seeds, args.device)
    put(f"{args.what} {args.profile}", table)


def put(name: str, table: str) -> None:
    """Between the page's two marks of this name."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text, count = re.subn(re.escape(start) + ".*?" + re.escape(end), lambda _: f"{start}\n{table}\n{end}",
                          PAGE.read_text(), flags=re.DOTALL)
    if not count:
        raise SystemExit(f"{PAGE.name} has no place marked {start} ... {end}; the table:\n{table}")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
