"""Who only reads a session needs to own nothing of it: another user does it, on a file system that is read-only."""

import pytest

from agent.storage.locks import session_lock
from tests.support.frozen import finished
from tests.support.reader import possible, read_as_stranger, shared_folder

pytestmark = pytest.mark.skipif(not possible(), reason="needs root, to be another user and to mount")


@pytest.fixture(scope="module")
def session():
    with shared_folder() as folder:
        yield finished(folder)


def read(session, command, *words):
    return read_as_stranger(command, *words, "--workspace", session.parent, read_only=session.parents[2])


def test_another_user_sees_how_far_a_session_is_and_follows_it(session):
    done = read(session, "--status")
    assert (done.returncode, done.stderr) == (0, "") and "1 of 1" in done.stdout
    done = read(session, "--follow", "last")
    assert (done.returncode, done.stderr) == (0, "") and "is finished" in done.stdout


def test_a_lock_that_another_user_may_not_open_is_seen_to_be_held(session):
    events = session / "events.jsonl"
    whole = events.read_bytes()
    events.write_bytes(b"".join(whole.splitlines(keepends=True)[:9]))
    (session / "lock").chmod(0o600)
    try:
        with session_lock(session / "lock"):
            assert "running" in read(session, "--status").stdout
        assert "stopped" in read(session, "--status").stdout
    finally:
        events.write_bytes(whole)
        (session / "lock").chmod(0o644)


@pytest.mark.parametrize(
    ("closed", "said"),
    [("", "may not read them: 20260101"), ("events.jsonl", "unreadable"), ("..", "let its owner do it")],
)
def test_what_is_closed_to_another_user_is_said_in_a_line(session, closed, said):
    place = (session / closed).resolve()
    mode = place.stat().st_mode
    place.chmod(0o700 if place.is_dir() else 0o600)
    try:
        done = read(session, "--status")
        assert said in done.stdout + done.stderr and done.stderr.count("\n") <= 1
    finally:
        place.chmod(mode)
