"""A whole session as the stage: real coder, git, sandbox, runner and measurement; only the model is scripted."""

from __future__ import annotations

import json
import subprocess
import zlib
from contextlib import ExitStack
from pathlib import Path

from agent.actions import perform
from agent.actions.plot_records import plot_records
from agent.session.events import AttemptFailed, Event
from agent.session.policy import DrawFigures, RunPlot
from agent.session.tools import Tools
from agent.storage.log import EventLog
from tests.suites.hostile.attack import must
from tests.support.whole import Script, Whole, rate_block

PLOT = "plot.py"


class Sessions:
    """One session with a measured run and its figures, on which attempts at plot.py and more are made."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True)
        self.root = root
        self.whole = Whole(root, Script(1), runs=1, baselines=("topk",), stop_after="runs", skip_novelty=True)
        self.whole.play()
        self._open = ExitStack()
        self.tools: Tools = self._open.enter_context(self.whole.tools())
        self.tools.journal.append(perform(DrawFigures(), self.tools))
        self._attempts = 0
        self.honest_plot = self.tools.template.path(PLOT).read_text()

    def plot(self, code: str) -> Event:
        """One attempt with this plot.py, as the loop makes it after an edit; the event is kept in the log."""
        self._attempts += 1
        versions = self.tools.versions
        versions.reset(versions.head())
        (self.tools.paths.repo / PLOT).write_text(code)
        versions.commit([PLOT], "plot", {"Attempt": str(self._attempts), "Event": "hostile-plot"})
        event = perform(RunPlot(self._attempts), self.tools)
        if event.type == "plot_failed":
            self.tools.journal.append(event)
        return event

    def git(self, *command: str) -> str:
        """What a person types in repo/."""
        done = subprocess.run(["git", *command], cwd=self.tools.paths.repo, capture_output=True, text=True, timeout=60)
        must(done.returncode == 0, f"git {command[0]}: {done.stderr.strip()[-200:]}")
        return done.stdout

    def honest(self) -> None:
        event = self.plot(self.honest_plot)
        must(event.type == "figures_drawn", f"an honest plot afterwards: {event}")
        self.git("fsck", "--strict")

    def check(self) -> None:
        must(not (self.root / "pwned").exists(), "code of the attacker ran outside the sandbox")
        status = self.git("status", "--porcelain", "--ignored")
        must(not status, f"the work tree holds what nobody committed: {status[:200]}")
        tracked = self.git("ls-files").split()
        known = ("figures/", "attempts/", "records/", "template/", "paper/", "signatures/")
        odd = [
            n
            for n in tracked
            if not n.startswith(known)
            and n not in ("README.md", "experiment.py", PLOT, "idea.json", "plan.json", "notes.txt", "session.json")
        ]
        must(not odd, f"committed: {odd[:5]}")
        must(all(json.loads(plot_records(self.tools))), "the records can no longer be read")

    def close(self) -> None:
        self._open.close()


def play(root: Path, answers: dict, **chosen: object) -> tuple[Whole, list[AttemptFailed]]:
    """A session of its own with these replies of the model; what failed in it."""
    cache = root.parent / "shared-cache"
    cache.mkdir(exist_ok=True)
    root.mkdir()
    (root / ".cache").symlink_to(cache)  # the data and the baseline are made once
    given = {"runs": 1, "attempts": 4, "baselines": ("topk",), "stop_after": "runs", **chosen}
    whole = Whole(root, Script(given["runs"], answers), **given)
    session = whole.play()
    must(session.experiments and session.experiments[-1].phase == "measured", "the session did not get to its run")
    return whole, [e for e in EventLog(whole.paths.events).read() if isinstance(e, AttemptFailed)]


def honest_reply() -> str:
    return rate_block(0.02, 0.05)


def png(width: int, height: int, rows: bytes) -> bytes:
    """A PNG by hand; its header may promise what its rows do not hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def pdf(
    *,
    catalog: str = "",
    page: str = "",
    resources: str = "",
    objects: tuple[str, ...] = (),
    content: bytes = b"",
    filtered: str = "",
    box: str = "[0 0 200 200]",
    pages: int = 1,
) -> bytes:
    """A small PDF by hand, with foreign entries in its catalog and page; `objects` are numbered from 5."""
    bodies = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
        f"<< /Type /Pages /Kids [{'3 0 R ' * pages}] /Count {pages} >>".encode(),
        f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents 4 0 R /Resources << {resources} >> {page} >>".encode(),
        f"<< /Length {len(content)} {filtered} >>\nstream\n".encode() + content + b"\nendstream",
        *(text.encode() for text in objects),
    ]
    out, places = b"%PDF-1.5\n", []
    for number, body in enumerate(bodies, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start, count = len(out), len(bodies) + 1
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    out += f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n<< /Size {count} /Root 1 0 R >>\n".encode()
    return out + f"startxref\n{start}\n%%EOF\n".encode()
