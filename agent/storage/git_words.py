"""What git says, as far as a person should hear of it: its complaint, without the hints that it adds."""

from __future__ import annotations

QUIET = {"GIT_ADVICE": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}  # no hints, no questions, words that we know
_ASIDE = ("hint:", "notice:", "warning", "dangling", "Checking")


def complaints(said: str) -> list[str]:
    """The lines of what git wrote to stderr that say what is wrong."""
    return [text for line in said.splitlines() if (text := line.strip("'\t ")) and not text.startswith(_ASIDE)]


def complaint(said: str) -> str:
    """The one line that says why git ended: its last `fatal:` or `error:`; advice may stand behind it."""
    lines = complaints(said)
    named = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (named or lines or [""])[-1]
