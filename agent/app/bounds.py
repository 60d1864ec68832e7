"""The bounds that a person sets on money, tokens and hours. They are checked before each call of a model."""

from __future__ import annotations

from agent.core.errors import BudgetSpent
from agent.llm.calls import CallRecord
from agent.session.tools import Journal


def _check_spent(usd: float, max_usd: float | None, tokens: int, max_tokens: int | None) -> None:
    """Raises BudgetSpent if one of the two bounds is reached; None is no bound."""
    if max_usd is not None and usd >= max_usd:
        raise BudgetSpent(f"--max-usd {max_usd:g} is reached (${usd:.4f} spent)")
    if max_tokens is not None and tokens >= max_tokens:
        raise BudgetSpent(f"--max-tokens {max_tokens} is reached ({tokens} used)")


class Budget:
    """A session's check: raises BudgetSpent once a bound is reached.

    It is called before each model call and while trainings run. Before a wait it is called with the seconds of the
    wait (`ahead_s`), so that no wait is begun that would pass --hours.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self, ahead_s: float = 0.0) -> None:
        self._journal.log.check()  # a call for a session whose folder was deleted would be paid for nothing
        session = self._journal.session
        options = session.options
        _check_spent(session.usd, options.max_usd, session.tokens, options.max_tokens)
        active = self._journal.active_s()
        if options.hours is not None and active + ahead_s >= options.hours * 3600:
            wait = f", and the provider is to be asked again in {ahead_s:.0f} s" if ahead_s else ""
            raise BudgetSpent(f"--hours {options.hours:g} is reached ({active / 3600:.2f} active hours{wait})")


class Spent:
    """Counts what the calls of a command without a session cost, and checks the bounds that were set."""

    def __init__(self, max_usd: float | None, max_tokens: int | None) -> None:
        self.max_usd, self.max_tokens = max_usd, max_tokens
        self.usd, self.tokens, self.unpriced = 0.0, 0, 0

    @property
    def cost(self) -> str:
        """US dollars as text, with "+?" if the price of some calls is not known."""
        return f"${self.usd:.2f}" + ("+?" if self.unpriced else "")

    def add(self, call: CallRecord) -> None:
        self.usd += call.cost_usd or 0.0
        self.unpriced += call.cost_usd is None
        self.tokens += call.tokens_in + call.tokens_out

    def check(self) -> None:
        _check_spent(self.usd, self.max_usd, self.tokens, self.max_tokens)
