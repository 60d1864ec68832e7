"""Numbers and calls in a person's words, the same in every place that shows them."""

from __future__ import annotations

from agent.session.events import CallFinished
from agent.session.session import Session


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


def compact(number: float) -> str:
    """1234 -> 1.2k."""
    for bound, unit in ((1e6, "M"), (1e3, "k")):
        if number >= bound:
            return f"{number / bound:.1f}{unit}"
    return str(int(number))
