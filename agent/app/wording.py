"""Numbers, calls and progress as texts for a person, the same wherever they are shown."""

from __future__ import annotations

from agent.core.protocols import Progress
from agent.session.events import AnswerRefused, CallFinished
from agent.session.session import Session

BAR = 20  # characters of a progress bar, at most


def call_line(event: CallFinished, session: Session) -> str:
    """Tokens and cost of one message and of the session."""
    price = "price unknown" if event.cost_usd is None else f"${event.cost_usd:.4f}"
    total = f"${session.usd:.4f}{' + unpriced calls' if session.unpriced_calls else ''}"
    about = " (estimated)" if event.estimated else ""
    cached = f" ({compact(event.tokens_cached)} of them from a cache)" if event.tokens_cached else ""
    return (
        f"  {event.role} ({event.model}): {compact(event.tokens_in)} sent{cached}, "
        f"{compact(event.tokens_out)} received, {price}{about}; session {compact(session.tokens)} tokens, {total}"
    )


def refusal_line(event: AnswerRefused) -> str:
    """Whose answer did not have the form that was asked for, and why."""
    return f"{event.role}: the answer cannot be used: {event.reason.splitlines()[0][:200]}"


def compact(number: float) -> str:
    """1234 -> 1.2k."""
    for bound, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= bound:
            return f"{number / bound:.1f}{unit}"
    return str(int(number))


def duration(seconds: float) -> str:
    """74 -> 1:14, 3674 -> 1:01:14."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def bar_line(text: str, fraction: float, words: str, columns: int) -> str:
    """A progress bar between a name and a text, in at most `columns` columns if possible.

    If the line is too long, the bar gets shorter or is left out; if it still is, the name loses its brackets.
    """
    rest = f"{fraction:.0%}, {words}"
    if len(f"{text} {rest}") > columns:
        text = text.partition(" (")[0]
    cells = min(BAR, columns - len(f"{text}  {rest}"))
    if cells < 4:
        return f"{text} {rest}"
    full = round(cells * max(0.0, min(1.0, fraction)))
    return f"{text} {'█' * full + '░' * (cells - full)} {rest}"


def training_words(state: Progress, left_s: float | None) -> str:
    """The progress of a job: trainings that are done, step and loss of the one that runs, and the time that is left."""
    words = [f"{state.done} of {state.total} trained"]
    if state.waiting:
        return f"{words[0]}, waiting for places ({state.waiting})"
    if state.phase == "measuring":
        words.append("measuring")
    elif state.steps:
        words.append(f"step {min(state.step, state.steps):.0f}/{state.steps:.0f}")
    if state.loss is not None and state.phase == "training":
        words.append(f"loss {state.loss:.3g}")
    if left_s is not None:
        words.append(f"{duration(left_s)} left")
    return ", ".join(words)
