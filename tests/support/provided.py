"""A copy of a session that continues with real litellm and aider against a fake provider."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from agent.actions import perform
from agent.app.playing import play_session
from agent.core.options import Options
from agent.llm.litellm_model import LiteLLMModel
from agent.llm.providers import UNSTATED, Stated
from agent.session.events import Event
from agent.session.policy import next_action
from tests.support.fake_provider import FakeProvider
from tests.support.whole import Whole, options

BROUGHT = {"runs": 1, "stop_after": "runs", "skip_novelty": True}  # options of the session that is copied


class Provided(Whole):
    """The copy. `waits` collects the seconds of the waits that the model asks for; no time passes in them."""

    def __init__(self, prepared: Path, root: Path, **chosen: object) -> None:
        shutil.copytree(prepared, root, symlinks=True, dirs_exist_ok=True)
        super().__init__(root, None, **{**BROUGHT, **chosen})
        self.waits: list[float] = []

    def told(
        self,
        provider: FakeProvider,
        timeout_s: float = 30.0,
        *,
        model: str = "openai/gpt-4o",
        stated: Stated = UNSTATED,
        fallback: str | None = None,
        **changes: object,
    ) -> int:
        """Plays to the end or a stop as for a person; returns the exit status."""
        with self._asking(provider, timeout_s, changes, model, stated=stated, fallback=fallback) as tools:
            return play_session(tools)

    def step(self, provider: FakeProvider, timeout_s: float = 30.0) -> Event:
        """Performs one action; returns its event."""
        with self._asking(provider, timeout_s, {}) as tools:
            event = perform(next_action(tools.session), tools)
            tools.journal.append(event)
            return event

    def _asking(
        self,
        provider: FakeProvider,
        timeout_s: float,
        changes: dict[str, object],
        model: str = "openai/gpt-4o",
        **kinds: Any,
    ):
        roles = ("planner", "editor", "writer", "reviewer")
        self.model = LiteLLMModel(
            dict.fromkeys(roles, model),
            timeout_s=timeout_s,
            api_base=provider.url,
            notify=self.console.say,
            sleep=self.waits.append,
            **kinds,
        )
        changed: Options | None = options(**{**BROUGHT, **changes}) if changes else None
        return self.tools(changed)
