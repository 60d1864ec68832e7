"""Finds in git's output the lines that tell a person what is wrong, without the hints that git adds."""

from __future__ import annotations

QUIET = {"GIT_ADVICE": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}  # no hints, no questions, messages in English
_ASIDE = ("hint:", "notice:", "warning", "dangling", "Checking")


def complaints(said: str) -> list[str]:
    """The lines of git's stderr that say what is wrong."""
    return [text for line in said.splitlines() if (text := line.strip("'\t ")) and not text.startswith(_ASIDE)]


def complaint(said: str) -> str:
    """The line that says why git failed: the last `fatal:` or `error:`, because advice may follow it."""
    lines = complaints(said)
    named = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (named or lines or [""])[-1]
