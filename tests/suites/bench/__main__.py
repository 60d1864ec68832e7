"""`python -m tests.suites.bench WHAT`: measure, and put the table into its place in BENCHMARKS.md."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from tests.support import ROOT

PAGE = ROOT / "BENCHMARKS.md"
SPEED = (
    "speed-topk",
    "speed-steps",
    "speed-sizes",
    "speed-architectures",
    "speed-splits",
    "speed-start",
    "speed-caching",
)
GPU = ("speed-gpu", "speed-gpu-start", "speed-gpu-peers")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.bench", description=__doc__)
    parser.add_argument(
        "what",
        choices=("baselines", "rates", "weights", "tokens", "edits", "fleet", "branches", "simulation", *SPEED, *GPU),
        help="all conditions of a profile, learning rates or weights of AuxK to choose from, tokens of a session, "
        "forms of edits, sessions or runs side by side, a simulation of many, or a speed table",
    )
    parser.add_argument(
        "--template", default="synth_sae", choices=("synth_sae", "lm_sae"), help="with baselines, rates, weights"
    )
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--session", type=Path, help="with tokens: a finished session; the demo is played if not given")
    parser.add_argument("--baselines", help="names, with commas between; all of them if not given")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--rates", default="0.003,0.006,0.01,0.014,0.02,0.03", help="with rates")
    parser.add_argument("--weights", default="0.03125,0.125,0.5", help="with weights")
    parser.add_argument("--conditions", default="", help="with rates and weights; all of the profile's if not given")
    parser.add_argument(
        "--set",
        action="append",
        type=setting,
        default=[],
        metavar="NAME=NUMBER",
        help="with rates and weights: a setting in the place of the profile's; it may be given again",
    )
    parser.add_argument("--print", action="store_true", help="with rates and weights: print the table, do not keep it")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=2, help="trainings (with fleet: sessions) side by side")
    parser.add_argument("--threads", type=int, default=1, help="with speed")
    parser.add_argument("--small", action="store_true", help="with speed-gpu: tiny sizes, tables printed and not kept")
    parser.add_argument("--sessions", type=int, default=8, help="with fleet")
    parser.add_argument("--wait", type=float, default=15.0, help="with fleet, branches: seconds for an answer")
    parser.add_argument("--python", default="3.12", help="with speed-gpu-peers: of the machine that they are made for")
    args = parser.parse_args()
    if args.what in GPU:
        return on_gpu(args)
    if args.what == "fleet":
        from tests.suites.bench import fleet

        return put("fleet", fleet.table(args.sessions, args.wait, args.jobs))
    if args.what == "branches":
        from tests.suites.bench import branching

        return put("branches", branching.table(args.wait))
    if args.what == "simulation":
        from tests.suites.bench import simulation

        return put("simulation", simulation.table())
    if args.what == "tokens":
        from tests.suites.bench import tokens

        return put("tokens", tokens.table(args.session))
    if args.what in SPEED:
        return put(args.what, speed_table(args))
    if args.what == "edits":
        return edits()
    from tests.suites.bench.baselines import RATES, WEIGHTS, conditions_table, tuning_table

    of = WEIGHTS if args.what == "weights" else RATES
    names, seeds = args.baselines.split(",") if args.baselines else list(of), [int(s) for s in args.seeds.split(",")]
    if args.what == "baselines":
        table = conditions_table(args.template, args.profile, names, seeds, args.device, args.jobs)
    else:
        values = [float(value) for value in (args.weights if of is WEIGHTS else args.rates).split(",")]
        chosen, some = {name: of[name] for name in names}, [c for c in args.conditions.split(",") if c]
        places = args.template, args.profile, some
        table = tuning_table(*places, chosen, values, seeds, dict(args.set), args.device, args.jobs)
    keep = show if args.print else put
    keep(f"{args.what} {args.profile}", table)


def setting(text: str) -> tuple[str, float]:
    """`NAME=NUMBER`; what is none is argparse's to refuse."""
    name, _, value = text.partition("=")
    return name, float(value)


def speed_table(args: argparse.Namespace) -> str:
    from tests.suites.bench import caching, speed, steps

    seeds = [int(s) for s in args.seeds.split(",")]
    measures: dict[str, Callable[[], str]] = {
        "speed-topk": lambda: speed.against_sae_lens(seeds, args.threads),
        "speed-steps": lambda: steps.table(args.threads),
        "speed-sizes": lambda: steps.against_trainer(args.threads),
        "speed-architectures": lambda: speed.architectures(len(seeds), args.threads),
        "speed-splits": lambda: speed.splits(len(seeds)),
        "speed-start": lambda: speed.first_step(7),
        "speed-caching": lambda: caching.table(len(seeds), args.threads),
    }
    return measures[args.what]()


def on_gpu(args: argparse.Namespace) -> None:
    """The runner's environment is not imported for it: a machine with a GPU may have torch alone."""
    from tests.suites.bench import gpu, peers

    if args.what == "speed-gpu-peers":
        return print(peers.for_another(args.python))
    keep = show if args.small else put
    if args.what == "speed-gpu":
        keep("speed-gpu", gpu.table(args.device, args.small))
    keep("speed-gpu-start", gpu.start(args.device, rounds=1 if args.small else 5))


def edits() -> None:
    """The table goes to the page; what ended otherwise than it should is an error."""
    from tests.suites.bench.edits import run

    table, unexpected = run()
    put("edits", table)
    print(table)
    if unexpected:
        raise SystemExit("\n".join(f"{t.case.kind}: {t.case.form}, {t.case.file.name}: {t.why}" for t in unexpected))


def show(name: str, table: str) -> None:
    print(f"\n{name}\n\n{table}")


def put(name: str, table: str) -> None:
    """Between the page's two marks of this name."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text, count = re.subn(
        re.escape(start) + ".*?" + re.escape(end),
        lambda _: f"{start}\n{table}\n{end}",
        PAGE.read_text(),
        flags=re.DOTALL,
    )
    if not count:
        raise SystemExit(f"{PAGE.name} has no place marked {start} ... {end}; the table:\n{table}")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
