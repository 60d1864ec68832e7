"""Parses the command line with the tables of commands.py, or refuses it in one line; prints --help.

Like commands.py it imports the standard library and agent/core only. Not here: what the values mean (choices.py) and
what a command does (cli.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NoReturn

from agent.app.commands import COMMANDS, GROUPED_COMMANDS, GROUPED_OPTIONS, OPTIONS, Command, Option
from agent.core.nearest import nearest
from agent.core.program import NAME, TYPED

ABOUT = "From an idea to a paper whose every number was measured by the runner, all of it in git."
EXAMPLES = f"""examples:
  {TYPED} --idea hierarchical_sae            # play the shipped recording: no key, no GPU, no network
  {TYPED} --idea hierarchical_sae --model anthropic/claude-sonnet-4-5 --max-usd 5
  {TYPED} --idea my_ideas.json:my_idea --planner openai/o3 --model openai/gpt-4.1
  {TYPED} --idea hierarchical_sae --dry-run  # check everything, estimate, start nothing
  {TYPED} --ideas my_ideas.json --parallel 2 --model openai/gpt-4.1 --max-usd-total 20
  {TYPED} resume last                        # go on after any stop
  {TYPED} follow last                        # watch a running session
  {TYPED} review paper.pdf --model openai/gpt-4.1
"""


class Refusal(Exception):
    """The command line is not valid; the message is one line that says why."""


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The words as a Namespace: `command` (None if none was typed), `operand`, and each option by its name.

    An option that was not typed is None. Switches, `help` and `version` are True or False.

    Raises:
        Refusal: a word is no command or option, belongs to another command, or is missing.
    """
    found, rest = _parser(OPTIONS.values()).parse_known_args(words)
    typed = vars(found)
    plain = [word for word in rest if not word.startswith("-")]
    named = _named(typed, plain)
    where = f"{NAME} {named[0].name}" if len(named) == 1 else NAME
    for word in rest:
        if word.startswith("-"):
            raise Refusal(f"{where}: there is no option {word.split('=')[0]}{_nearest(word, named)}")
    if len(named) > 1:
        raise Refusal(f"{where}: {named[0].name} and {named[1].name} do not go together")
    args = argparse.Namespace(command=None, operand=None, operands=(), help="help" in typed, version="version" in typed)
    for option in OPTIONS.values():
        setattr(args, option.dest, typed.get(option.dest, None if option.value or option.choices else False))
    if named:
        _check_options(named[0], typed)
        args.command = named[0].name
        if not args.help:
            _take_operand(args, named[0], typed, plain)
    elif plain:
        raise Refusal(f"{NAME}: there is no command {plain[0]}{_nearest(plain[0], named)}")
    elif typed and not args.help and not args.version:
        raise Refusal(f"{NAME}: name a command, or an idea with --idea NAME; {NAME} --help shows what there is")
    return args


def help_text(command: str | None, width: int | None = None) -> str:
    """The help of a command, or the list of commands for None; `width` None stands for the terminal's width."""
    if command is None:
        return _overview()
    chosen = COMMANDS[command]
    parser = _parser(option for option in OPTIONS.values() if command in option.owners)
    parser.usage = " ".join(word for word in (NAME, command, chosen.operand, "[OPTIONS]") if word)
    parser.description = _about(chosen)
    parser.formatter_class = partial(argparse.HelpFormatter, width=width)
    return parser.format_help()


# ---------------------------------------------------------------- inside


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{NAME}: {message.replace('argument ', '', 1)}")


def _parser(options: Iterable[Option]) -> _Parser:
    """A parser of these options, in the groups of the table. It also accepts `--status` for `status`, not in help."""
    options = list(options)
    parser = _Parser(prog=NAME, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for command in COMMANDS.values():
        if command.name != "run":
            takes: dict[str, Any] = {"nargs": "?", "const": ""} if command.operand else {"action": "store_true"}
            parser.add_argument(f"--{command.name}", dest=f"--{command.name}", help=argparse.SUPPRESS, **takes)
    for title, group in GROUPED_OPTIONS.items():
        shown = parser.add_argument_group(title)
        for option in group:
            if option in options:
                names = [name for name in (option.short, option.name) if name]
                shown.add_argument(*names, dest=option.dest, help=option.about, **_taken(option))
    parser.add_argument("-h", "--help", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="store_true", help=argparse.SUPPRESS)
    return parser


def _taken(option: Option) -> dict[str, Any]:
    if option.choices:
        return {"choices": option.choices}
    if not option.value:
        return {"action": "store_true"}
    return {"metavar": option.value, "type": option.kind, "action": "append" if option.repeated else "store"}


def _named(typed: dict[str, Any], plain: list[str]) -> list[Command]:
    """The commands that were typed, with dashes or as the first word; an idea without a command means `run`."""
    names = [name for name in COMMANDS if f"--{name}" in typed]
    if plain and plain[0] in COMMANDS and plain[0] not in names:
        names.append(plain[0])
    if not names and {"idea", "ideas", "after"} & typed.keys():
        names = ["run"]
    return [COMMANDS[name] for name in names]


def _check_options(command: Command, typed: dict[str, Any]) -> None:
    for option in OPTIONS.values():
        if option.dest in typed and command.name not in option.owners:
            *others, last = option.owners
            owners = f"{', '.join(others)} and {last}" if others else last
            raise Refusal(f"{NAME} {command.name}: {option.name} belongs to {owners}")


def _take_operand(args: argparse.Namespace, command: Command, typed: dict[str, Any], plain: list[str]) -> None:
    """Sets args.operands, args.operand (the first of them) and, for `run`, args.idea.

    Raises:
        Refusal: there are too many operands, none where one is needed, or one that the command cannot take.
    """
    dashed = typed.get("idea" if command.name == "run" else f"--{command.name}")
    given = [dashed] if dashed and command.operand else []
    given += plain[1:] if plain and plain[0] == command.name else plain
    if len(given) > bool(command.operand) and not command.several:
        raise Refusal(f"{NAME} {command.name}: one word too many: {given[-1]}")
    if command.operand and not given and not command.without and not {"ideas", "after"} & typed.keys():
        raise Refusal(f"{NAME} {command.name}: {command.operand} is missing" + _example(command))
    if command.operand:
        try:
            args.operands = tuple(command.kind(word) for word in given or [command.without] if word)
        except argparse.ArgumentTypeError as error:
            raise Refusal(f"{NAME} {command.name}: {error}") from None
        args.operand = next(iter(args.operands), None)
    if command.name == "run":
        args.idea = args.operand


def _example(command: Command) -> str:
    if command.name == "run":
        return f"; e.g. {NAME} run hierarchical_sae ({NAME} list shows ideas)"
    return f"; e.g. {NAME} {command.name} last" if "SESSION" in command.operand else ""


def _nearest(word: str, named: list[Command]) -> str:
    """A remark that names what a mistyped word resembles most; the command's own options are tried first."""
    word = word.split("=")[0]
    own = [o.name for o in OPTIONS.values() if named and named[0].name in o.owners]
    dashed = [*OPTIONS, *(f"--{name}" for name in COMMANDS if name != "run")]
    for names in (own, dashed) if word.startswith("-") else (COMMANDS,):
        if found := nearest(word, names, 0.7):
            elsewhere = named and found in OPTIONS and found not in own
            return f"; did you mean {found}" + (f" (of {OPTIONS[found].owners[0]})?" if elsewhere else "?")
    idea = "" if word.startswith("-") else f"if it is an idea, type --idea {word}; "
    return f"; {idea}{NAME} --help shows what there is"


def _about(command: Command) -> str:
    return command.about + (f" (default: {command.without})" if command.without else "")


def _overview() -> str:
    lines = [f"usage: {NAME} COMMAND [OPTIONS]", "", ABOUT]
    for title, commands in GROUPED_COMMANDS.items():
        lines += ["", f"{title}:"]
        for command in commands:
            typed = f"{command.name} {command.operand}".strip()
            lines.append(f"  {typed:<28}{_about(command)}")
    lines += [
        "",
        f"{NAME} COMMAND --help shows the options of a command. {NAME} --idea NAME is {NAME} run NAME;",
        f"every other command may also be typed with two dashes: {NAME} --status, {NAME} --resume last.",
        f"{NAME} --version says which version this is.",
        "",
        EXAMPLES,
    ]
    return "\n".join(lines)
