"""The command line. Stdlib only up to the hand-over, so that --help is instant and a bare Python gets a clear word."""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
EPILOG = """examples:
  python launch.py --idea hierarchical_sae                 play the shipped recording: no key, no GPU, no network
  python launch.py --idea hierarchical_sae --model anthropic/claude-sonnet-4-5 --max-usd 5
  python launch.py --idea my_ideas.json:my_idea --planner openai/o3 --model openai/gpt-4.1
  python launch.py --idea hierarchical_sae --dry-run       check everything, estimate, spend nothing
  python launch.py --resume last                           go on after any stop
  python launch.py --follow last                           watch a running session
  python launch.py --review paper.pdf --model openai/gpt-4.1
"""


def parser():
    p = argparse.ArgumentParser(
        prog="launch.py",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="From an idea to a paper whose every number was measured by the runner, all of it in git.",
    )
    what = p.add_argument_group("what to do")
    what.add_argument("--idea", metavar="NAME|FILE[:NAME]", help="start a session on an idea")
    what.add_argument("--resume", metavar="SESSION", help="go on with a session after any stop (also: last)")
    what.add_argument("--list", action="store_true", help="show the ideas and templates there are")
    what.add_argument("--status", action="store_true", help="show all sessions: stage, runs, tokens, cost")
    what.add_argument("--follow", metavar="SESSION", help="show a running session live (also: last)")
    what.add_argument(
        "--verify",
        metavar="SESSION|REPO|PDF",
        help="derive every number of a paper from its repository's records again (also: last)",
    )
    what.add_argument("--review", metavar="PDF", help="review any paper; the review lies beside it, or in --out")
    what.add_argument(
        "--bundle",
        nargs="?",
        const="last",
        metavar="SESSION",
        help="one archive to hand over: paper, tex, data, records, repository (default: last)",
    )
    what.add_argument(
        "--generate-ideas",
        type=_count,
        metavar="N",
        help="let the planner propose N new ideas for --template, in a file to edit",
    )
    what.add_argument("--new-template", metavar="NAME|FOLDER", help="make a template of your own that runs as it is")
    what.add_argument(
        "--check-template", metavar="NAME|FOLDER", help="try a template: what would make its results unbelievable"
    )
    what.add_argument(
        "--setup-saebench",
        action="store_true",
        help="install sae-bench in an environment of its own, for the profiles that ask for it",
    )
    what.add_argument("--doctor", action="store_true", help="check this machine and the chosen models; run nothing")
    what.add_argument(
        "--clean",
        action="store_true",
        help="free the disk that cached data and baselines take; sessions are not touched",
    )
    what.add_argument("--dry-run", action="store_true", help="with --idea: preflight and estimate, then end")

    models = p.add_argument_group("models (litellm names: anthropic/..., openai/..., openrouter/..., ollama/...)")
    models.add_argument("--model", metavar="MODEL", help="plays all roles; without it the shipped recording plays")
    for role, about in (
        ("planner", "plans runs and reads results"),
        ("editor", "writes the code changes"),
        ("writer", "writes the paper"),
        ("reviewer", "comments on runs, reviews the paper"),
    ):
        models.add_argument("--" + role, metavar="MODEL", help=about + " (default: --model)")
    models.add_argument("--playback", metavar="FOLDER", help="play this recording instead of a model")
    models.add_argument("--api-base", metavar="URL", help="an OpenAI-compatible server of your own")

    size = p.add_argument_group("size")
    size.add_argument("--template", metavar="NAME|FOLDER", help="what is experimented on (default: synth_sae)")
    size.add_argument("--profile", metavar="NAME", help="size of the template (default: the template's own)")
    size.add_argument("--baselines", metavar="A,B|all", help="baselines to train; the first is run 0")
    size.add_argument("--runs", type=int, metavar="N", help="runs at most, 0 to 10 (default 5)")
    size.add_argument("--attempts", type=int, metavar="N", help="attempts for each run (default 4)")
    size.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1 (default: cuda where there is one)")
    size.add_argument("--slots", type=int, metavar="N", help="trainings side by side (default: from the machine)")
    size.add_argument("--stop-after", choices=("plan", "runs", "paper"), help="end there; --resume goes on")
    size.add_argument("--paper-style", metavar="FOLDER", help="a venue's own style: preamble.tex or template.tex, .sty")
    size.add_argument("--no-pdf", action="store_true", help="everything but the compile")
    size.add_argument("--reviews", type=int, metavar="N", help="reviewers of the finished paper, 1 to 9 (default 3)")
    size.add_argument(
        "--improve",
        type=int,
        metavar="N",
        help="revisions after the review, 0 to 5 (default 0); the better version stays",
    )

    bounds = p.add_argument_group("bounds (a session that reaches one stops cleanly; resume with a higher one)")
    bounds.add_argument("--max-usd", type=float, metavar="USD", help="money for model calls")
    bounds.add_argument("--max-tokens", type=int, metavar="N", help="tokens sent and received")
    bounds.add_argument("--hours", type=float, metavar="H", help="active hours")
    bounds.add_argument(
        "--cache-gb",
        type=float,
        metavar="GB",
        help="disk for data that sessions share (default 50; what is in use stays)",
    )

    more = p.add_argument_group("more")
    more.add_argument("--feedback", metavar="TEXT", help="with --resume: a word to the planner after the next run")
    more.add_argument("--out", metavar="FOLDER", help="with --review, --bundle: where the result goes")
    more.add_argument(
        "--artefacts", action="store_true", help="with --verify: hash and measure the kept artefacts again too"
    )
    more.add_argument(
        "--trust",
        action="store_true",
        help="with --verify --artefacts, --resume: run the code of a session that this installation did not make",
    )
    more.add_argument(
        "--allow",
        metavar="TEXT",
        action="append",
        help="let this passage or number pass the truth checks; the paper's appendix says so",
    )
    more.add_argument(
        "--literature",
        choices=("auto", "offline"),
        help="auto: Semantic Scholar, OpenAlex, arXiv, then the library; offline: the library alone",
    )
    more.add_argument("--skip-novelty", action="store_true", help="do not ask whether the idea is known")
    more.add_argument("--workspace", metavar="FOLDER", help="where sessions lie (default: workspace/)")
    more.add_argument("--allow-network", action="store_true", help="for templates that ask for network")
    more.add_argument(
        "--unsafe-no-sandbox", action="store_true", help="run the agent's code without isolation; the paper says so"
    )
    return p


def _count(text):
    if not text.isdigit() or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError("give a number from 1 to 50, found " + text)
    return int(text)


def main():
    p = parser()
    args = p.parse_args()
    commands = (
        "idea",
        "resume",
        "list",
        "status",
        "follow",
        "verify",
        "review",
        "bundle",
        "generate_ideas",
        "new_template",
        "check_template",
        "setup_saebench",
        "doctor",
        "clean",
    )
    chosen = [name for name in commands if getattr(args, name)]
    if not chosen:
        p.print_help()
        return 2
    if len(chosen) > 1 and set(chosen) != {"idea", "doctor"}:
        p.error("--{} and --{} do not go together".format(*(n.replace("_", "-") for n in chosen)))
    _enter_environment()
    from agent.app.cli import run

    return run(args)


def _enter_environment():
    """Go on in the project's own environment, whichever Python was typed."""
    own = os.path.join(HERE, ".venv")
    python = os.path.join(own, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(own):
        return
    if not os.access(python, os.X_OK):
        sys.exit("launch.py: not set up yet: run `make setup` in " + HERE + ", then the same command again")
    os.execv(python, [python, os.path.join(HERE, "launch.py"), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
