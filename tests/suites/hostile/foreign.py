"""A folder that a stranger sends: --verify, --status, --follow, --bundle, --resume, --playback, --paper-style and templates read it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.suites.hostile.attack import Attack, Stopped, first_line, must
from tests.support import TEMPLATE
from tests.support.bounded import Ended, launch
from tests.support.frozen import commit, finished, plant
from tests.support.tricks import TRICKS, UNREAD

SECRET = "the owner's own words"


class Foreign:
    """A stranger's session, copied for each attack, beside a folder of the owner's that nothing may reach."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self._archived = finished(root / "archive")
        self.outside = root / "owner"
        self.outside.mkdir()
        (self.outside / "notes.txt").write_text(SECRET)
        self._copies = 0

    def copy(self) -> Path:
        """The stranger's session as he sends it."""
        self._copies += 1
        folder = self.root / f"sent-{self._copies}" / self._archived.name
        shutil.copytree(self._archived, folder)
        return folder

    def honest(self) -> None:
        done = launch("--verify", self.copy() / "repo")
        must("Numbers: 73 of 73 printed results" in done.stdout, f"an honest paper afterwards: {done}")

    def check(self) -> None:
        kept = [p.name for p in self.outside.iterdir()] == ["notes.txt"]
        must(kept and (self.outside / "notes.txt").read_text() == SECRET, "a file of the owner was written")

    def close(self) -> None:
        pass


def _refused(done: Ended, by: str, status: tuple[int, ...] = (1, 2, 3)) -> Stopped:
    """It ended with a word that tells no secret, and verified nothing."""
    text = done.stdout + done.stderr
    must(done.returncode in status and "Traceback" not in text, f"exit {done.returncode}: {text[-300:]}")
    must(SECRET not in text, "the owner's words were told")
    return Stopped(by, first_line(text))


def _verify(change: Callable[[Path, Path], object], by: str, *words: str, folder: str = "repo"):
    """Change what is sent, then verify it."""

    def run(stage: Foreign) -> Stopped:
        sent = stage.copy()
        change(sent, stage.outside)
        return _refused(launch("--verify", sent / folder, *words), by)

    return run


def _account(**changes: object) -> Callable[[Path, Path], None]:
    """OUT in a value becomes the owner's folder."""

    def change(sent: Path, outside: Path) -> None:
        path = sent / "repo/paper/meta.json"
        told = json.loads(json.dumps(changes).replace("OUT", str(outside)))
        path.write_text(json.dumps(json.loads(path.read_text()) | told))
        commit(sent / "repo")

    return change


def _figure(name: str) -> dict:
    return {"figures": [{"name": "x", "file": name, "caption": "c", "by": "agent", "width": 1.0}]}


def _manifest(line: str) -> Callable[[Path, Path], None]:
    def change(sent: Path, outside: Path) -> None:
        path, key = sent / "repo/template/manifest.toml", line.split(" ")[0]
        text = re.sub(rf"(?m)^{key} = .*\n", "", path.read_text())
        path.write_text(line.replace("OUT", str(outside)) + "\n" + text)
        commit(sent / "repo")

    return change


def _planted(name: str, data: bytes = b"x") -> Callable[[Path, Path], None]:
    return lambda sent, outside: plant(sent / "repo", {name.replace("OUT", str(outside)): data})


def _put(name: str, kind: str) -> Callable[[Path, Path], None]:
    """A pipe, or a link to what is endless or secret, in a file's place."""

    def change(sent: Path, outside: Path) -> None:
        path = sent / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to({"zero": "/dev/zero", "secret": outside / "notes.txt"}[kind])

    return change


def _command(change: Callable[[Path, Path], object], by: str, *words: str):
    """Another command than --verify; FOLDER is what was sent, OUT the place for results."""

    def run(stage: Foreign) -> Stopped:
        sent = stage.copy()
        change(sent, stage.outside)
        places = {
            "FOLDER": str(sent),
            "WORKSPACE": str(sent.parent),
            "STYLE": str(sent / "style"),
            "OUT": str(stage.root),
        }
        done = launch(*(places.get(word, word) for word in words))
        return _refused(done, by, (0, 1, 2, 3))

    return run


def _trick(trick: Callable[[Path, Path], None]):
    def run(stage: Foreign) -> Stopped:
        sent = stage.copy()
        outside = sent.parent / "outside"
        outside.mkdir()
        trick(sent / "repo/.git", outside)
        done = launch("--verify", sent / "repo")
        if trick in UNREAD:
            must("Numbers: 73 of 73 printed results" in done.stdout, f"it was looked at: {done}")
            return Stopped("foreign git: no configuration", "it verifies as if it were not there")
        return _refused(done, "foreign git: plain files, own objects")

    return run


def _own_python(stage: Foreign) -> Stopped:
    """job.json asks for no walls and a Python of the stranger's."""
    sent = stage.copy()
    program = sent / "python"
    program.write_text(f"#!/bin/sh\ntouch {stage.outside}/pwned\n")
    program.chmod(0o755)
    environment = {"key": "x", "python": str(program), "trees": ["/"], "version": "3.11", "packages": {}}
    for path in sent.glob("runs/*/*/job.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"sandbox": "none", "environment": environment}))
    launch("--verify", sent, "--artefacts", "--trust", "--workspace", stage.root / "mine", seconds=200)
    return Stopped("job made of the record, never of job.json", "its program did not run")


def _evaluate(stage: Foreign) -> Stopped:
    """A stranger's evaluate.py writes to the owner's folder, and reads his words."""
    from agent.core.errors import InfrastructureError
    from agent.core.record import Job
    from agent.lab.measuring.walled import WalledEvaluation
    from agent.sandbox.boxes import BubblewrapSandbox

    sent = stage.copy()
    template = sent / "template"
    shutil.copytree(TEMPLATE, template)
    notes = stage.outside / "notes.txt"
    code = f"\nfor mode in ('r', 'w'):\n    print(open({str(notes)!r}, mode).read())\n"
    (template / "evaluate.py").write_text((template / "evaluate.py").read_text() + code)
    (sent / "truth").mkdir()
    job = Job.model_validate_json(next(sent.glob("runs/*/*/job.json")).read_bytes())
    job = job.model_copy(
        update={"template": str(template), "truth_data": str(sent / "truth"), "folder": str(sent / "again")}
    )
    try:
        WalledEvaluation(job, job.settings, BubblewrapSandbox()).load_truth()
    except InfrastructureError as error:
        must("No such file" in str(error) and SECRET not in str(error), str(error))
        return Stopped("evaluate.py in the sandbox", "it finds no such file")
    must(False, "evaluate.py read the owner's file")
    raise AssertionError


def _v1(change: Callable[[Path, Path], object]):
    """An AI-Scientist folder of somebody else, taken over."""

    def run(stage: Foreign) -> Stopped:
        folder = stage.copy() / "their_template"
        (folder / "run_0").mkdir(parents=True)
        for name in ("experiment.py", "plot.py"):
            (folder / name).write_text("print('x')\n")
        (folder / "run_0/final_info.json").write_text('{"a": {"means": {"accuracy_mean": 0.5}}}')
        change(folder, stage.outside)
        done = launch("--check-template", folder, "--trust", "--workspace", stage.root / "mine")
        must(not list((stage.root / "mine").glob("**/words.txt")), "the link was followed")
        return _refused(done, "foreign reader: no links")

    return run


def _v1_script(folder: Path, outside: Path) -> None:
    (folder / "experiment.py").unlink()
    (folder / "experiment.py").symlink_to(outside / "notes.txt")


def _v1_data(make: Callable[[Path, Path], object]) -> Callable[[Path, Path], None]:
    """The script reads ../../data, which `make` puts there."""

    def change(folder: Path, outside: Path) -> None:
        (folder / "experiment.py").write_text("print(open('../../data/rows.txt').read())\n")
        make(folder.parent.parent / "data", outside)

    return change


def _linked(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def _bomb(sent: Path, outside: Path) -> None:
    with open(sent / "repo/huge", "wb") as file:
        file.truncate(1 << 30)
    commit(sent / "repo")
    (sent / "repo/huge").unlink()


def attacks() -> list[Attack]:
    names, plain, tree = "names by allow-list", "foreign reader: plain files", "foreign git: plain names"
    untold = "--trust was not said"
    found = [
        Attack("meta.json's figure is an absolute path", _verify(_account(**_figure("OUT/notes.txt")), names)),
        Attack("meta.json's figure climbs out", _verify(_account(**_figure("../../../../../../../OUT/new")), names)),
        Attack("meta.json's figure lies in .git", _verify(_account(**_figure(".git/hooks/post-checkout")), names)),
        Attack("meta.json's style is an absolute path", _verify(_account(style=["OUT/notes.txt"]), names)),
        Attack("meta.json's style climbs out", _verify(_account(style=["../../../../../../OUT/new"]), names)),
        Attack("the manifest's name is an absolute path", _verify(_manifest('name = "OUT/new"'), names)),
        Attack("the manifest's artefact climbs out", _verify(_manifest('artefact = "../../OUT"'), names)),
        Attack("the manifest's plot is an absolute path", _verify(_manifest('plot = "OUT/notes.txt"'), names)),
        Attack("a tree entry is an absolute path", _verify(_planted("OUT/new"), tree)),
        Attack("a tree entry climbs out", _verify(_planted("../new"), tree)),
        Attack("a tree entry lies in .git", _verify(_planted(".git/hooks/pre-commit"), tree)),
        Attack("a tree entry holds a line break", _verify(_planted("a\nb"), tree)),
        Attack("a committed link to /dev/zero", _verify(_planted("notes.txt@link", b"/dev/zero"), tree)),
        Attack("an object that unpacks to a gigabyte", _verify(_bomb, "foreign git: sizes")),
        Attack("paper.tex is a link to /dev/zero", _verify(_put("repo/paper/paper.tex", "zero"), plain)),
        Attack("paper.pdf is a pipe", _verify(_put("repo/paper/paper.pdf", "fifo"), plain)),
        Attack("a record is a link to a secret", _verify(_put("repo/records/0.json", "secret"), plain)),
        Attack("the log is a pipe, verified", _verify(_put("events.jsonl", "fifo"), plain, folder="")),
        Attack(
            "the log is endless, in --status",
            _command(_put("events.jsonl", "zero"), plain, "--status", "--workspace", "WORKSPACE"),
        ),
        Attack("the log is a pipe, in --follow", _command(_put("events.jsonl", "fifo"), plain, "--follow", "FOLDER")),
        Attack(
            "the log is a link to a secret, in --bundle",
            _command(_put("events.jsonl", "secret"), plain, "--bundle", "FOLDER", "--out", "OUT"),
        ),
        Attack(
            "the lock is a pipe, in --status",
            _command(_put("lock", "fifo"), plain, "--status", "--workspace", "WORKSPACE"),
        ),
        Attack(
            "the lock is a link to a file, in --bundle",
            _command(_put("lock", "secret"), plain, "--bundle", "FOLDER", "--out", "OUT"),
        ),
        Attack(
            "a call is a link to a secret, in --bundle",
            _command(_put("calls/plan.1.json", "secret"), plain, "--bundle", "FOLDER", "--out", "OUT"),
        ),
        Attack(
            "a call is a pipe, in --bundle",
            _command(_put("calls/plan.1.json", "fifo"), plain, "--bundle", "FOLDER", "--out", "OUT"),
        ),
        Attack(
            "a style is a link to a secret",
            _command(
                _put("style/a.sty", "secret"),
                plain,
                "--idea",
                "hierarchical_sae",
                "--dry-run",
                "--paper-style",
                "STYLE",
            ),
        ),
        Attack(
            "a v1 folder's asset is a link to a secret",
            _v1(lambda folder, outside: (folder / "words.txt").symlink_to(outside / "notes.txt")),
        ),
        Attack("a v1 folder's experiment.py is a link to a secret", _v1(_v1_script)),
        Attack("a v1 folder's data are a link to the owner's folder", _v1(_v1_data(lambda d, out: d.symlink_to(out)))),
        Attack(
            "a v1 folder's data hold a link to a secret",
            _v1(_v1_data(lambda d, out: (d.mkdir(), (d / "rows.txt").symlink_to(out / "notes.txt")))),
        ),
        Attack(
            "a v1 folder's data hold a link to the owner's folder",
            _v1(_v1_data(lambda d, out: (d.mkdir(), (d / "more").symlink_to(out)))),
        ),
        Attack(
            "a v1 folder's run_0 is a link to a secret",
            _v1(lambda folder, outside: _linked(folder / "run_0/final_info.json", outside / "notes.txt")),
        ),
        Attack(
            "a template of a stranger is checked", _command(_put("x", "fifo"), untold, "--check-template", TEMPLATE)
        ),
        Attack("a session of a stranger is resumed", _command(lambda *_: None, untold, "--resume", "FOLDER")),
        Attack(
            "its artefacts are measured again", _command(lambda *_: None, untold, "--verify", "FOLDER", "--artefacts")
        ),
        Attack("job.json brings a Python and asks for no walls", _own_python),
        Attack("evaluate.py reads and writes outside", _evaluate),
    ]
    return found + [Attack(f".git: {trick.__name__.replace('_', ' ')}", _trick(trick)) for trick in (*TRICKS, *UNREAD)]
