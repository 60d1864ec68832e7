"""Which labels the planner may give a run.

Labels appear in tables, figures and text, so they must not claim a result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from agent.core.manifest import Manifest

_WORD = re.compile(r"[^\W\d_]+\d{0,3}|\d{1,3}")  # letters with up to three digits behind them, or such digits alone
# Words with which a label would say how the run came out.
_OUTCOME = re.compile(
    r"ahead|beat(?:s|en|ing)?|behind|best|better|confirmed|exceeds|high(?:er|est)|improv(?:e|es|ed|ing|ement)|leading|"
    r"los(?:e|es|ing)|low(?:er|est)|optimal|outperform(?:s|ing)?|percent|significant(?:ly)?|sota|strong(?:er|est)|"
    r"superior|than|versus|vs|weak(?:er|est)|win(?:s|ner|ning)?|worse|worst"
)


def label_problem(label: str, manifest: Manifest, taken: Iterable[str] = ()) -> str:
    """What is wrong with a label, as a clause; "" if nothing is.

    `taken` are the labels of other runs. A label may contain the name of a baseline beside a word of its own ("Tiered
    TopK"), because experiments build on the baselines' code. It may not name any other published method.
    """
    words = re.split(r"[ -]+", label)
    if wrong := [word for word in words if not _WORD.fullmatch(word)]:
        shown = repr(wrong[0]) if wrong[0] else "a separator without a word on both sides"
        return f"{shown}: only letters, spaces, hyphens and integers of at most three digits may stand in it"
    said = [word.casefold() for word in words]
    if found := next((word for word in said if _OUTCOME.fullmatch(word)), None):
        return f"{found!r} says how the run comes out"
    if re.search(r"\bp[ -]?\d", label.casefold()):
        return "it reads like a p-value"
    for name, spec in manifest.metrics.items():
        if any(_holds(said, _parts(metric)) for metric in (name, spec.label)):
            return f"{spec.label!r} is a metric"
    for method in manifest.methods:
        if _holds(said, _parts(method)):
            return f"{method!r} is a published method whose code this run is not"
    baselines = {spec.label: "a baseline" for spec in manifest.baselines}
    for other, what in {**dict.fromkeys(taken, "another run"), **baselines}.items():
        if "".join(said) == "".join(_parts(other)):
            return f"{other!r} is {what}"
    return ""


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[\W_]+", text.casefold()) if part]


def _holds(said: list[str], wanted: list[str]) -> bool:
    """Whether these words stand next to each other in what was said, also if they are written as one word."""
    size = len(wanted)
    together = "".join(wanted)
    return bool(wanted) and (
        any(said[start : start + size] == wanted for start in range(len(said) - size + 1)) or together in said
    )
