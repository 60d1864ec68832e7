"""What an exchange with a model means to the session: its event and its price, wasted tries and refused answers too."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from agent.app.wording import call_line
from agent.core.exchange import Call, Reply
from agent.core.paths import SessionPaths
from agent.llm.calls import CallRecord
from agent.session.events import AnswerRefused, CallFinished, TryWasted
from agent.session.tools import Console, Journal


@dataclass(frozen=True)
class Books:
    """Told by RecordedCalls; each event is written once, also when a resume reads the same reply again."""

    paths: SessionPaths
    journal: Journal
    console: Console

    def on_call(self, call: CallRecord) -> None:
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
        played = self.journal.session.options.playback  # costs nothing, so that nobody counts its tokens
        (self.console.detail if played else self.console.say)(call_line(event, self.journal.session))

    def on_waste(self, call: Call, spent: Reply, why: str) -> None:
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
        if (call.step, call.ordinal) in self.journal.session.refused:
            return
        self.journal.append(
            AnswerRefused(at=time.time(), step=call.step, ordinal=call.ordinal, role=call.role, reason=reason)
        )
        self.console.say(f"  {call.role}: the answer cannot be taken: {reason.splitlines()[0][:200]}")
