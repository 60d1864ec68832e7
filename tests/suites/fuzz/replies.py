"""Malformed replies through every action that reads one: each trial ends in an event with a reason.

A trial performs a real action at a place of a real session; what it raises, or how long it computes, is judged here.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from agent.actions import perform
from agent.core.errors import InfrastructureError
from agent.session import events as ev
from agent.session.policy import GiveUpRun, LintRun, next_action
from agent.session.session import apply
from tests.suites.fuzz.mutate import mutations
from tests.suites.fuzz.stage import Place, Stage, by_blocks
from tests.suites.fuzz.watch import Hung, watched

STUBBORN = 4  # one trial in so many has a model that never mends its answer
GOES_ON = (LintRun, GiveUpRun)  # what comes next is done as well where it asks nobody and trains nothing
LONGEST_EVENT = 200_000  # bytes of a line of the log: longer texts lie in calls/
Tried = Callable[[list, str], list]
LONGEST_ECHO = 100_000  # characters that one reply may add to what the model is asked next


@dataclass
class Trial:
    kind: str
    how: str  # names of the mutators
    reply: str
    outcome: str = ""  # "accepted", "refused", "stopped", "crash"
    why: str = ""
    cpu_s: float = 0.0


@dataclass
class Report:
    trials: list[Trial] = field(default_factory=list)

    @property
    def crashes(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.outcome == "crash"]

    def lines(self) -> Iterator[str]:
        """A line for each kind of action, then one for all."""
        for kind in sorted({trial.kind for trial in self.trials}):
            count = Counter(trial.outcome for trial in self.trials if trial.kind == kind)
            said = ", ".join(f"{count[o]} {o}" for o in ("accepted", "refused", "stopped", "crash") if count[o])
            slowest = max(trial.cpu_s for trial in self.trials if trial.kind == kind)
            yield f"  {kind}: {sum(count.values())} replies: {said}; slowest {slowest:.1f} s"
        kinds = len({trial.kind for trial in self.trials})
        yield f"{len(self.trials):,} replies through {kinds} actions, {len(self.crashes)} crashes"


def fuzz(
    stage: Stage, corpus: Sequence[str], *, count: int, seed: int, tried: Tried = lambda cases, kind: cases
) -> Report:
    """`count` replies, as many through each kind of action; `tried` says which of a kind's are given."""
    report = Report()
    kinds = sorted(stage.places)
    for number, kind in enumerate(kinds):
        draw = Random(f"{seed}:{kind}")
        share = count // len(kinds) + (number < count % len(kinds))
        own = [good for place in stage.places[kind] for good in place.good.values()]
        texts = [*own * max(1, len(corpus) // len(own)), *corpus]
        for number, (how, reply) in tried(list(enumerate(mutations(texts, draw, share))), kind):
            own_draw = Random(f"{seed}:{kind}:{number}")  # so that one reply is tried alike among all and among few
            report.trials.append(_trial(stage, own_draw.choice(stage.places[kind]), how, reply, own_draw))
    return report


def _trial(stage: Stage, place: Place, how: str, reply: str, draw: Random) -> Trial:
    trial = Trial(place.kind, how, reply)
    step, stubborn = draw.choice(sorted(place.good)), draw.randrange(STUBBORN) == 0
    try:
        with watched(trial):
            trial.outcome, trial.why = _judged(stage, place, step, reply, stubborn)
    except (Exception, Hung) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        trial.outcome = "crash"
        trial.why = f"{type(error).__name__}: {str(error)[:300]} ({Path(where.filename).name}:{where.lineno})"
    return trial


def _judged(stage: Stage, place: Place, step: str, reply: str, stubborn: bool) -> tuple[str, str]:
    """How the action ended. Whatever is wrong with that raises."""
    model = stage.at(place, step, reply, stubborn)
    try:
        event = perform(place.action, stage.tools)
    except InfrastructureError as error:
        _check(_is_a_stop(str(error)), f"stopped for no reason of the reply's: {error}")
        return "stopped", str(error)
    line = ev.ADAPTER.dump_json(event)
    _check(ev.ADAPTER.validate_json(line) == event, "the event does not read back")
    _check(len(line) < LONGEST_EVENT, f"an event of {len(line)} bytes")
    sizes = [sum(len(m.content) for m in messages) for _, messages in model.history]
    _check(max(sizes) < sizes[0] + LONGEST_ECHO * len(sizes), f"asked again with {max(sizes)} characters")
    state = apply(place.session, event)
    stage.tools.journal.session = state
    action = next_action(state)
    if isinstance(action, GOES_ON):
        next_action(apply(state, perform(action, stage.tools)))
    reason = reason_of(event)
    if reason is not None:
        _check(bool(reason.strip()), "refused without a reason")
        return "refused", reason
    again = sum(call.ordinal > 1 for call, _ in model.history)
    _check(by_blocks(place) or len(stage.refusals) == again, "asked again without a reason")
    return ("refused", stage.refusals[0]) if stage.refusals else ("accepted", "")


def reason_of(event: ev.Event) -> str | None:
    """Why a reply did not count; None: it did."""
    match event:
        case ev.AttemptFailed() | ev.PlotFailed():
            return f"{event.reason}: {event.detail}" if event.reason and event.detail else ""
        case ev.SectionsWritten(refused=refused, sections=counts) if refused or any(counts.values()):
            return refused or f"{sum(counts.values())} complaints"
        case ev.SentencesJudged(failed=failed) | ev.ReviewGiven(failed=failed) | ev.PaperReviewed(failed=failed):
            return failed or None
    return None


def _is_a_stop(text: str) -> bool:
    """The two ways in which a reply may stop a session, in one line that says how to go on."""
    return "\n" not in text and ("an empty answer" in text or "gave no usable answer" in text)


def _check(holds: bool, text: str) -> None:
    if not holds:
        raise AssertionError(text)
