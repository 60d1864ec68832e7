"""The Python environment of sae-bench: built once from the locked requirements beside this file, kept in the cache."""

from __future__ import annotations

from pathlib import Path

from agent.core.errors import UserError
from agent.core.manifest import EnvironmentSpec
from agent.core.program import TYPED
from agent.core.record import Environment
from agent.core.saebench import SaeBench
from agent.lab.environments import Pins, Say, built, kept
from agent.lab.saebench.client import PASSED
from agent.storage.cache import size_of, size_text

PINS = Pins(name="sae-bench", folder=str(Path(__file__).parent), where="sae-bench")
SPEC = EnvironmentSpec(lock="requirements.txt")
MEND = f"{TYPED} --setup-saebench"


def set_up(cache: Path, say: Say) -> Environment:
    """Build the environment, unless the cache has it.

    Raises:
        UserError: uv is missing, or the packages cannot be installed.
    """
    return built(PINS, SPEC, cache, say)


def found(cache: Path) -> Environment | None:
    """The environment; None if it was not set up, or its requirements have changed since."""
    return kept(PINS, SPEC, cache)


def required(cache: Path) -> Environment:
    """The environment.

    Raises:
        UserError: it is not set up.
    """
    there = found(cache)
    if there is None:
        raise UserError(f"sae-bench is not set up in this workspace: {MEND}")
    return there


def variables(asked: SaeBench | None) -> tuple[str, ...]:
    """The environment variables that a measurement with sae-bench needs: those of the hub, and the judge's key."""
    if asked is None:
        return ()
    if not asked.judge:
        return PASSED
    from agent.llm.providers import key_variable

    return (*PASSED, key_variable(asked.judge), "OPENAI_API_BASE")


def described(cache: Path) -> str:
    """One line for a person: the version, place and size, or how to set it up."""
    there = found(cache)
    if there is None:
        return f"not set up ({MEND})"
    folder = Path(there.python).parents[2]
    return (
        f"{there.packages['sae-bench']} in {folder}, {size_text(size_of(folder))} (files that uv's cache has too "
        "may share its disk); remove the folder to be rid of it"
    )
