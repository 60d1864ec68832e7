"""The command line's tables: what is parsed of what is typed, what is refused in one line, and help that is true."""

import re
import subprocess
import sys
from typing import get_args

import pytest

from agent.app import cli
from agent.app.arguments import Refusal, help_text, parse
from agent.app.commands import COMMANDS, OPTIONS
from agent.core.options import DEFAULT_TEMPLATE, ROLES, Options
from tests.support import ROOT

FIELDS = {option.dest: option for option in OPTIONS.values() if option.dest in Options.model_fields}


def bounds(name: str) -> tuple[int | None, int | None]:
    rules = Options.model_fields[name].metadata
    return tuple(next((getattr(r, side) for r in rules if hasattr(r, side)), None) for side in ("ge", "le"))


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("run my_idea --runs 2", "--idea my_idea --runs 2"),
        ("run --idea my_idea", "--idea my_idea"),
        ("verify repo --artefacts", "--verify repo --artefacts"),
        ("verify --artefacts repo", "--artefacts --verify repo"),
        ("--workspace ws status", "--status --workspace ws"),
        ("resume last --max-usd 3", "--resume last --max-usd=3"),
        ("bundle", "--bundle"),
        ("bundle --out here", "--bundle last --out here"),
        ("generate-ideas 3 --template t", "--template t --generate-ideas 3"),
        ("doctor --idea x", "--doctor --idea x"),
        ("resume list", "--resume list"),
    ],
)
def test_a_command_is_the_same_as_a_word_and_with_dashes(words, same):
    assert parse(words.split()) == parse(same.split())


def test_what_was_typed_comes_out_and_nothing_else():
    args = parse(["run", "x", "--slots", "0", "--max-usd", "1e-2", "--allow", "a", "--allow", "b", "--no-pdf"])
    assert (args.command, args.operand, args.idea) == ("run", "x", "x")
    assert (args.slots, args.max_usd, args.allow, args.no_pdf) == (0, 0.01, ["a", "b"], True)
    rest = {o.dest: getattr(args, o.dest) for o in OPTIONS.values()}
    for name in ("idea", "slots", "max_usd", "allow", "no_pdf"):
        del rest[name]
    assert all(value is None or value is False for value in rest.values())
    assert parse(["generate-ideas", "7"]).operand == 7
    assert parse(["bundle"]).operand == "last"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("status --runs 3", "launch.py status: --runs belongs to run and resume"),
        ("--status --idea x", "launch.py status: --idea belongs to run and doctor"),
        ("list --workspace ws", "launch.py list: --workspace belongs to run, resume, status"),
        ("review a.pdf --workspace ws", "launch.py review: --workspace belongs to run, resume, status"),
        ("resume last --profile p", "launch.py resume: --profile belongs to run, doctor, check-template and evaluate"),
        ("--idea x --artefacts", "launch.py run: --artefacts belongs to verify"),
        ("--idea x --baseline topk", "launch.py run: there is no option --baseline; did you mean --baselines?"),
        ("run x --max_usd=3", "launch.py run: there is no option --max_usd; did you mean --max-usd?"),
        ("status --modle x", "launch.py status: there is no option --modle; did you mean --model (of run)?"),
        ("--resme last", "launch.py: there is no option --resme; did you mean --resume?"),
        ("verify r --frobnicate", "launch.py verify: there is no option --frobnicate; launch.py --help shows"),
        ("statsu", "launch.py: there is no command statsu; did you mean status?"),
        (
            "hierarchical_sae",
            "launch.py: there is no command hierarchical_sae; if it is an idea, type --idea hierarchical_sae;",
        ),
        ("list --status", "launch.py: status and list do not go together"),
        ("--verify a --list", "launch.py: verify and list do not go together"),
        ("verify", "launch.py verify: SESSION|REPO|PDF is missing; e.g. launch.py verify last"),
        ("--verify --artefacts", "launch.py verify: SESSION|REPO|PDF is missing; e.g. launch.py verify last"),
        ("run --runs 2", "launch.py run: NAME|FILE[:NAME] is missing; e.g. launch.py run hierarchical_sae"),
        ("bundle a b", "launch.py bundle: one word too many: b"),
        ("--status x", "launch.py status: one word too many: x"),
        ("generate-ideas 0", "launch.py generate-ideas: give a number from 1 to 50, found 0"),
        ("--generate-ideas many", "launch.py generate-ideas: give a number from 1 to 50, found many"),
        ("--idea x --runs two", "launch.py: --runs: give a whole number, found two"),
        ("--idea x --hours nan", "launch.py: --hours: give a number, found nan"),
        ("--idea x --runs", "launch.py: --runs: expected one argument"),
        ("--idea x --stop-after tea", "launch.py: --stop-after: invalid choice: 'tea'"),
        ("--idea x --api-base localhost:8000", "launch.py: --api-base: give a URL that begins with http://"),
        ("--runs 3", "launch.py: name a command, or an idea"),
    ],
)
def test_what_does_not_belong_is_refused_in_one_line(words, said):
    with pytest.raises(Refusal) as refused:
        parse(words.split())
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_a_refusal_needs_no_environment_and_ends_with_status_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", "-E", ROOT / "launch.py", "status", "--runs", "3"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "launch.py status: --runs belongs to run and resume\n"


def test_nothing_typed_shows_the_commands_and_is_no_success():
    done = subprocess.run([sys.executable, ROOT / "launch.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == help_text(None)


# ---------------------------------------------------------------- the tables


def test_every_command_is_carried_out_and_every_option_has_one():
    assert list(cli.COMMANDS) == list(COMMANDS)
    for option in OPTIONS.values():
        assert option.owners and set(option.owners) <= set(COMMANDS), option.name
        assert len(option.owners) == len(set(option.owners)), option.name


def test_no_name_stands_for_two_things():
    dashed = [f"--{name}" for name in COMMANDS if name != "run"]
    assert not set(dashed) & set(OPTIONS)
    assert not {"command", "operand", "help"} & {option.dest for option in OPTIONS.values()}


def test_help_names_every_command_and_a_command_s_own_options_alone():
    overview = help_text(None)
    for name in COMMANDS:
        assert re.search(rf"^  {name}\b", overview, re.MULTILINE), name
        shown = set(re.findall(r"^  (?:-[a-z], )?(--[a-z-]+)", help_text(name), re.MULTILINE))
        assert shown == {option.name for option in OPTIONS.values() if name in option.owners}
        assert parse([name, "--help"]) == parse([f"--{name}" if name != "run" else "run", "-h"])


def test_every_example_of_the_help_is_taken():
    examples = re.findall(r"  \./launch\.py (.*?)(?: *#.*)?$", help_text(None), re.MULTILINE)
    assert len(examples) > 5
    for words in examples:
        assert parse(words.split()).command, words


# ---------------------------------------------------------------- held against the options of a session


def test_a_default_that_a_help_text_names_is_that_of_the_options():
    named = 0
    for name, option in FIELDS.items():
        if found := re.search(r"\(default: (\d+)", option.about):
            assert int(found[1]) == Options.model_fields[name].default, option.name
            named += 1
    assert named == 6
    assert f"(default: {DEFAULT_TEMPLATE})" in OPTIONS["--template"].about


def test_a_range_that_a_help_text_names_is_that_of_the_options():
    ranges = {name: bounds(name) for name in FIELDS if None not in bounds(name)}
    assert set(ranges) >= {"runs", "attempts", "reviews", "improve"}
    for name, (least, most) in ranges.items():
        assert f"{least} to {most} (" in FIELDS[name].about, name


def test_the_choices_are_those_of_the_options():
    chosen = {name: option.choices for name, option in FIELDS.items() if option.choices}
    assert set(chosen) == {"stop_after", "literature", "executor"}
    for name, choices in chosen.items():
        annotation = Options.model_fields[name].annotation
        literals = [word for part in get_args(annotation) for word in (get_args(part) or (part,))]
        assert list(choices) == [word for word in literals if isinstance(word, str)]


def test_every_role_has_an_option():
    assert {f"--{role}" for role in ROLES} <= set(OPTIONS)


def test_every_option_of_a_session_can_be_typed_but_for_what_follows_from_others():
    typed = {"models", "addresses", "sandbox", "network", "pdf", "threads"}
    assert set(Options.model_fields) - set(FIELDS) == typed


def test_a_session_that_continues_another_one_needs_no_idea_of_its_own():
    for words in (["run", "--after", "last"], ["--after", "last"]):
        args = parse(words)
        assert (args.command, args.idea, args.after) == ("run", None, "last")
    assert parse(["run", "other", "--after", "last"]).idea == "other"
