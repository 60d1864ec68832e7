"""--verify and --bundle as another user on a read-only file system: what they do needs nothing to be written there."""

import os
import tarfile

import pytest

from tests.support.frozen import finished
from tests.support.reader import possible, read_as_stranger, shared_folder

pytestmark = pytest.mark.skipif(not possible(), reason="needs root, to be another user and to mount")


@pytest.fixture(scope="module")
def session():
    with shared_folder() as folder:
        yield finished(folder)


def read(session, *words):
    return read_as_stranger(*words, "--workspace", session.parent, read_only=session.parents[2])


def test_another_user_verifies_a_session_and_its_paper(session):
    for what in ("last", session / "repo"):
        done = read(session, "--verify", what)
        assert (done.returncode, done.stderr) == (0, "") and "numbers verified" in done.stdout


def test_another_user_verifies_the_repository_where_the_log_is_closed(session):
    (session / "events.jsonl").chmod(0o600)
    try:
        done = read(session, "--verify", "last")
    finally:
        (session / "events.jsonl").chmod(0o644)
    assert done.returncode == 0 and "which this user may not read" in done.stdout


def test_another_user_bundles_a_session_into_a_folder_of_its_own(session):
    with shared_folder() as out:
        os.chmod(out, 0o777)
        done = read(session, "--bundle", "last", "--out", out)
        assert (done.returncode, done.stderr) == (0, "")
        with tarfile.open(next(out.glob("*.tar.gz"))) as tar:
            assert len(tar.getnames()) > 50


@pytest.mark.parametrize("words", [["--clean"], ["--resume", "last", "--trust"], ["--doctor"]])
def test_what_has_to_write_says_that_it_may_not(session, words):
    done = read(session, *words)
    assert done.returncode in (2, 3) and "this user may not" in done.stdout + done.stderr
