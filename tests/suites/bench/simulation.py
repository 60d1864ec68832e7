"""Many sessions under a clock of their own: the real policy, log and places; models and trainings are made up.

What it costs the machine to have so many under way, and where that cost stops growing as their number does.
"""

from __future__ import annotations

import heapq
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.core.paths import SessionPaths
from agent.core.plan import Comparison, Plan, Reflection
from agent.lab.jobs.places import Claim, Places, Pool, Taken
from agent.lab.machine import device_in_words
from agent.session import events as ev
from agent.session import policy
from agent.session.session import Session, apply, begin, fold
from agent.storage.log import EventLog
from agent.storage.signing import own_signer
from tests.suites.bench.markdown import markdown
from tests.support import ROOT
from tests.support.dice import IDEA, Dice, options, planned

SEED = 7
MODEL_S, TRAINING_S, OTHER_S = 20.0, 600.0, 1.0  # of the sessions' clock, on average; a tenth more or less
ASKED = (policy.MakePlan, policy.EditRun, policy.CommentRun, policy.Reflect, policy.CheckNovelty)
SEEDS = 3
CHOSEN = options(baselines=("base",), runs=2, stop_after="runs")
SIZES = ((10, 64), (100, 64), (1000, 64), (1000, 1000))  # ideas, places
RUNS = (25, 50, 100, 200)
MEMORY = Path("/dev/shm")  # a log is synced at each event
OPEN_FILES = 8192
POLLS = 200


@dataclass
class Cost:
    """Seconds of this machine, and how often."""

    seconds: Counter[str] = field(default_factory=Counter)
    times: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        began = time.process_time()
        try:
            yield
        finally:
            self.seconds[what] += time.process_time() - began
            self.times[what] += 1

    def each(self, what: str) -> str:
        return f"{1e6 * self.seconds[what] / max(1, self.times[what]):.0f}"


@dataclass
class One:
    """A session under way."""

    session: Session
    log: EventLog
    dice: Dice
    action: policy.Action | None = None
    trainings: int = 0  # of the run that is collected, not yet ended


class Night:
    """All sessions begin at once; each decides by the policy, and its trainings take places."""

    def __init__(self, root: Path, ideas: int, places: int) -> None:
        self.cost, self.now, self.busy_s = Cost(), 0.0, 0.0
        self._drawn = random.Random(SEED)
        names = tuple(f"core-{number}" for number in range(places))
        self.places = Places(folder=str(root / "places"), pools=(Pool(name="core", places=names, wanted=1),))
        self._line: deque[tuple[One, Claim]] = deque()
        self._events: list[tuple[float, int, One, Taken | None]] = []  # what comes next, of whom; a training's places
        self._number = 0
        self.sessions = [self._begun(root / "ws" / f"20260101_{number:06d}_idea") for number in range(ideas)]

    def play(self) -> None:
        """To the end of the last session."""
        for one in self.sessions:
            self._decide(one)
        while self._events:
            self.now, _, one, taken = heapq.heappop(self._events)
            if taken is None:
                self._done(one)
                continue
            taken.close()
            one.trainings -= 1
            if not one.trainings:
                self._done(one)
            self._hand_on(freed=1)

    def _begun(self, root: Path) -> One:
        paths = SessionPaths(root)
        root.mkdir(parents=True)
        started = ev.SessionStarted(at=0.0, session=root.name, idea=IDEA, options=CHOSEN)
        one = One(begin(started), EventLog(paths.events, own_signer()), Dice(self._drawn.randrange))
        one.log.append(started)
        return one

    def _decide(self, one: One) -> None:
        with self.cost.of("policy"):
            one.action = policy.next_action(one.session)
        if one.action is None or isinstance(one.action, policy.Stop):
            one.log.close()
        elif isinstance(one.action, policy.CollectRun):
            one.trainings = SEEDS
            free = not self._line  # else the first of them has asked, and nothing was freed since
            for seed in range(SEEDS):
                self._line.append((one, Claim(self.places, f"{one.session.session}, seed {seed}")))
            self._hand_on(freed=SEEDS if free else 0)
        else:
            self._after(MODEL_S if isinstance(one.action, ASKED) else OTHER_S, one, None)

    def _hand_on(self, freed: int) -> None:
        """The first of the line asks, as often as something may be free; behind it nobody could get anything."""
        for _ in range(min(freed, len(self._line))):
            one, claim = self._line[0]
            with self.cost.of("place"):
                taken = claim.take()
            if taken is None:
                return
            self._line.popleft()
            self.busy_s += self._after(TRAINING_S, one, taken)

    def _after(self, seconds: float, one: One, taken: Taken | None) -> float:
        seconds *= self._drawn.uniform(0.9, 1.1)
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, one, taken))
        return seconds

    def _done(self, one: One) -> None:
        assert one.action is not None and not isinstance(one.action, policy.Stop)
        event = one.dice.answer(one.action, one.session).model_copy(update={"at": self.now})
        with self.cost.of("log"):
            one.log.append(event)
        with self.cost.of("fold"):
            one.session = apply(one.session, event)
        self._decide(one)


def table() -> str:
    """Nights of several sizes, and a long log."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, OPEN_FILES)), hard))
    rows = [_night(ideas, places) for ideas, places in SIZES]
    heads = [
        "ideas",
        "places",
        "hours of the night",
        "places in use",
        "events",
        "policy, µs",
        "fold, µs",
        "log, µs",
        "a place, µs",
        "a poll of the first, µs",
        "of another, µs",
        "memory, MB",
        "`status`, first, s",
        "again, s",
    ]
    logs = [_long(runs) for runs in RUNS]
    about = (
        f"{device_in_words('cpu')}; processor time, load {os.getloadavg()[2]:.1f}. An idea has a "
        f"baseline and up to {CHOSEN.runs} runs of {SEEDS} trainings of {TRAINING_S / 60:.0f} min; a model answers in "
        f"{MODEL_S:.0f} s."
    )
    long = markdown(["runs in a log", "events", "KB", "read, ms", "fold, ms", "next action, µs"], logs)
    return f"{about}\n\n{markdown(heads, rows)}\n\n{long}"


def _night(ideas: int, places: int) -> list[str]:
    root = Path(tempfile.mkdtemp(prefix="night-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        before = _resident()
        night = Night(root, ideas, places)
        night.play()
        memory = _resident() - before
        cost, hours = night.cost, night.now / 3600
        polls = _polls(night.places)
        status = [_status(root / "ws") for _ in range(2)]
        used = night.busy_s / (night.now * places)
        row = [
            f"{ideas:,}",
            f"{places:,}",
            f"{hours:.1f}",
            f"{used:.0%}",
            f"{cost.times['log']:,}",
            *(cost.each(what) for what in ("policy", "fold", "log", "place")),
            *(f"{1e6 * each:.0f}" for each in polls),
            f"{memory:.0f}",
            *(f"{seconds:.1f}" for seconds in status),
        ]
        print(*row, flush=True)
        return row
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _polls(places: Places) -> tuple[float, float]:
    """Seconds of a look at the locks while all places are taken: by the first in the line, and by one behind it."""
    held = [Claim(places, "busy").take() for _ in places.pools[0].places]
    first, other = Claim(places, "first"), Claim(places, "other")
    found = []
    for claim in (first, other):
        began = time.process_time()
        for _ in range(POLLS):
            assert claim.take() is None
        found.append((time.process_time() - began) / POLLS)
    first.close()
    for taken in held:
        assert taken
        taken.close()
    return found[0], found[1]


def _status(workspace: Path) -> float:
    """Processor time of the command as a person types it; it waits for nothing."""
    command = [sys.executable, str(ROOT / "launch.py"), "status", "--workspace", str(workspace)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _long(runs: int) -> list[str]:
    """A log of so many runs, as it is read at a resume."""
    events = list(_story(runs))
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        log = EventLog(Path(folder) / "events.jsonl", own_signer())
        for event in events:
            log.append(event)
        log.close()
        size = log.path.stat().st_size
        read = statistics.median(_timed(lambda: list(log.read())) for _ in range(5))
    folded = statistics.median(_timed(lambda: fold(events)) for _ in range(5))
    session = fold(events)
    next_ = statistics.median(_timed(lambda: policy.next_action(session)) for _ in range(5))
    return [
        str(runs),
        f"{len(events):,}",
        f"{size / 1000:,.0f}",
        f"{1e3 * read:.1f}",
        f"{1e3 * folded:.1f}",
        f"{1e6 * next_:.0f}",
    ]


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _story(runs: int) -> Iterator[ev.Event]:
    """Two baselines and so many runs, each edited at once, with four calls of models."""
    yield ev.SessionStarted(at=0.0, session="s", idea=IDEA, options=options(skip_novelty=True))
    yield ev.DataPrepared(at=1.0, key="k", hashes={}, commit="c" * 40)
    for run in ("0", "0.other"):
        yield ev.RunSubmitted(at=1.0, run=run, attempt=1, key="k" * 16, commit="c" * 40)
        yield _measured(run)
    comparison = Comparison(metric="f1", baseline="base", why="because")
    yield ev.Planned(at=2.0, plan=Plan(comparison=comparison, runs=(planned("r1"),)), commit="c" * 40)
    for number in range(1, runs + 1):
        run = str(number)
        for step in (f"run-{run}.edit-1", f"run-{run}.edit-2", f"run-{run}.comment", f"run-{run}.reflect"):
            yield _called(step)
        yield ev.Edited(at=3.0, run=run, attempt=1, commit="c" * 40)
        yield ev.LintPassed(at=3.0, run=run, attempt=1)
        yield ev.RunSubmitted(at=3.0, run=run, attempt=1, key="k" * 16, commit="c" * 40)
        yield _measured(run)
        yield ev.Commented(at=4.0, run=run, text="It moved by more than its error. " * 10, feedback="")
        reflection = Reflection(interpretation="It helps. " * 20, completed=False, runs=(planned(f"r{number + 1}"),))
        yield ev.Reflected(at=4.0, run=run, reflection=reflection, commit="c" * 40)


def _called(step: str) -> ev.CallFinished:
    return ev.CallFinished(
        at=3.0,
        step=step,
        ordinal=1,
        role="editor",
        model="openai/gpt-4o",
        tokens_in=9000,
        tokens_out=900,
        cost_usd=0.03,
        path=f"calls/{step}.1.json",
        sha256="0" * 64,
    )


def _measured(run: str) -> ev.RunMeasured:
    return ev.RunMeasured(
        at=3.0,
        run=run,
        attempt=1,
        record_sha256="0" * 64,
        primary=0.5,
        wall_s=600.0,
        flags=(),
        code="c" * 40,
        commit="c" * 40,
    )
