"""Turns exchanges with a model into events of the session: finished calls, wasted tries and refused answers."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from agent.app.wording import call_line, refusal_line
from agent.core.exchange import Call, Reply
from agent.core.paths import SessionPaths
from agent.llm.calls import CallRecord
from agent.session.events import AnswerRefused, CallFinished, TryWasted
from agent.session.tools import Console, Journal


@dataclass(frozen=True)
class Books:
    """Called by RecordedCalls. Each event is written once, also if a resumed session reads the same reply again."""

    paths: SessionPaths
    journal: Journal
    console: Console

    def on_call(self, call: CallRecord) -> None:
        """Logs a finished call with the hash of its file, and prints its tokens and cost."""
        if (call.step, call.ordinal) in self.journal.session.calls:
            return
        path = self.paths.calls / f"{call.step}.{call.ordinal}.json"
        event = CallFinished(
            at=time.time(),
            step=call.step,
            ordinal=call.ordinal,
            role=call.role,
            model=call.model,
            tokens_in=call.tokens_in,
            tokens_out=call.tokens_out,
            cost_usd=call.cost_usd,
            path=str(path.relative_to(self.paths.root)),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            estimated=call.estimated,
            tokens_cached=call.tokens_cached,
        )
        self.journal.append(event)
        played = self.journal.session.options.playback  # its tokens cost nothing, so they are only a detail
        (self.console.detail if played else self.console.say)(call_line(event, self.journal.session))

    def on_waste(self, call: Call, spent: Reply, why: str) -> None:
        """Logs a try that cost tokens and gave no answer."""
        self.journal.append(
            TryWasted(
                at=time.time(),
                step=call.step,
                ordinal=call.ordinal,
                role=call.role,
                model=spent.model,
                reason=why,
                tokens_in=spent.tokens_in,
                tokens_out=spent.tokens_out,
                cost_usd=spent.cost_usd,
                estimated=spent.estimated,
                tokens_cached=spent.tokens_cached,
            )
        )

    def on_refusal(self, call: CallRecord, reason: str) -> None:
        """Logs and prints that an answer did not have the form that was asked for."""
        if (call.step, call.ordinal) in self.journal.session.refused:
            return
        event = AnswerRefused(at=time.time(), step=call.step, ordinal=call.ordinal, role=call.role, reason=reason)
        self.journal.append(event)
        self.console.say(f"  {refusal_line(event)}")
