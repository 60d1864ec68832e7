"""What a session will take: calls, tokens, money, trainings, as far as it is known before the first."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from agent.app import saebench
from agent.app.wording import compact
from agent.core.options import Options
from agent.core.template import Template
from agent.core.writing import WRITING_ORDER

# What a session of this kind took, per call, in sessions that were measured; an estimate, not a promise.
TOKENS_IN, TOKENS_OUT = 6000, 900


def estimate(options: Options, template: Template, cache: Path) -> str:
    """Calls, tokens, cost where the price is known, and trainings: lines for the console."""
    calls = _calls(options)
    profile = template.manifest.profiles[options.profile]
    seeds = (len(options.baselines) + options.runs) * len(profile.seeds) + 2 * profile.confirm_seeds
    trainings = seeds * len(profile.conditions)
    lines = [
        f"Estimate: about {calls} model calls, {compact(calls * (TOKENS_IN + TOKENS_OUT))} tokens, "
        f"{_price(options, calls)}; {trainings} trainings, {options.slots} side by side on {options.device}"
    ]
    lines.append(
        f"  of the calls {_judging(options)} judge the paper (--reviews {options.reviews}, --improve {options.improve})"
    )
    if wall := _cached_wall_s(cache / "baselines", Path(options.template).name):
        lines.append(
            f"  a run trains for about {wall:.0f} s here (as a cached baseline did): "
            f"{options.runs * wall / 60:.0f} min for {options.runs} runs"
        )
    else:
        lines.append("  training time is not known yet: no baseline has run on this machine")
    return "\n".join(lines + saebench.announced(profile))


def _cached_wall_s(folder: Path, template: str) -> float:
    """How long the last baseline of this template trained that the cache holds; 0 where it holds none."""
    from agent.core.record import JobResult

    for path in sorted(folder.glob(f"{template}-*.json"), reverse=True):
        with suppress(OSError, ValueError):  # a damaged one is trained anew
            return JobResult.model_validate_json(path.read_bytes()).wall_s
    return 0.0


def _calls(options: Options) -> int:
    writing = 3 * len(WRITING_ORDER) + 4
    literature = 3 + 1 + len(WRITING_ORDER) + (0 if options.skip_novelty else 2)
    return 1 + options.runs * 4 + writing + literature + 2 + _judging(options)


def _judging(options: Options) -> int:
    """The judge of sentences, two sections mended, the ensemble and its chair; each revision writes and is reviewed."""
    again = options.improve * (len(WRITING_ORDER) + options.reviews + 1)
    return 1 + 2 + options.reviews + 1 + again


def _price(options: Options, calls: int) -> str:
    if options.playback:
        return "played back at no cost"
    from agent.llm.providers import price

    names = list(options.models.names().values())
    each = []
    for name in names:
        if (known := price(name)) is None:
            return f"price of {name} not known"
        each.append(TOKENS_IN * known[0] + TOKENS_OUT * known[1])
    return f"about ${calls * sum(each) / len(each):.2f}"
