"""The cost of models by role and by stage, and every exchange with a model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.core.options import ROLES
from agent.llm.calls import CallRecord
from agent.pages.views.words import Shortened, compact, shortened
from agent.session import events as ev
from agent.session.events import Event

STAGES = (
    ("Novelty", r"novelty"),
    ("Plan", r"plan"),
    ("Runs", r"run-"),
    ("Figures", r"plot"),
    ("Literature", r"citations|support"),
    ("Judge", r"judge"),
    ("Review", r"(improve-\d+\.)?review"),
    ("Paper", r"paper|improve"),
)
ALL_WORDS = 1_100_000  # characters of all prompts and replies on one page
MOST_WORDS, LEAST_WORDS = 30_000, 400  # of one message


@dataclass(frozen=True)
class Spent:
    """Calls, tokens and dollars of a cell, a row or a column of the table of costs."""

    calls: int = 0
    sent: int = 0
    received: int = 0
    usd: float = 0.0
    unpriced: int = 0

    def adding(self, event: ev.CallFinished | ev.TryWasted) -> Spent:
        return Spent(
            self.calls + 1,
            self.sent + event.tokens_in,
            self.received + event.tokens_out,
            self.usd + (event.cost_usd or 0.0),
            self.unpriced + (event.cost_usd is None),
        )

    @property
    def tokens(self) -> str:
        return compact(self.sent + self.received)


@dataclass(frozen=True)
class Costs:
    """The table of costs: a row for each stage, a column for each role, and the sums."""

    roles: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Spent, ...], Spent], ...]
    columns: tuple[Spent, ...]
    total: Spent
    models: tuple[tuple[str, Spent], ...]
    wasted: int  # calls that were paid for and gave no answer


@dataclass(frozen=True)
class Said:
    """One message. `known`: the earlier exchange that has the same message, where it is shown; "" where it is new."""

    role: str
    text: Shortened
    known: str = ""


@dataclass(frozen=True)
class Exchange:
    """One call with its request and reply."""

    anchor: str
    step: str
    ordinal: int
    stage: str
    role: str
    model: str
    sent: str
    received: str
    usd: float | None
    seconds: float
    refused: bool
    messages: tuple[Said, ...]
    reply: Shortened
    file: str  # below the session's folder


def costs(events: Iterable[Event]) -> Costs:
    """The table of costs, from the events of the log alone."""
    cells: dict[tuple[str, str], Spent] = {}
    models: dict[str, Spent] = {}
    wasted = 0
    for event in events:
        if isinstance(event, ev.CallFinished | ev.TryWasted):
            for key in ((stage_of(event.step), event.role), (stage_of(event.step), ""), ("", event.role), ("", "")):
                cells[key] = cells.get(key, Spent()).adding(event)
            models[event.model] = models.get(event.model, Spent()).adding(event)
            wasted += isinstance(event, ev.TryWasted)
    roles = tuple(role for role in ROLES if ("", role) in cells)
    nothing = Spent()
    rows = [
        (name, tuple(cells.get((name, role), nothing) for role in roles), cells[name, ""])
        for name, _ in (*STAGES, ("Other", ""))
        if (name, "") in cells
    ]
    return Costs(
        roles=roles,
        rows=tuple(rows),
        columns=tuple(cells["", role] for role in roles),
        total=cells.get(("", ""), nothing),
        models=tuple(models.items()),
        wasted=wasted,
    )


def stage_of(step: str) -> str:
    """The stage that a step of the session belongs to, as the table of costs names it."""
    return next((name for name, pattern in STAGES if re.match(pattern, step)), "Other")


def anchor_of(step: str, ordinal: int) -> str:
    """The anchor of an exchange inside the page."""
    return f"call-{re.sub(r'[^A-Za-z0-9]+', '-', step)}-{ordinal}"


def exchanges(
    calls: Sequence[CallRecord], refused: frozenset[tuple[str, int]], files: Mapping[tuple[str, int], str]
) -> tuple[Exchange, ...]:
    """Every exchange, with its messages shortened so that the page stays readable.

    A message that was sent in an earlier exchange is not repeated.

    Args:
        refused: (step, number) of the answers that were refused.
        files: where each exchange is stored, by (step, number).
    """
    seen: dict[str, str] = {}
    fresh: list[list[tuple[str, str, str]]] = []
    for call in calls:
        said: list[tuple[str, str, str]] = []
        for message in call.messages:
            key = hashlib.sha256(message.content.encode("utf-8", "replace")).hexdigest()
            said.append((message.role, message.content, seen.get(key, "")))
            seen.setdefault(key, anchor_of(call.step, call.ordinal))
        fresh.append(said)
    most = _room([text for said in fresh for _, text, known in said if not known] + [c.reply for c in calls])
    return tuple(_exchange(call, said, most, refused, files) for call, said in zip(calls, fresh, strict=True))


def _room(texts: Sequence[str]) -> int:
    """How many characters a text may have so that all texts together fit into ALL_WORDS, the short ones unshortened."""
    sizes, left = sorted(map(len, texts)), ALL_WORDS
    for place, size in enumerate(sizes):
        share = left // (len(sizes) - place)
        if size > share:
            return max(LEAST_WORDS, min(MOST_WORDS, share))
        left -= size
    return MOST_WORDS


def _exchange(
    call: CallRecord,
    said: Sequence[tuple[str, str, str]],
    most: int,
    refused: frozenset[tuple[str, int]],
    files: Mapping[tuple[str, int], str],
) -> Exchange:
    def messages() -> Iterator[Said]:
        for role, text, known in said:
            yield Said(role, Shortened("") if known else shortened(text, most), known)

    return Exchange(
        anchor=anchor_of(call.step, call.ordinal),
        step=call.step,
        ordinal=call.ordinal,
        stage=stage_of(call.step),
        role=call.role,
        model=call.model,
        sent=compact(call.tokens_in),
        received=compact(call.tokens_out),
        usd=call.cost_usd,
        seconds=call.wall_s,
        refused=(call.step, call.ordinal) in refused,
        messages=tuple(messages()),
        reply=shortened(call.reply, most),
        file=files.get((call.step, call.ordinal), ""),
    )
