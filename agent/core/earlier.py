"""What a session takes over from the session that it continues: the best code, and a summary of its runs."""

from __future__ import annotations

from agent.core.plan import PlannedRun
from agent.core.schema import Strict

EARLIER = "earlier"  # the name of the run that trains the earlier session's best code once more


class Earlier(Strict):
    """The earlier session as it was when this one started. Nothing is read from its folder later."""

    session: str  # its name
    title: str  # the title of its idea
    template: str
    profile: str
    data_key: str  # names the data that its exploration was measured on
    seeds: int  # number of seeds of each of its exploratory runs
    run: str  # its best experiment
    label: str
    about: str  # what that run changed
    commit: str  # of that run's code, in its repository
    code: dict[str, str]  # the editable files of that commit
    confirmation: str  # how its confirmation ended, in one sentence without a full stop
    runs: tuple[str, ...]  # one line for each run: what was changed, and how it came out
    tried: int  # number of experiments of this session and of all sessions before it
    before: tuple[str, ...] = ()  # a line for each session that it continued, oldest first
    worlds: int  # highest number of a world that its confirmation, or that of a session before it, used; 0: none
    last_seed: int  # highest seed that one of these confirmations used; -1: none

    def planned(self) -> PlannedRun:
        """The run that measures the earlier code again, on this session's data."""
        return PlannedRun(
            name=EARLIER,
            label=self.label,
            change=f"Nothing is edited: this is the best code of the earlier session. It had changed: {self.about}",
            hypothesis="It is measured again here, because its earlier numbers are another session's.",
        )
