"""A session played once, kept at each place where an action asks a model; replies are tried at these places.

Nothing is listed by hand: what asks is found by playing. Everything but the model is real.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from agent.actions import perform
from agent.core.exchange import Call, Message
from agent.llm.calls import CallRecord, RecordedCalls
from agent.llm.editing.coder import AiderCoder
from agent.session import policy
from agent.session.policy import Action, next_action
from agent.session.session import Session
from agent.session.tools import Tools
from agent.storage.log import EventLog
from tests.support.scripted import ScriptedModel
from tests.support.whole import Script, Whole, block, fenced

# Run 1 comes to nothing, plot.py fails once, the method lies (and is mended), a work is missed: places as well.
DETOURS = {
    "run-1.edit-1": "no",
    "run-1.edit-2": "no",
    "plot.edit-1": "no",
    "paper.method.write": block(
        "paper/sections/method.md",
        "Nothing is written here yet.",
        "The tiered run reaches a score of 0.97, a 42% improvement.",
    ),
    "citations.round-1.missing": fenced({"missing": [{"what": "SAEs", "query": "sparse autoencoders find features"}]}),
    "citations.round-1.choose": fenced(
        {"chosen": [{"key": "cunningham2023sparse", "section": "background", "reason": "an early work on the method"}]}
    ),
}
UNREACHED = {policy.GiveUpPlots, policy.Stop, policy.CollectAny}  # on the way played here; none asks a model


@dataclass(frozen=True)
class Place:
    """A moment of the session: what is to be done, the state it is done in, and a good answer to each of its steps."""

    action: Action
    session: Session
    head: str
    good: dict[str, str]

    @property
    def kind(self) -> str:
        """The action's name, with a section's phase."""
        name = type(self.action).__name__
        if isinstance(self.action, policy.WriteSections):
            return f"{name} ({'mend' if self.action.round else self.action.phase})"
        return name


class Stage:
    """`places` by kind; `perform` does one place's action anew with other replies."""

    def __init__(self, root: Path, cache: Path | None = None) -> None:
        root.chmod(0o755)
        self.root = root
        self._open = ExitStack()
        self.whole = Whole(root, Script(2, DETOURS), cache=cache, runs=2, improve=1)
        self.tools: Tools = self._open.enter_context(self.whole.tools())
        self.tools.journal.log = EventLog(root / "scratch.jsonl")  # the session's own log stays as it is
        self.places: dict[str, list[Place]] = {}
        self.silent: set[type] = set()
        self.refusals: list[str] = []  # of the answers of the place that was gone to last
        self._play()

    def close(self) -> None:
        self._open.close()

    def _play(self) -> None:
        while (action := next_action(self.tools.session)) is not None:
            before, asked = self.tools.session, len(self.whole.model.history)
            head = self.tools.versions.head()
            self.tools.journal.append(perform(action, self.tools))
            calls = [call for call, _ in self.whole.model.history[asked:]]
            if not calls:
                self.silent.add(type(action))
                continue
            good = {call.step: self.answer(call) for call in calls}
            place = Place(action, before, head, good)
            self.places.setdefault(place.kind, []).append(place)

    def answer(self, call: Call) -> str:
        path = self.whole.paths.calls / f"{call.step}.{call.ordinal}.json"
        return CallRecord.model_validate_json(path.read_bytes()).reply

    def at(self, place: Place, step: str, reply: str, stubborn: bool) -> ScriptedModel:
        """Back to a place. The model gives this reply to a step, once or for ever, and else the good ones."""

        def say(messages: Sequence[Message], call: Call) -> str:
            bent = call.step == step and (stubborn or call.ordinal == 1)
            return reply if bent else place.good.get(call.step, reply)

        model = ScriptedModel(say)
        self.tools.journal.session = place.session
        (self.whole.paths.repo / ".git/refs/heads/main").write_text(place.head + "\n")
        self.tools.versions.reset(place.head)
        folder = self.root / "calls"
        shutil.rmtree(folder, ignore_errors=True)
        self.refusals.clear()
        calls = RecordedCalls(
            model,
            folder,
            lambda record: None,
            lambda: None,
            on_refusal=lambda record, reason: self.refusals.append(reason),
        )
        self.tools.ask, self.tools.coder = calls.ask, AiderCoder(calls.ask)
        return model


def by_blocks(place: Place) -> bool:
    """Whether the action is an editing conversation: aider asks again by itself, and says why in its own words."""
    return isinstance(place.action, policy.EditRun | policy.EditPlot | policy.WriteSections)


def unmet(stage: Stage) -> set[type]:
    """Actions of the policy that the session played here never came to: they need a way to be fuzzed."""
    met = {type(place.action) for places in stage.places.values() for place in places} | stage.silent
    return set(get_args(policy.Action)) - met - UNREACHED
