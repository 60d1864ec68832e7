"""A whole session on the tiny template with a scripted model: real aider, git, sandbox, runner and measurement."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.app.assemble import System, open_session
from agent.core.exchange import Call, Message
from agent.core.ideas import read_ideas
from agent.core.options import Models, Options
from agent.core.paths import SessionPaths
from agent.core.writing import DRAFTS, WRITING_ORDER
from agent.lab.worlds import secret_file
from agent.literature.services import Service
from agent.sandbox.boxes import BubblewrapSandbox
from agent.session.events import Event
from agent.session.tools import Console
from agent.storage.atomic import write_text
from agent.storage.log import EventLog
from agent.storage.workspace import Workspace
from tests.support import TEMPLATE
from tests.support.scripted import Answer, ScriptedModel

IDEA = {
    "Name": "tiny_idea",
    "Title": "Does a Larger Step Help a Tiny Dictionary?",
    "Experiment": "Vary the step size of the dictionary's rows.",
}
REVIEW = {
    "summary": "s",
    "strengths": ["a"],
    "weaknesses": ["b"],
    "questions": [],
    "limitations": [],
    "ethical_concerns": False,
    "soundness": 2,
    "presentation": 3,
    "contribution": 2,
    "overall": 5,
    "confidence": 3,
    "decision": "reject",
}
META = {"summary": "Small and plain.", "agreed": ["a"], "disputed": [], "advice": ["Say what was not varied."]}
RATES = (0.02, 0.05, 0.1, 0.2, 0.3)
PROSE = {
    "title": "# Does a Larger Step Help a Tiny Dictionary?\n\nWe vary the step size. The best run, "
    '{{ name("ours") }}, {{ improves("ours", "topk", "score") }} {{ name("topk") }}.\n',
    "introduction": "Dictionaries explain rows by few directions [@olshausen1996emergence].\n",
    "related_work": "Sparse coding is the root of this work [@olshausen1996emergence].\n",
    "background": "A row $x$ is written as $x = W^\\top z + b$ with few non-zero entries in $z$.\n",
    "method": "The rows of the dictionary follow what their latents leave unexplained.\n",
    "experimental_setup": 'The dictionary has $d_{\\text{sae}}$ = {{ config("d_sae") }} latents.\n',
    "results": 'The best run {{ improves("ours", "topk", "score") }} {{ name("topk") }}. {{ guarded() }}. The score of '
    '{{ name("ours") }} is {{ mean("ours", "score") }} (see [@tab:main]).\n',
    "discussion": "*Interpretation.* The step size matters for how far the rows travel.\n",
    "conclusion": 'The best run {{ improves("ours", "topk", "score") }} the baseline {{ name("topk") }}.\n',
}


# Secrets of worlds in which a larger step beats both baselines, so that no session depends on luck.
SECRETS = tuple(hashlib.sha256(f"tiny {n}".encode()).hexdigest() for n in (1, 8, 11))


def in_known_worlds(cache: Path) -> None:
    """Writes these secrets into a cache, so that the first session that uses it draws these worlds."""
    for world, secret in enumerate(SECRETS):
        path = secret_file(cache, "tiny", world)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_text(path, f"{secret}\n", mode=0o600)


def block(file: str, search: str, replace: str) -> str:
    """An editor's answer with one SEARCH/REPLACE block."""
    return f"Here it is.\n\n{file}\n```\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n```\n"


def rate_block(old: float, new: float) -> str:
    return block("experiment.py", f"RATE = {old}  # step size", f"RATE = {new}  # step size")


def fenced(data: object) -> str:
    return f"```json\n{json.dumps(data)}\n```\n"


def plan(runs: int) -> dict:
    return {
        "comparison": {"metric": "score", "baseline": "topk", "why": "it is the code we start from"},
        "runs": [planned(i) for i in range(1, runs + 1)],
    }


def planned(number: int) -> dict:
    return {
        "name": f"step{number}",
        "label": f"step {round(100 * RATES[number])}",
        "change": f"set RATE to {RATES[number]}",
        "hypothesis": "a larger step travels further",
        "start_from": "baseline",
    }


def default_answer(call: Call, runs: int) -> str:
    """The right answer of a model to a call."""
    step = call.step
    if step == "plan":
        return fenced(plan(runs))
    if match := re.fullmatch(r"run-(\d+)\.edit-\d+", step):
        return rate_block(RATES[0], RATES[int(match[1])])
    if step.endswith(".comment"):
        return "It supports the hypothesis only if the score moved by more than its error."
    if match := re.fullmatch(r"run-(\d+)\.reflect", step):
        left = [planned(i) for i in range(int(match[1]) + 1, runs + 1)]
        return fenced(
            {"interpretation": "The step size changes how far rows travel.", "completed": not left, "runs": left}
        )
    if step.startswith("plot.edit"):
        return block("plot.py", 'axis.set_ylabel("score")', 'axis.set_ylabel("mean score")')
    if step == "plot.describe":
        return fenced({"descriptions": {}})
    if re.fullmatch(r"(improve-\d+\.)?review-\d+", step):
        return fenced(REVIEW)
    if step.endswith("review.meta"):
        return fenced(META)
    return "NO CHANGE"


def told_in(prompt: str) -> list[str]:
    """The numbered sentences of a prompt for the judge, in their order."""
    return re.findall(r"^\d+\. (.*)", prompt.partition("## The paper")[2], re.MULTILINE)


def judged(prompt: str, refuse: Mapping[str, str] | None = None) -> str:
    """The answer of a judge who refuses the sentences that contain a word of `refuse` (word -> kind of the refusal)."""
    sentences = list(enumerate(told_in(prompt), start=1))
    refused = [
        {"n": n, "kind": kind, "why": f"nothing shows {word!r}"}
        for n, text in sentences
        for word, kind in (refuse or {}).items()
        if word in text
    ]
    accepted = [str(n) for n, _ in sentences if n not in {r["n"] for r in refused}]
    return fenced({"checked": "the text with the records", "accepted": ", ".join(accepted), "refused": refused})


def literature_answer(prompt: str) -> str:
    """The answer that the idea is known, no work is missing and every citation holds; "" for any other prompt."""
    if "Judge whether this idea is known" in prompt:
        nearest = re.findall(r"^\[([\w-]+)\] ", prompt, re.MULTILINE)[:1]
        return fenced(
            {
                "verdict": "incremental",
                "reason": "The parts are known.",
                "closest": [{"key": key, "why": "the same method"} for key in nearest],
            }
        )
    if "does a careful reader miss" in prompt:
        return fenced({"missing": []})
    if "You judge the sentences of a paper" in prompt:
        return judged(prompt)
    if "Judge each line" in prompt:
        return fenced({"accepted": "1-", "refused": []})
    return ""


class Script:
    """Default answers, some of them replaced; `None` for a call says that it must not be made."""

    def __init__(
        self,
        runs: int,
        answers: Mapping[tuple[str, int] | str, Answer] | None = None,
        refuse: Mapping[str, str] | None = None,
    ) -> None:
        """`answers`: by step, or by step and ordinal. `refuse`: what the judge refuses, by words of the sentence."""
        self.runs, self.refuse = runs, refuse
        self.answers = dict(answers or {})

    def __call__(self, messages: Sequence[Message], call: Call) -> Answer:
        for key in ((call.step, call.ordinal), call.step):
            if key in self.answers:
                return self.answers[key]
        if call.step.startswith("paper."):
            return self._written(call.step.removeprefix("paper."))
        if call.step == "plot.describe":
            names = re.findall(r"^- `([\w-]+)` \(drawn", messages[-1].content, re.MULTILINE)
            return fenced({"descriptions": dict.fromkeys(names, "Look at the order of the runs.")})
        if call.step.startswith("judge."):
            return judged(messages[-1].content, self.refuse)
        return literature_answer(messages[-1].content) or default_answer(call, self.runs)

    def _written(self, pass_: str) -> str:
        """The answer of a pass over several sections: the texts given for each as `paper.<section>.<pass>`.

        A section without a given text gets that of the tiny paper in the first version, and no change afterwards.
        """
        part = re.fullmatch(r"write-(\d+|[a-z_]+)(-mend-\d+)?", pass_)
        if part and part[1].isdigit():
            sections: Sequence[str] = DRAFTS[int(part[1]) - 1]
        else:
            sections = [part[1]] if part else WRITING_ORDER
        named = f"write{part[2] or ''}" if part else pass_
        answers = {s: self.answers.get(f"paper.{s}.{named}") for s in sections}
        if named == "write":
            answers = {s: answer or written(s) for s, answer in answers.items()}
        return "\n".join(answer for answer in answers.values() if answer) or "NO CHANGE"


def written(section: str) -> str:
    """The first version of a section of the tiny paper."""
    return block(f"paper/sections/{section}.md", "Nothing is written here yet.", PROSE[section].rstrip("\n"))


def options(**changes: object) -> Options:
    values = {
        "template": str(TEMPLATE),
        "profile": "tiny",
        "models": Models(**dict.fromkeys(("planner", "editor", "writer", "reviewer"), "scripted")),
        "baselines": ("topk", "rows"),
        "runs": 2,
        "attempts": 2,
        "slots": 2,
        "pdf": False,
        "literature": "offline",
        "reviews": 2,
    }
    return Options(**{**values, **changes})


class Heard(Console):
    """A console that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


class Whole:
    """A workspace with one session, which a test can open and play any number of times."""

    def __init__(
        self,
        root: Path,
        script: Callable | None = None,
        services: tuple[Service, ...] = (),
        cache: Path | None = None,
        **chosen: object,
    ) -> None:
        """`cache` replaces the workspace's own, so that worlds and baselines are shared."""
        self.workspace = Workspace(root)
        self.paths = SessionPaths(root / "20260101_000000_tiny_idea")
        self.paths.root.mkdir(parents=True, exist_ok=True)
        if cache is not None:
            self.workspace.cache.symlink_to(cache)
        elif not self.workspace.cache.exists():
            in_known_worlds(self.workspace.cache)
        self.options = options(**chosen)
        self.model = ScriptedModel(script or Script(self.options.runs))
        self.console = Heard()
        self.services = services
        idea = root / "idea.json"
        idea.write_text(json.dumps(IDEA))
        self.idea = read_ideas(idea)[0]

    @contextmanager
    def tools(self, changed: Options | None = None):
        """The tools of the session, which is started if it has no log yet, and resumed otherwise."""
        system = System(self.model, BubblewrapSandbox(), self.console, services=self.services)
        fresh = None if self.paths.events.exists() else (self.idea, self.options)
        with open_session(self.paths, self.workspace, system, new=fresh, changed=changed) as tools:
            yield tools

    def play(self, changed: Options | None = None):
        """Plays to the end, or to the stop in the options; returns the session's last state."""
        from agent.loop import play

        with self.tools(changed) as tools:
            play(tools)
            return tools.session

    def events(self, kind: type = object) -> list[Event]:
        """The events of this kind in the session's log; all by default."""
        return [event for event in EventLog(self.paths.events).read() if isinstance(event, kind)]

    def log(self) -> list[str]:
        """The subjects of the session's commits, oldest first."""
        import subprocess

        done = subprocess.run(
            ["git", "-C", self.paths.repo, "log", "--format=%s", "--reverse"],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()
