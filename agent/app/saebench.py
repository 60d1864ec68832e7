"""What profiles that ask for sae-bench need before a session starts, and what its evaluations take.

sae-bench is the published benchmark of that name; it runs in a Python environment of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

from agent.core.errors import UserError
from agent.core.manifest import Profile
from agent.core.options import Options
from agent.core.saebench import CHATS, FORGET_CORPUS, SaeBench
from agent.lab.saebench.catalogue import needs
from agent.lab.saebench.environment import required

SETTINGS = ("model", "hook_name", "dtype")


def complaints(profile: Profile, options: Options, cache: Path) -> list[str]:
    """One line for each thing that is missing for the profile's evaluations by sae-bench."""
    asked = profile.saebench
    if asked is None:
        return []
    found = []
    try:
        required(cache)
    except UserError as error:
        found.append(str(error))
    for name in SETTINGS:
        if any(name not in {**profile.settings, **c.settings} for c in profile.conditions):
            found.append(f"sae-bench: the profile has no setting {name!r}, which sae-bench needs to load the model")
    if asked.data and not (Path(asked.data).is_absolute() and Path(asked.data).is_dir()):
        found.append(f"sae-bench: saebench.data = {asked.data!r}: no such folder (an absolute path is needed)")
    return found + _judged(asked, options) + _unlearned(asked)


def _judged(asked: SaeBench, options: Options) -> list[str]:
    """Complaints about the judge of autointerp. It is asked where trainings are measured, so no bound covers it."""
    if not asked.judge:
        return []
    from agent.llm.names import check

    found = [f"sae-bench's judge: {problem}; {mend}" for problem, mend in check({"reviewer": asked.judge})]
    if options.max_usd is not None or options.max_tokens is not None:
        found.append(
            f"sae-bench: autointerp asks {asked.judge} twice for each sampled latent of every autoencoder, "
            "which --max-usd and --max-tokens do not count: leave them out, or autointerp"
        )
    return found


def _unlearned(asked: SaeBench) -> list[str]:
    """Complaints about what unlearning needs; its worker would miss it only after hours of training."""
    if not asked.instruct:
        return []
    found = []
    model = Path(asked.instruct)
    if model.name not in CHATS and not (model.is_absolute() and (model / "model.json").is_file()):
        found.append(
            f"sae-bench: saebench.instruct = {asked.instruct!r}: unlearning supports Gemma's chat format only: "
            f"name {' or '.join(CHATS)}, or the absolute path of a folder with a model of that format (model.json)"
        )
    corpus = Path(asked.data) / FORGET_CORPUS
    if not asked.data or not corpus.is_file():
        found.append(
            "sae-bench: unlearning reads bio-forget-corpus.jsonl, which its authors give only on request "
            "(the page of cais/wmdp-corpora on the hub says where to ask): set saebench.data to a folder, and "
            f"put it there as {FORGET_CORPUS}"
        )
    elif not _has_text(corpus):
        found.append(
            f'sae-bench: {corpus}: its first line is no JSON object with a "text"; unlearning reads one such line for '
            "each document"
        )
    return found


def _has_text(corpus: Path) -> bool:
    try:
        with open(corpus, encoding="utf-8") as lines:
            return isinstance(json.loads(lines.readline())["text"], str)
    except (ValueError, TypeError, KeyError):
        return False


def announced(profile: Profile) -> list[str]:
    """Lines of the estimate: what the evaluations by sae-bench take."""
    asked = profile.saebench
    if asked is None:
        return []
    which = "each training of the confirmation" if asked.runs == "confirmation" else "each training"
    return [
        f"  sae-bench, after {which} and one at a time, at most {asked.wall_s / 3600:.1f} h each:",
        *(f"    {one}: {needs(one)}" for one in asked.evals),
    ]
