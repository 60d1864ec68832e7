"""Tables of the commands and of their options. A new command or option is one line here.

arguments.py derives from these tables what is parsed, what is refused and what --help prints. The module imports the
standard library and agent/core only, because launch.py reads it before it knows whether our packages are installed.
The defaults that help texts name stand in core/options.py; tests/app/test_arguments.py compares the two.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from agent.core.slurm import parse


def whole(text: str) -> int:
    """A whole number. Raises: argparse.ArgumentTypeError."""
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"give a whole number, found {text[:40]}")
    return int(text)


def number(text: str) -> float:
    """A finite number. Raises: argparse.ArgumentTypeError."""
    plain = re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text)
    if not plain or not math.isfinite(float(text)):
        raise argparse.ArgumentTypeError(f"give a number, found {text[:40]}")
    return float(text)


def count(text: str) -> int:
    """How many ideas. Raises: argparse.ArgumentTypeError."""
    if not re.fullmatch(r"[0-9]{1,2}", text) or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"give a number from 1 to 50, found {text[:40]}")
    return int(text)


def port(text: str) -> int:
    """A port of TCP. Raises: argparse.ArgumentTypeError."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"give a number from 1 to 65535, found {text[:40]}")
    return int(text)


def url(text: str) -> str:
    """The address of a server, without a password. Raises: argparse.ArgumentTypeError."""
    if not re.match(r"https?://[^/\s]+", text):
        raise argparse.ArgumentTypeError(f"give a URL that begins with http:// or https://, found {text}")
    if urlsplit(text).password:
        raise argparse.ArgumentTypeError("give the URL without a password, which would be kept with the session")
    return text


def prices(text: str) -> tuple[float, float]:
    """US dollars for a million tokens sent, and received. Raises: argparse.ArgumentTypeError."""
    into, comma, out = text.partition(",")
    if not comma:
        raise argparse.ArgumentTypeError(f"give two numbers with a comma between, found {text[:40]}")
    found = number(into.strip()), number(out.strip())
    if min(found) < 0:
        raise argparse.ArgumentTypeError(f"give two prices of 0 or more, found {text[:40]}")
    return found


def gpu_numbers(text: str) -> str:
    """Numbers of GPUs, each once, or "all". Raises: argparse.ArgumentTypeError."""
    numbers = [part.strip() for part in text.split(",")]
    if text == "all":
        return text
    if not all(re.fullmatch(r"[0-9]{1,3}", part) for part in numbers) or len({*numbers}) < len(numbers):
        raise argparse.ArgumentTypeError(f"give all, or numbers of GPUs with commas between, found {text[:40]}")
    return ",".join(str(int(part)) for part in numbers)


def sbatch(text: str) -> dict[str, str]:
    """Options of Slurm's sbatch. Raises: argparse.ArgumentTypeError."""
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class Command(NamedTuple):
    """A command, which may also be typed with two dashes: `status` or `--status`."""

    name: str
    operand: str  # the word that follows the name, as help shows it; "" if none does
    about: str
    without: str = ""  # the operand's default; "" if it must be given
    kind: Callable[[str], Any] = str  # converts the operand that was typed
    several: bool = False  # more than one operand may follow


class Option(NamedTuple):
    """An option, and the commands that accept it."""

    name: str
    value: str  # the word that follows the name, as help shows it; "" for a switch
    commands: str  # names with spaces between them
    about: str
    kind: Callable[[str], Any] = str  # converts the value that was typed
    choices: tuple[str, ...] = ()
    repeated: bool = False  # it may be typed several times
    short: str = ""  # one dash and one letter

    @property
    def owners(self) -> list[str]:
        return self.commands.split()

    @property
    def dest(self) -> str:
        return self.name[2:].replace("-", "_")


GROUPED_COMMANDS = {
    "sessions": (
        Command("run", "NAME|FILE[:NAME]", "start a session on an idea, or one for each of several", several=True),
        Command(
            "resume",
            "SESSION",
            "go on with a session after any stop (also: last, all), with its own options except those typed now",
        ),
        Command("status", "", "show all sessions: stage, runs, tokens, cost"),
        Command("follow", "SESSION", "show a running session live (also: last)"),
        Command("stop", "SESSION", "stop a session as Ctrl-C does; once more: its training too (also: last)"),
        Command("page", "[SESSION]", "write a session as one HTML file for a browser", "last"),
        Command("serve", "", "show all sessions in a browser, live, on this machine"),
        Command("export", "wandb", "send a session's runs, curves and references to its models to Weights & Biases"),
        Command("bundle", "[SESSION]", "one archive to hand over: paper, tex, data, records, repository", "last"),
    ),
    "autoencoders": (
        Command(
            "evaluate",
            "SAE",
            "measure an existing autoencoder with a template's metrics: a folder or file in the form of SAELens, "
            "Gemma Scope, dictionary_learning or sparsify, or release/id as SAELens lists it",
        ),
    ),
    "papers": (
        Command("verify", "SESSION|REPO|PDF", "derive every number of a paper from its records again (also: last)"),
        Command("review", "PDF", "review any paper; the review lies beside it, or in --out"),
    ),
    "ideas and templates": (
        Command("list", "", "show the ideas and templates there are"),
        Command("generate-ideas", "N", "let the planner propose N new ideas, in a file to edit", kind=count),
        Command(
            "new-template",
            "NAME|FOLDER",
            "make a template of your own that runs as it is, or of a repository (--from, --run)",
        ),
        Command("check-template", "NAME|FOLDER", "try a template, and list what would make its results unbelievable"),
    ),
    "this machine": (
        Command("doctor", "", "check this machine and the chosen models; run nothing"),
        Command("setup-saebench", "", "install sae-bench in an environment of its own, for profiles that ask for it"),
        Command("clean", "", "free the disk that cached data and baselines take; sessions are not touched"),
    ),
}
COMMANDS = {command.name: command for group in GROUPED_COMMANDS.values() for command in group}

ROOTED = " ".join(name for name in COMMANDS if name not in ("list", "review"))  # these two use no workspace
PLAYED = "run resume"
WATCHED = "run resume follow"
CHECKED = "run resume doctor"
ASKING = "run resume doctor review generate-ideas"
BOXED = "run resume doctor review generate-ideas new-template check-template evaluate"

GROUPED_OPTIONS = {
    "models (litellm names: anthropic/..., openai/..., openrouter/..., ollama/...)": (
        Option("--model", "MODEL", ASKING, "plays all roles; without it the shipped recording plays"),
        Option("--planner", "MODEL", CHECKED + " generate-ideas", "plans runs and reads results (default: --model)"),
        Option("--editor", "MODEL", CHECKED, "writes the code changes (default: --model)"),
        Option("--writer", "MODEL", CHECKED, "writes the paper (default: --model)"),
        Option("--reviewer", "MODEL", CHECKED + " review", "comments on runs, reviews the paper (default: --model)"),
        Option("--playback", "FOLDER", ASKING, "play this recording instead of a model"),
        Option("--api-base", "URL", ASKING, "an OpenAI-compatible server of your own", url),
        Option("--fallback", "MODEL", CHECKED, "answers when the provider of another model fails"),
        Option(
            "--price",
            "IN,OUT",
            ASKING,
            "US dollars for a million tokens sent and received, for models whose price litellm does not know",
            prices,
        ),
        Option("--max-output", "N", ASKING, "tokens of an answer, for models that litellm does not know", whole),
        Option("--context", "N", ASKING, "tokens of a request and its answer together, for such models", whole),
    ),
    "size": (
        Option("--idea", "NAME|FILE[:NAME]", "run doctor", "the idea, if no word after the command names it"),
        Option("--ideas", "FILE", "run", "every idea of a file, each in a session of its own"),
        Option(
            "--after",
            "SESSION",
            "run",
            "continue a finished session from its best code (also: last)",
        ),
        Option("--parallel", "N", PLAYED, "how many of several sessions run at once (default: 1)", whole),
        Option(
            "--template",
            "NAME|FOLDER",
            "run doctor generate-ideas list evaluate",
            "what is experimented on (default: synth_sae)",
        ),
        Option(
            "--profile",
            "NAME",
            "run doctor check-template evaluate",
            "size of the template (default: the template's own)",
        ),
        Option("--features", "N", "evaluate", "also write a page that shows this many latents, 1 to 500", whole),
        Option(
            "--condition", "NAME", "evaluate", "condition of the profile (default: the first that fits the autoencoder)"
        ),
        Option("--baselines", "A,B|all", "run", "baselines to train, else the profile's; the first is run 0"),
        Option("--runs", "N", PLAYED, "runs at most, 0 to 200 (default: 5)", whole),
        Option("--branches", "K", PLAYED, "runs under way at once, 1 to 16 (default: 1)", whole),
        Option("--attempts", "N", PLAYED, "attempts for each run, 1 to 20 (default: 4)", whole),
        Option(
            "--device",
            "DEVICE",
            CHECKED + " check-template evaluate",
            "cpu, cuda, cuda:1 (default: cuda where there is one)",
        ),
        Option(
            "--slots",
            "N",
            CHECKED,
            "trainings of a session side by side, where places are free (default: one a core, or one a GPU)",
            whole,
        ),
        Option("--gpus", "all|N,N,...", CHECKED, "GPUs that trainings may use (default: all)", gpu_numbers),
        Option("--executor", "", "run doctor", "where trainings run (default: local)", choices=("local", "slurm")),
        Option("--slurm", "NAME=VALUE,...", CHECKED, "options of sbatch: partition=gpu,gres=gpu:1,mem=32G", sbatch),
        Option("--stop-after", "", PLAYED, "end there; resume goes on", choices=("plan", "runs", "paper")),
        Option("--paper-style", "FOLDER", CHECKED, "a venue's own style: preamble.tex or template.tex, .sty"),
        Option("--no-pdf", "", CHECKED, "write the paper as LaTeX, and make no PDF of it"),
        Option("--reviews", "N", PLAYED + " review", "reviewers of the finished paper, 1 to 9 (default: 3)", whole),
        Option(
            "--improve", "N", PLAYED, "revisions after the review, 0 to 5 (default: 0); the better version stays", whole
        ),
    ),
    "bounds (what reaches one stops cleanly; a session resumes with a higher one)": (
        Option("--max-usd", "USD", ASKING, "money for model calls", number),
        Option("--max-usd-total", "USD", PLAYED, "money for model calls of several sessions together", number),
        Option("--max-tokens", "N", ASKING, "tokens sent and received", whole),
        Option("--hours", "H", PLAYED, "active hours", number),
        Option(
            "--cache-gb", "GB", CHECKED, "disk for data that sessions share (default: 50; what is in use stays)", number
        ),
    ),
    "more": (
        Option("--dry-run", "", "run", "preflight, one tiny request to each model and an estimate, then end"),
        Option(
            "--offline",
            "",
            "run doctor export",
            "ask no model (run --dry-run, doctor); send nothing (export)",
        ),
        Option("--feedback", "TEXT", "resume", "a message that the planner reads after the next run"),
        Option("--from", "FOLDER|URL", "new-template", "a repository that the template is made of, with --run"),
        Option("--run", "COMMAND", "new-template", "how it is run there, e.g. 'python train.py --seed {seed}'"),
        Option("--session", "SESSION", "export", "which session (default: last)"),
        Option("--project", "NAME", "export", "project in Weights & Biases (default: experiment-runner)"),
        Option("--out", "FOLDER", "review bundle page export", "where the result goes"),
        Option("--port", "N", "serve", "the port to listen on (default: 8765, or a free one)", port),
        Option("--host", "ADDRESS", "serve", "the address to listen on (default: 127.0.0.1, this machine alone)"),
        Option("--control", "", "serve", "buttons to stop, resume, verify and advise; the printed address has a token"),
        Option("--artefacts", "", "verify", "also hash and measure the kept artefacts again"),
        Option(
            "--trust",
            "",
            "verify run resume new-template check-template evaluate",
            "run code that this installation did not make",
        ),
        Option(
            "--allow",
            "TEXT",
            PLAYED,
            "let this passage or number pass the truth checks; the appendix says so",
            repeated=True,
        ),
        Option(
            "--literature",
            "",
            PLAYED,
            "auto: Semantic Scholar, OpenAlex, arXiv, then the library; offline: the library alone",
            choices=("auto", "offline"),
        ),
        Option("--quiet", "", WATCHED, "show only how it ends", short="-q"),
        Option("--verbose", "", WATCHED, "show every detail, such as the tokens of a playback", short="-v"),
        Option("--on-event", "COMMAND", PLAYED, "a shell command that gets each event as JSON"),
        Option("--json", "", "status list doctor verify evaluate", "print one JSON object, for programs"),
        Option("--skip-novelty", "", PLAYED, "do not ask whether the idea is known"),
        Option("--workspace", "FOLDER", ROOTED, "where sessions lie (default: workspace/)"),
        Option("--allow-network", "", CHECKED, "for templates that ask for network"),
        Option("--unsafe-no-sandbox", "", BOXED, "run the agent's code without isolation; the paper says so"),
    ),
}
OPTIONS = {option.name: option for group in GROUPED_OPTIONS.values() for option in group}

# Options that settings files and variables may not set: a forgotten default would change a single session, or would
# switch a protection off.
TYPED_ONLY = (
    "--idea",
    "--ideas",
    "--after",
    "--branches",
    "--playback",
    "--stop-after",
    "--dry-run",
    "--offline",
    "--feedback",
    "--out",
    "--artefacts",
    "--json",
    "--session",
    "--features",
    "--condition",
    "--from",
    "--run",
    "--host",
    "--control",
    "--trust",
    "--allow",
    "--allow-network",
    "--unsafe-no-sandbox",
)
