"""A person's own defaults for options that were not typed.

A typed option wins over environment variables, these over `experiment-runner.toml` in the checkout, that over the
person's file of the same name, and that over the built-in default. The checkout is the folder of launch.py. The current
folder is not read, because it may be a stranger's repository, which must not set options.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.app.commands import OPTIONS, TYPED_ONLY, Option
from agent.core.errors import UserError
from agent.core.given import read_given, toml_given
from agent.core.nearest import did_you_mean

FILE = "experiment-runner.toml"
PREFIX = "EXPERIMENT_RUNNER_"
PLACE = f"{PREFIX}CONFIG"  # variable that names the person's file, instead of the usual one; empty for no file
OTHERS = (PLACE, f"{PREFIX}KEYS", f"{PREFIX}PLACES")  # variables of this program that set no option
RESUMED = ("workspace", "on_event", "quiet", "verbose")  # the only defaults that `resume` takes
SETTINGS = {name[2:]: option for name, option in OPTIONS.items() if name not in TYPED_ONLY}
_ROLES = ("planner", "editor", "writer", "reviewer")
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


@dataclass(frozen=True)
class Source:
    """A file of defaults, or the environment."""

    where: str  # for messages
    values: Mapping[str, Any]  # by the options' `dest`; False for a switch that is off


def sources(environment: Mapping[str, str], checkout: Path) -> list[Source]:
    """Every source that exists, the strongest first.

    Raises:
        UserError: a source names a setting that does not exist, or gives a value that the option refuses.
    """
    found = [Source("the environment", _of_environment(environment))]
    for path in (checkout / FILE, own_file(environment)):
        if path is not None and os.path.lexists(path):
            found.append(Source(str(path), _of_file(path)))
    return found


def own_file(environment: Mapping[str, str]) -> Path | None:
    """The path of the person's file, whether or not it exists; None if the variable switches it off."""
    if PLACE in environment:
        return Path(environment[PLACE]) if environment[PLACE] else None
    home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home) / "experiment-runner" / FILE


def with_defaults(args: argparse.Namespace, found: Sequence[Source]) -> argparse.Namespace:
    """The same arguments, with the defaults of these sources for options of the command that were not typed.

    A resumed session keeps the options that it was started with, so `resume` takes only the defaults in RESUMED.

    Raises:
        UserError: --slurm was typed without --executor slurm.
    """
    settled = argparse.Namespace(**vars(args))
    taken = {option.dest for option in OPTIONS.values() if getattr(args, option.dest) not in (None, False)}
    for source in found:
        before = set(taken)
        for option in SETTINGS.values():
            if option.dest in source.values and _is_open(option, args.command, before):
                setattr(settled, option.dest, source.values[option.dest])
                taken.add(option.dest)
    if args.slurm and args.command in ("run", "doctor") and settled.executor != "slurm":
        raise UserError("--slurm: only --executor slurm uses it; add that, or leave --slurm out")
    return settled


# ---------------------------------------------------------------- inside


def _is_open(option: Option, command: str, taken: set[str]) -> bool:
    """Whether a source may set this option, given the options that stronger sources have set (`taken`)."""
    if command not in option.owners or option.dest in taken:
        return False
    if command == "resume" and option.dest not in RESUMED:
        return False
    if option.dest in ("model", *_ROLES) and "playback" in taken:
        return False
    if option.dest in _ROLES and "model" in taken:  # a stronger source has named one model for all roles
        return False
    return not (option.dest in ("quiet", "verbose") and taken & {"quiet", "verbose"})


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for variable, text in sorted(environment.items()):
        if variable.startswith(PREFIX) and variable not in OTHERS:
            name = variable.removeprefix(PREFIX).lower().replace("_", "-")
            option = _setting(name, f"the environment variable {variable}", _variables())
            found[option.dest] = _value(option, text, f"the environment variable {variable}")
    return found


def _variables() -> Iterator[str]:
    return (PREFIX + name.upper().replace("-", "_") for name in SETTINGS)


def _of_file(path: Path) -> dict[str, Any]:
    try:
        said = toml_given(read_given(path), str(path))
    except FileNotFoundError:
        raise UserError(f"{path}: a link that leads nowhere; remove it") from None
    found = {}
    for name, value in said.items():
        option = _setting(name, f"{path}: {name}", SETTINGS)
        if isinstance(value, bool) == bool(option.value or option.choices) or isinstance(value, dict | list):
            kind = "a text or a number" if option.value or option.choices else "true or false"
            raise UserError(f"{path}: {name} = {value}: give {kind}")
        found[option.dest] = _value(option, str(value), f"{path}: {name}")
    return found


def _setting(name: str, where: str, names: Any) -> Option:
    if f"--{name}" in TYPED_ONLY:
        raise UserError(f"{where}: --{name} holds for one command alone, so it has to be typed; remove it here")
    if name not in SETTINGS:
        word = PREFIX + name.upper().replace("-", "_") if where.startswith("the environment") else name
        raise UserError(f"{where}: there is no such setting{did_you_mean(word, names)}; see docs/scripts.md")
    return SETTINGS[name]


def _value(option: Option, text: str, where: str) -> Any:
    """A text converted as the option converts what is typed; raises UserError if it refuses the text."""
    if option.choices:
        if text not in option.choices:
            raise UserError(f"{where} = {text}: give {' or '.join(option.choices)}{did_you_mean(text, option.choices)}")
        return text
    if not option.value:
        if text.lower() not in _WORDS:
            raise UserError(f"{where} = {text}: give true or false")
        return _WORDS[text.lower()]
    try:
        return option.kind(text)
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise UserError(f"{where}: {error}") from None
