"""The kinds of tampering, one line each in the table. An attack changes a clone, or a copy of a session."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.publishing.signatures import END, PAPER, Statement, record_statement
from agent.storage.git_reader import Commit
from agent.storage.signing import SigningKey
from tests.suites.tamper.forger import Edit, Files, Redone
from tests.support.frozen import git

UNSIGNED, ANOTHER, OWNER = "Nothing is signed.", "a forger signs with another", "its owner did not fake everything"


@dataclass(frozen=True)
class Place:
    """What an attack may use. `owner` is the key that signed; only one attack, the owner's own, signs with it."""

    clone: Path
    session: Path  # with its log; its repository is `clone`'s twin
    owner: SigningKey
    forger: SigningKey


@dataclass(frozen=True)
class Kind:
    """`named`: words of the closing sentence, where a verification cannot find it; "" where it must."""

    name: str
    attack: Callable[[Place], Path]
    named: str = ""


# ---------------------------------------------------------------- changes on top


def _change(name: str, old: str, new: str, *, event: str | None = "notes") -> Callable[[Place], Path]:
    def attack(place: Place) -> Path:
        path = place.clone / name
        text, count = re.subn(old, new, path.read_text(), count=1)
        assert count, f"{old} is not in {name}"
        path.write_text(text)
        return _commit(place, event) if event else place.clone

    return attack


def _commit(place: Place, event: str = "notes") -> Path:
    git(place.clone, "add", "-A")
    git(place.clone, "commit", "-qm", f"quiet\n\nEvent: {event}")
    return place.clone


def _git(*commands: str) -> Callable[[Place], Path]:
    def attack(place: Place) -> Path:
        for command in commands:
            git(place.clone, *command.split("|"))
        return place.clone

    return attack


def _swapped_figure(place: Place) -> Path:
    for name in ("figures/metrics.pdf", "paper/fig-metrics.pdf"):
        (place.clone / name).write_bytes((place.clone / "figures/curves.pdf").read_bytes())
    return _commit(place)


def _statement(name: str, signer: str, **changes: object) -> Callable[[Place], Path]:
    """A statement with other contents, signed with the named key or left with its old signature."""

    def attack(place: Place) -> Path:
        path = place.clone / name
        said = Statement.model_validate_json(path.read_bytes()).model_copy(update=changes)
        if signer:
            key = getattr(place, signer)
            said = said.model_copy(update={"key": key.public}).signed(key)
        path.write_text(said.model_dump_json(indent=1) + "\n")
        git(place.clone, "commit", "-qa", "--amend", "--no-edit")
        return place.clone

    return attack


# ---------------------------------------------------------------- the log


def _log(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Place], Path]:
    def attack(place: Place) -> Path:
        path = place.session / "events.jsonl"
        path.write_bytes(b"\n".join(change(path.read_bytes().split(b"\n")[:-1])) + b"\n")
        return place.session

    return attack


def _other_word(lines: list[bytes]) -> list[bytes]:
    place = next(i for i, line in enumerate(lines) if b'"type":"planned"' in line)
    changed = lines[place].replace(b"it is the code we start from", b"it is the best there is")
    assert changed != lines[place]
    return [*lines[:place], changed, *lines[place + 1 :]]


# ---------------------------------------------------------------- everything made anew


def _redone(edit: Edit, sign: str) -> Callable[[Place], Path]:
    """`sign`: "kept", "stripped", "forger" or "owner"."""

    def attack(place: Place) -> Path:
        key = {"kept": None, "stripped": ""}.get(sign, getattr(place, sign, None))
        Redone(place.clone, edit, key)
        git(place.clone, "reset", "-q", "--hard")
        return place.clone

    return attack


def _better_seed(files: Files, commit: Commit, trailers: dict[str, str]) -> bool:
    """The first seed of run 2 scores higher; the trailer of its commit says the new mean."""
    name = "records/2.json"
    if name in files:
        record = json.loads(files[name])
        record["trainings"][0]["metrics"]["score"] = 0.97
        files[name] = (json.dumps(record, indent=1) + "\n").encode()
        if trailers.get("Run") == "2" and trailers.get("Event") == "measured":
            by_seed: dict[int, list[float]] = {}
            for training in record["trainings"]:
                by_seed.setdefault(training["seed"], []).append(training["metrics"]["score"])
            means = [sum(found) / len(found) for found in by_seed.values()]
            trailers["Score"] = f"{sum(means) / len(means):.6g}"
    return True


def _no_failed_run(files: Files, commit: Commit, trailers: dict[str, str]) -> bool:
    """Run 1, which failed, was never tried."""
    for name in [n for n in files if re.match(r"(records|attempts|signatures/records)/1\.", n)]:
        del files[name]
    return trailers.get("Run") != "1"


def _in_text(section: str, old: bytes, new: bytes) -> Edit:
    def edit(files: Files, commit: Commit, trailers: dict[str, str]) -> bool:
        name = f"paper/sections/{section}.md"
        if name in files:
            files[name] = files[name].replace(old, new)
        return True

    return edit


_LIE = _in_text("discussion", b"The step size matters", b"The step size hardly matters")
_CITATION = _in_text("introduction", b"olshausen1996emergence", b"kingma2015adam")


def _nothing(files: Files, commit: Commit, trailers: dict[str, str]) -> bool:
    return True


KINDS: tuple[Kind, ...] = (
    Kind("a number in paper.tex", _change("paper/paper.tex", r"(\\measured\{0\.)", r"\g<1>7", event=None)),
    Kind(
        "a metric in a record, not committed",
        _change("records/2.json", r'"score": ?0\.\d+', '"score":0.97', event=None),
    ),
    Kind("a metric in a record, committed later", _change("records/2.json", r'"score": ?0\.\d+', '"score":0.97')),
    Kind(
        "a record that names other code",
        _change("records/2.json", r'"commit": ?"[0-9a-f]{40}"', f'"commit":"{"0" * 40}"'),
    ),
    Kind("a failed run's record removed", _git("rm|-q|records/1.json", "commit|-qm|quiet\n\nEvent: notes")),
    Kind("a tag moved", _git("tag|-f|run/2|run/0")),
    Kind("a tag removed", _git("tag|-d|run/1")),
    Kind("a figure swapped", _swapped_figure),
    Kind("a lie put into the discussion, on top", _change("paper/sections/discussion.md", "matters", "hardly matters")),
    Kind(
        "a swapped citation, on top",
        _change("paper/sections/introduction.md", "olshausen1996emergence", "kingma2015adam"),
    ),
    Kind(
        "a metric turned around in the manifest",
        _change("template/manifest.toml", 'better = "lower"', 'better = "higher"'),
    ),
    Kind("another evaluate.py", _change("template/evaluate.py", r"\Z", "\n# kinder\n")),
    Kind(
        "another statement of who wrote",
        _change("paper/meta.json", "were written by scripted", "were written by a person"),
    ),
    Kind(
        "the last commit made again",
        _git("commit|-q|--amend|--no-edit|--date=2001-01-01T00:00:00Z|-m|session finished\n\nEvent: finished\nMore: x"),
    ),
    Kind("a commit after the end", _change("notes.txt", r"\Z", "\nmore\n")),
    Kind("one signature removed", _git(f"rm|-q|{record_statement('2')}", "commit|-qm|quiet\n\nEvent: notes")),
    Kind("all signatures removed, on top", _git("rm|-rq|signatures", "commit|-qm|quiet\n\nEvent: notes")),
    Kind("a statement with other contents", _statement(END, "", lines=3)),
    Kind("a statement of another session by the same key", _statement(END, "owner", first="0" * 40)),
    Kind("one statement signed with another key", _statement(END, "forger")),
    Kind("the paper's statement about another file", _statement(PAPER, "owner", files={"notes.txt": "0" * 64})),
    Kind("an event deleted from the log", _log(lambda lines: lines[:9] + lines[10:])),
    Kind("an event changed in the log", _log(_other_word)),
    Kind("two events of the log swapped", _log(lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]])),
    Kind("the log cut before a signed line", _log(lambda lines: lines[:20])),
    Kind("a better seed, all redone, signatures left", _redone(_better_seed, "kept")),
    Kind("a better seed, all redone, signatures stripped", _redone(_better_seed, "stripped"), UNSIGNED),
    Kind("a better seed, all redone, another key", _redone(_better_seed, "forger"), ANOTHER),
    Kind("a failed run dropped from history, signatures left", _redone(_no_failed_run, "kept")),
    Kind("a failed run dropped from history, stripped", _redone(_no_failed_run, "stripped"), UNSIGNED),
    Kind("a lie in the discussion, all redone, signatures left", _redone(_LIE, "kept")),
    Kind("a lie in the discussion, all redone, stripped", _redone(_LIE, "stripped"), UNSIGNED),
    Kind("a swapped citation, all redone, signatures left", _redone(_CITATION, "kept")),
    Kind("a swapped citation, all redone, another key", _redone(_CITATION, "forger"), ANOTHER),
    Kind("nothing changed, another key", _redone(_nothing, "forger"), ANOTHER),
    Kind("the owner of the key fakes a better seed", _redone(_better_seed, "owner"), OWNER),
)
