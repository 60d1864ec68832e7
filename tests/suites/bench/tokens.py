"""What a session's conversations cost in tokens: ours as recorded, and the same session in the manner of its ancestors.

A provider's cache serves the longest beginning that a request shares with an earlier one, from PREFIX tokens on. Tokens
are counted by the tokenizer that litellm brings along, so that no network is needed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from os.path import commonprefix
from pathlib import Path

from agent.app.api import run
from agent.core.writing import WRITING_ORDER
from agent.llm.calls import CallRecord, read_call
from agent.llm.prompting import render
from agent.llm.providers import load_litellm
from agent.publishing.manuscript import section_file
from agent.storage.log import EventLog
from tests.suites.bench.markdown import markdown

PREFIX = 1024  # tokens from which on providers cache
CACHED = 0.1  # of the price of a token: what several providers ask for one that is read from their cache
PASTED = 16_000  # characters of a run's results that an ancestor pastes into its chat
CITATION_ROUNDS = 20  # of an ancestor, each with the whole paper


@dataclass(frozen=True)
class Exchange:
    """One request as a model gets it, and the answer."""

    step: str
    sent: str
    reply: str


@dataclass(frozen=True)
class Count:
    """Tokens of a session. `prefix`: of `sent`, those that a cache can serve."""

    calls: int
    sent: int
    prefix: int
    received: int
    largest: int

    @property
    def paid(self) -> float:
        """Input tokens at their full price that cost the same."""
        return self.sent - (1 - CACHED) * self.prefix


def table(session: Path | None) -> str:
    """The table of BENCHMARKS.md; plays the demo first where no finished session is given."""
    if session is None:
        with tempfile.TemporaryDirectory() as folder:
            return table(played(Path(folder)))
    ours, theirs = count(recorded(session)), count(list(as_ancestors(session)))
    rows = [
        ["ours", *_cells(ours), f"{ours.paid:,.0f}"],
        ["ours, without a provider's cache", *_cells(replace(ours, prefix=0)), f"{ours.sent:,}"],
        ["the ancestors' way, restated", *_cells(theirs), f"{theirs.paid:,.0f}"],
    ]
    heads = ["session", "calls", "tokens sent", "of them a known prefix", "received", "largest", "sent, as paid"]
    return markdown(heads, rows) + "\n\n" + markdown(["step", "calls", "tokens sent"], by_stage(recorded(session)))


def played(folder: Path) -> Path:
    """A finished demo session in a workspace of its own."""
    return run("hierarchical_sae", workspace=folder).folder


def recorded(session: Path) -> list[Exchange]:
    """The exchanges of a session in the order in which they were made."""
    made = [(e.step, e.ordinal) for e in EventLog(session / "events.jsonl").read() if e.type == "call_finished"]
    calls = [read_call(session / "calls" / f"{step}.{ordinal}.json") for step, ordinal in dict.fromkeys(made)]
    return [_exchange(call) for call in calls]


def count(exchanges: Sequence[Exchange]) -> Count:
    """Tokens sent and received, and how much of what is sent a cache can serve."""
    sent = [tokens(e.sent) for e in exchanges]
    prefix = [known(e.sent, [f.sent for f in exchanges[:n]]) for n, e in enumerate(exchanges)]
    received = sum(tokens(e.reply) for e in exchanges)
    return Count(len(exchanges), sum(sent), sum(prefix), received, max(sent, default=0))


def by_stage(exchanges: Sequence[Exchange]) -> list[list[str]]:
    """Calls and tokens by what they are for, the dearest first."""
    found: dict[str, list[int]] = {}
    for exchange in exchanges:
        found.setdefault(_stage(exchange.step), []).append(tokens(exchange.sent))
    rows = sorted(found.items(), key=lambda row: -sum(row[1]))
    return [[name, str(len(sizes)), f"{sum(sizes):,}"] for name, sizes in rows]


def as_ancestors(session: Path) -> Iterator[Exchange]:
    """The same session as the ancestors prompt it: whole files in each request, whole results pasted, growing chats.

    The answers are those of our session. There is a chat for the runs and one for the paper; citations are asked with
    the whole draft. What the ancestors' prompts say beyond files, results and guides is left out.
    """
    repo, calls = session / "repo", {e.step: e for e in recorded(session)}
    files = _files({name: (repo / name).read_text() for name in ("experiment.py", "notes.txt", "plot.py")})
    yield calls["plan"]
    chat, said = _Chat(), calls["plan"].reply
    for step in (s for s in calls if s.startswith("run-") and ".edit-" in s):
        yield chat.turn(step, files, said, calls[step].reply)
        run = step.split(".")[0].removeprefix("run-")
        said = f"Run {run} is finished. Its results:\n{(repo / f'records/{run}.json').read_text()[:PASTED]}"
    for step in (s for s in calls if s.startswith("plot.")):
        yield chat.turn(step, files, said, calls[step].reply)
        said = "The figures are drawn."
    yield from _papers(
        (repo / "notes.txt").read_text(), {n: (repo / section_file(n)).read_text() for n in WRITING_ORDER}
    )
    yield calls["review-1"]


def _papers(notes: str, sections: dict[str, str]) -> Iterator[Exchange]:
    """Each section written and refined in one chat, then the citations, then each refined once more."""
    chat, draft = _Chat(), ""
    for name, text in sections.items():
        guide = render(f"guide/{name}", manifest=_Measured())
        shown = _files({"notes.txt": notes, "paper.tex": draft})
        yield chat.turn(f"paper.{name}.write", shown, f"Write the section {name}.\n{guide}", text)
        draft += f"\n\n{text}"
        shown = _files({"notes.txt": notes, "paper.tex": draft})
        yield chat.turn(f"paper.{name}.refine", shown, f"Criticise and refine the section {name}.", "")
    for number in range(CITATION_ROUNDS):
        yield _Chat().turn(f"citations.{number}", _files({"paper.tex": draft}), "Which citation is missing?", "")
    for name in sections:
        shown = _files({"notes.txt": notes, "paper.tex": draft})
        yield chat.turn(f"paper.{name}.second", shown, f"Refine the section {name} once more.", "")


class _Chat:
    """A conversation that sends everything said so far each time."""

    def __init__(self) -> None:
        self.system, self.past = render("coder_system", open="```", close="```"), ""

    def turn(self, step: str, shown: str, said: str, reply: str) -> Exchange:
        exchange = Exchange(step, f"system\n{self.system}\nuser\n{self.past}\n{shown}\nuser\n{said}", reply)
        self.past += f"\nuser\n{said}\nassistant\n{reply}"
        return exchange


@cache
def tokens(text: str) -> int:
    """By the tokenizer that litellm has on disk."""
    load_litellm()
    from litellm.litellm_core_utils.default_encoding import encoding

    return len(encoding.encode(text, disallowed_special=()))


@dataclass(frozen=True)
class _Measured:
    measured: bool = True


def _files(texts: dict[str, str]) -> str:
    return "\n".join(f"{name}\n```\n{text}\n```" for name, text in texts.items())


def _exchange(call: CallRecord) -> Exchange:
    return Exchange(call.step, "\n".join(f"{m.role}\n{m.content}" for m in call.messages), call.reply)


def known(sent: str, before: Sequence[str]) -> int:
    """Tokens that a request begins with as an earlier one did; 0 where a cache would not keep so few."""
    longest = max((commonprefix([sent, other]) for other in before), key=len, default="")
    length = tokens(longest)
    return length if length >= PREFIX else 0


def _stage(step: str) -> str:
    head, _, rest = step.partition(".")
    kind = rest.split("-")[0]
    return {"run": f"run: {kind}", "paper": f"paper: {kind}"}.get(head.split("-")[0], head.split("-")[0])


def _cells(found: Count) -> list[str]:
    share = f"{found.prefix:,} ({found.prefix / max(1, found.sent):.0%})"
    return [str(found.calls), f"{found.sent:,}", share, f"{found.received:,}", f"{found.largest:,}"]
