"""What a session will take: calls, tokens, money, trainings, as far as it is known before the first.

What earlier sessions of the same template and profile took on this machine is used where there are some.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from agent.app import saebench, sizes
from agent.app.assemble import stated_of
from agent.app.wording import compact
from agent.core.errors import InfrastructureError, UserError
from agent.core.options import Options
from agent.core.paths import SessionPaths
from agent.core.record import RunRecord
from agent.core.template import Template
from agent.core.writing import DRAFTS
from agent.storage import foreign
from agent.storage.workspace import Workspace, read_session

# What a call took on average in sessions that were measured; an estimate, not a promise.
TOKENS_IN, TOKENS_OUT = 6000, 500
LOOKED_AT = 30  # of the newest sessions of a workspace


@dataclass(frozen=True)
class PerCall:
    """Tokens that one call takes on average, and the session that it is known from ("" where it was none of ours)."""

    sent: float = TOKENS_IN
    received: float = TOKENS_OUT
    session: str = ""


def estimate(options: Options, template: Template, workspace: Workspace) -> str:
    """Calls, tokens, cost where the price is known, and trainings: lines for the console."""
    calls = _calls(options)
    profile = template.manifest.profiles[options.profile]
    trained = [b for b in template.manifest.baselines if b.name in options.baselines and not b.pretrained]
    runs = 0 if options.stop_after == "plan" else options.runs
    confirmed = 0 if options.stop_after in ("plan", "runs") else 2 * profile.confirm_seeds
    seeds = (len(trained) + runs) * len(profile.seeds) + confirmed
    trainings = seeds * len(profile.conditions)
    each = _per_call(options, workspace)
    tokens, money = calls * (each.sent + each.received), _money(options, calls, each)
    lines = [
        f"Estimate: about {calls} model calls, {compact(tokens)} tokens, "
        f"{_price(options, money)}; {trainings} trainings, {options.slots} side by side on {options.device}",
        *_of_judging(options),
        *_of_tokens(options, each),
        _of_time(options, template, workspace),
        *sizes.lines(sizes.Sizes(profile, seeds, options.device != "cpu", options.slots * options.threads)),
    ]
    if options.max_usd is not None and money is not None and money > options.max_usd:
        lines.append(_below(f"--max-usd {options.max_usd:g}"))
    if options.max_tokens is not None and not options.playback and tokens > options.max_tokens:
        lines.append(_below(f"--max-tokens {options.max_tokens}"))
    return "\n".join(lines + saebench.announced(profile))


def _of_judging(options: Options) -> list[str]:
    if not (judging := _judging(options)):
        return []
    return [f"  of the calls {judging} judge the paper (--reviews {options.reviews}, --improve {options.improve})"]


def _of_tokens(options: Options, each: PerCall) -> list[str]:
    if options.playback:
        return []
    if each.session:
        return [f"  a call takes about {compact(each.sent + each.received)} tokens (as in {each.session})"]
    return ["  not known yet: what a call takes with this profile; the tokens are those of other sessions"]


def _of_time(options: Options, template: Template, workspace: Workspace) -> str:
    """How long runs train, from the newest session here that measured some with this profile and device."""
    for paths in reversed(workspace.sessions()[-LOOKED_AT:]):
        found = [r for r in _records(paths) if _is_alike(r, options, template)]
        if found:
            each = trained_s(found) / len(found)
            return (
                f"  a run trains for about {each:.0f} s here (as did {len(found)} runs of {paths.root.name}): "
                f"{options.runs * each / 60:.0f} min for {options.runs} runs"
            )
    told = "none has been measured; docs/costs.md has figures of another machine"
    return f"  not known yet: how long a run of profile {options.profile} trains here; {told}"


def trained_s(records: Iterable[RunRecord]) -> float:
    """Seconds in which at least one of these runs was trained; several may have been trained at once."""
    found = end = 0.0
    for started, ended in sorted((r.started_at, r.started_at + r.wall_s) for r in records):
        found += max(0.0, ended - max(started, end))
        end = max(end, ended)
    return found


def _is_alike(record: RunRecord, options: Options, template: Template) -> bool:
    return (
        (record.template, record.profile, record.status) == (template.manifest.name, options.profile, "measured")
        and record.kind in ("baseline", "experiment")
        and record.device.startswith("cpu") == options.device.startswith("cpu")
    )


def _records(paths: SessionPaths) -> list[RunRecord]:
    """The run records of a session; what cannot be read is left out, because this is only an estimate."""
    found = []
    for path in sorted((paths.repo / "records").glob("*.json")):
        try:
            found.append(RunRecord.model_validate_json(foreign.read_file(path)))
        except (foreign.Foreign, ValueError):
            continue
    return found


def _per_call(options: Options, workspace: Workspace) -> PerCall:
    """Tokens of a call in the newest finished session of this template and profile that asked models."""
    for paths in reversed(workspace.sessions()[-LOOKED_AT:]):
        try:
            session = read_session(paths)
        except (UserError, InfrastructureError):
            continue
        theirs = session.options
        alike = (theirs.template, theirs.profile) == (options.template, options.profile)
        if alike and session.finished and session.calls and not theirs.playback:
            calls = session.calls.values()
            return PerCall(mean(c.tokens_in for c in calls), mean(c.tokens_out for c in calls), paths.root.name)
    return PerCall()


def _calls(options: Options) -> int:
    """A plan; for each run two edits, a comment and a reading; figures; each draft and the whole, once mended."""
    planning = 1 + (0 if options.skip_novelty else 2)
    if options.stop_after == "plan":
        return planning
    exploring = planning + options.runs * 4
    if options.stop_after == "runs":
        return exploring
    writing = 2 * len(DRAFTS) + 2
    literature = 2 + 3  # what is missing and chosen; sentences held against works
    return exploring + 2 + writing + literature + _judging(options)


def _judging(options: Options) -> int:
    """The judge of sentences twice, one mending, the ensemble and its chair; each revision is written and judged."""
    sentences = 2 + 1
    if options.stop_after is not None:
        return sentences if options.stop_after == "paper" else 0
    again = options.improve * (2 + 1 + options.reviews + 1)
    return sentences + options.reviews + 1 + again


def _money(options: Options, calls: int, each: PerCall) -> float | None:
    """US dollars for all calls; None where the price of a model is not known."""
    if options.playback:
        return None
    from agent.llm.providers import price

    prices = [price(name, stated_of(options)) for name in options.models.names().values()]
    known = [p for p in prices if p is not None]
    if len(known) < len(prices):
        return None
    return calls * mean(each.sent * into + each.received * out for into, out in known)


def _price(options: Options, money: float | None) -> str:
    if options.playback:
        return "played back at no cost"
    if money is not None:
        return f"about ${money:.2f} (less where the provider reads prompts from its cache)"
    from agent.llm.providers import price

    names = sorted({n for n in options.models.names().values() if price(n, stated_of(options)) is None})
    return f"price of {', '.join(names)} not known (state it with --price IN,OUT)"


def _below(bound: str) -> str:
    return f"  warning: {bound} is below this estimate; the session would stop there, and resume with a higher bound"
