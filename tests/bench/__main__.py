"""`python -m tests.bench WHAT`: measure, and put the table into its place in BENCHMARKS.md."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from tests.bench import caching, speed
from tests.bench.baselines import METRICS, RATES, conditions_table, rates_table

PAGE = Path(__file__).resolve().parents[2] / "BENCHMARKS.md"
SPEED: dict[str, Callable[[argparse.Namespace], str]] = {
    "speed-topk": lambda args: speed.against_sae_lens([int(s) for s in args.seeds.split(",")], args.threads),
    "speed-architectures": lambda args: speed.architectures(len(args.seeds.split(",")), args.threads),
    "speed-splits": lambda args: speed.splits(len(args.seeds.split(","))),
    "speed-start": lambda args: speed.first_step(7),
    "speed-caching": lambda args: caching.table(len(args.seeds.split(",")), args.threads),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", choices=("baselines", "rates", *SPEED),
                        help="all conditions of a profile, learning rates, or one of the speed tables")
    parser.add_argument("--template", default="synth_sae", choices=METRICS, help="with baselines")
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--baselines", default=",".join(RATES), help="names, with commas between")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--rates", default="0.003,0.006,0.01,0.014,0.02,0.03", help="with rates")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side, with baselines and rates")
    parser.add_argument("--threads", type=int, default=1, help="with speed")
    args = parser.parse_args()
    if args.what in SPEED:
        return put(args.what, SPEED[args.what](args))
    names, seeds = args.baselines.split(","), [int(s) for s in args.seeds.split(",")]
    if args.what == "baselines":
        table = conditions_table(args.template, args.profile, names, seeds, args.device, args.jobs)
    else:
        rates = [float(rate) for rate in args.rates.split(",")]
        table = rates_table(args.profile, names, rates, seeds, args.device, args.jobs)
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
