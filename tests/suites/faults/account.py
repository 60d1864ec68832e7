"""What must not depend on where a session was killed, and what must not be left lying about."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

# Clocks, processes, and ids that hold a clock (a commit's) or the hash of something that does.
_OF_THE_MOMENT = {
    "at",
    "active",
    "pid",
    "host",
    "commit",
    "code",
    "record_sha256",
    "sha256",
    "key",
    "wall_s",
    "cpu_s",
    "train_s",
    "peak_memory_mb",
    "started_at",
    "base",
    "program",
    "history",
    "attempts",
    "before",  # the hash of the line before in the log
    "signed",
}
_HEX = re.compile(r"\b[0-9a-f]{7,64}\b")
_SECONDS = re.compile(r"\b\d+(\.\d+)?(?: |\\,)?(s|MB|min)\b|\b\d+\.\d\\,x")
# A training that was lost and begun again, as notes, the planner's digest and the judge's facts tell it.
_A_LOSS = r"attempt \d+: runner: \w+"
_END = r"(?:\n|\\n)"  # of a line, in a text or in its JSON
_LOSSES = rf"{_A_LOSS}(?:; {_A_LOSS})*"
_LOST = re.compile(
    rf"- {_A_LOSS}{_END}| ?Failed on the way: {_LOSSES}\.|(?:(?<=\n)|(?<=\\n))[\w.]+/failures: {_LOSSES}{_END}"
    rf"|; {_A_LOSS}\b|{_A_LOSS}; "
)
_KEPT_LOCKS = {"runner.lock"}


def account(session: Path) -> dict[str, Any]:
    """A session's durable state in words that two plays of it share."""
    repo = session / "repo"
    if not (session / "events.jsonl").is_file():
        return {"events": [], "files": [], "calls": {}}
    found = {"events": events(session / "events.jsonl"), "files": files(session), "calls": calls(session / "calls")}
    if (repo / ".git" / "HEAD").is_file():
        found |= {"log": log(repo), "tags": tags(repo), "tree": tree(repo), "status": _git(repo, "status", "-s")}
    return found


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """One line for each thing that is not as it was in the undisturbed session."""
    lines = []
    for name in sorted(found.keys() | wanted.keys()):
        one, other = found.get(name), wanted.get(name)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            keys = [k for k in sorted(one.keys() | other.keys()) if one.get(k) != other.get(k)]
            lines += [f"{name}: {key}: {_short(one.get(key))} instead of {_short(other.get(key))}" for key in keys[:3]]
        elif isinstance(one, list) and isinstance(other, list):
            here, there = Counter(map(_key, one)), Counter(map(_key, other))
            more, less = list((here - there).elements()), list((there - here).elements())
            lines.append(f"{name}: more: {more[:3]}, less: {less[:3]}" if more or less else f"{name}: another order")
        else:
            lines.append(f"{name}: {_short(one)} instead of {_short(other)}")
    return lines


def leftovers(session: Path) -> list[str]:
    """Temporary files, and locks that a hand would have to remove."""
    names = []
    for top, _, inside in os.walk(session):
        for name in inside:
            temporary = name.endswith(".new") or name.startswith("tmp_obj_")
            if temporary or (name.endswith(".lock") and name not in _KEPT_LOCKS):
                names.append(str(Path(top, name).relative_to(session)))
    return names


def fsck(repo: Path) -> str:
    """What git finds wrong with the repository; empty when it is sound."""
    if not (repo / ".git" / "HEAD").is_file():
        return ""
    done = subprocess.run(["git", "-C", repo, "fsck", "--strict", "--no-progress"], capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


# ---------------------------------------------------------------- parts


def events(path: Path) -> list[str]:
    """All but the coming and going of processes, and trainings that were lost and begun again."""
    kept: list[dict[str, Any]] = []
    lost = set[str]()  # runs whose training is submitted once more
    for line in path.read_text().splitlines():
        event = json.loads(line)
        if event["type"].startswith("process_"):
            continue
        if event["type"] == "attempt_failed" and event["stage"] == "runner":
            lost.add(event["run"])
            continue
        if event["type"] == "run_submitted" and event["run"] in lost:  # others may have begun meanwhile
            lost.discard(event["run"])
            continue
        kept.append(_plain(event))
    return [json.dumps(event, sort_keys=True) for event in kept]


def files(session: Path) -> list[str]:
    """Names only; the restart of a lost training counts as the training."""
    names = set()
    for path in session.rglob("*"):
        name = path.relative_to(session).as_posix()
        if path.is_dir() or name.startswith("repo/"):
            continue
        again = re.match(r"runs/([^/]+)/(attempt-\d+)(-again-\d+)?/", name)
        if again:
            folders = sorted(p.name for p in (session / "runs" / again[1]).glob(f"{again[2]}*"))
            if folders[-1] != again[2] + (again[3] or ""):
                continue  # of a training that was lost
            name = name.replace(again[0], f"runs/{again[1]}/{again[2]}/", 1)
        names.add(name)
    return sorted(names)


def calls(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.glob("[!.]*.json")):
        record = json.loads(path.read_text())
        found[path.name] = _timeless(json.dumps([record["messages"], record["reply"]]))
    return found


def log(repo: Path) -> list[str]:
    """Subjects and trailers, oldest first."""
    form = "--format=%s%n%(trailers:only=true,unfold=true,separator=%x20)%x00"
    entries = _git(repo, "log", "--reverse", form).split("\0")
    told = [entry.strip() for entry in entries if entry.strip() and "Status: runner-failed" not in entry]
    return [re.sub(r"Restart: \d+", "", entry) for entry in told]


def tags(repo: Path) -> dict[str, str]:
    lines = _git(repo, "for-each-ref", "refs/tags", "--format=%(refname:short)%09%(subject)%09%(*subject)").splitlines()
    found = (line.split("\t", 1) for line in lines)
    return {"signed" if name.startswith("signed") else name: about.strip() for name, about in found}


def tree(repo: Path) -> dict[str, str]:
    """The newest commit's files by what they say."""
    found = {}
    for line in _git(repo, "ls-tree", "-r", "HEAD").splitlines():
        about, name = line.split("\t", 1)
        blob = about.split()[2]
        match Path(name).parts:
            case ("attempts", *_):
                said = json.loads(_git(repo, "cat-file", "blob", blob))
                if said.get("stage") == "runner":
                    continue
                parts = Path(name).stem.split(".")
                found[f"attempts/{parts[0]}.{parts[1]}"] = _timeless(json.dumps(said))
            case ("signatures", *_):  # what is signed; by what bytes hangs on clocks
                said = json.loads(_git(repo, "cat-file", "blob", blob))
                found[name] = f"{said['session']}: {sorted(said['files'])}"
            case ("records", *_) | ("session.json",) | ("paper", "meta.json"):
                found[name] = json.dumps(_plain(json.loads(_git(repo, "cat-file", "blob", blob))), sort_keys=True)
            case (*_, last) if last.endswith((".tex", ".txt")):
                found[name] = _timeless(_git(repo, "cat-file", "blob", blob))
            case (*_, last) if last.endswith((".pdf", ".png")):
                found[name] = "a picture"
            case _:
                found[name] = blob
    return found


# ---------------------------------------------------------------- inside


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in _OF_THE_MOMENT}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return _timeless(value) if isinstance(value, str) else value


def _timeless(text: str) -> str:
    return _SECONDS.sub("<measure>", _HEX.sub("<id>", _LOST.sub("", text)))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 160 else f"{text[:100]}... ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


def _key(value: Any) -> str:
    return str(value)[:400]


def _git(repo: Path, *command: str) -> str:
    done = subprocess.run(["git", "-C", repo, "-c", "core.quotePath=false", *command], capture_output=True, check=True)
    return done.stdout.decode(errors="replace")
