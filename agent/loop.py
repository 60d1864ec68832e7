"""The loop: decide on an action, perform it, append its event to the log, until nothing is left to do."""

from __future__ import annotations

from agent.actions import perform
from agent.actions.waiting import cancel, running_jobs
from agent.core.errors import BudgetSpent
from agent.session.action import Stop
from agent.session.policy import next_action
from agent.session.tools import Tools


def play(tools: Tools) -> Stop | None:
    """Play the session until it is finished or has to stop.

    Returns:
        None when the session is finished, or the Stop the person asked for.

    Raises:
        InfrastructureError: the session stopped cleanly; a later call goes on from here.
        BudgetSpent: likewise; its trainings are cancelled, because a bound holds for what they cost.
    """
    try:
        while (action := next_action(tools.session)) is not None:
            if isinstance(action, Stop):
                return action
            tools.check_budget()
            tools.journal.append(perform(action, tools))
    except BudgetSpent:
        for job in running_jobs(tools):
            cancel(job, tools)
        raise
    return None
