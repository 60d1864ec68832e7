"""The three kinds of error a person can meet; anything else is a bug."""


class UserError(Exception):
    """Something the person gave is wrong. One line: what, where, how to mend. Exit 2."""


class InfrastructureError(Exception):
    """A tool the loop needs is broken (key, sandbox, git, disk). The session stops and resumes later."""


class BudgetSpent(Exception):
    """The next model call would pass a bound the person set (--max-usd, --max-tokens, --hours)."""
