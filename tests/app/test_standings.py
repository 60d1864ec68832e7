"""A log that has not changed is not read again; what holds at this moment is asked each time."""

import os

from agent.app.standing import FILE, standings
from agent.core.paths import SessionPaths
from agent.session import events as ev
from agent.storage.locks import session_lock
from agent.storage.log import EventLog
from tests.support.dice import IDEA, options


def session(root, name="s1"):
    paths = SessionPaths(root / name)
    paths.root.mkdir()
    log = EventLog(paths.events)
    log.append(ev.SessionStarted(at=1.0, session=name, idea=IDEA, options=options()))
    return paths, log


def stage_of(paths, root):
    (found,) = standings([paths], root / ".cache")
    return found.state, found.stage


def test_an_event_more_is_seen_and_without_one_the_log_is_not_opened(tmp_path):
    paths, log = session(tmp_path)
    assert stage_of(paths, tmp_path) == ("stopped", "prepare")
    log.append(ev.DataPrepared(at=2.0, key="k", hashes={}, commit="c"))
    assert stage_of(paths, tmp_path) == ("stopped", "novelty")

    there = os.stat(paths.events)
    text = paths.events.read_bytes()
    with open(paths.events, "r+b") as file:  # in place: the same file, as long and as old, which nobody could read
        file.write(b"x" * (len(text) - 1) + b"\n")
    os.utime(paths.events, ns=(there.st_atime_ns, there.st_mtime_ns))
    assert stage_of(paths, tmp_path) == ("stopped", "novelty")
    os.utime(paths.events)
    assert stage_of(paths, tmp_path)[0] == "unreadable"


def test_who_works_on_a_session_is_asked_each_time(tmp_path):
    paths, _ = session(tmp_path)
    assert stage_of(paths, tmp_path)[0] == "stopped"
    with session_lock(paths.lock):
        assert stage_of(paths, tmp_path)[0] == "running"
    assert stage_of(paths, tmp_path)[0] == "stopped"


def test_a_damaged_memory_is_made_anew_and_one_that_cannot_be_written_is_no_error(tmp_path):
    paths, _ = session(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / FILE).write_text("{")
    assert stage_of(paths, tmp_path) == ("stopped", "prepare")
    (no_folder := tmp_path / "file").write_text("")
    assert [one.state for one in standings([paths], no_folder)] == ["stopped"]
