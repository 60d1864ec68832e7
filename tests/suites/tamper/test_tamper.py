"""The table of `python -m tests.suites.tamper`, one test a line: each kind is NOT VERIFIED, or named as not covered."""

import pytest

from tests.suites.tamper.__main__ import Stage, tried
from tests.suites.tamper.kinds import KINDS


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    return Stage(tmp_path_factory.mktemp("tamper"))


def test_what_nobody_touched_verifies_as_clone_and_as_session(stage):
    place = stage.place(10_000)

    for path in (place.clone, place.session):
        problems, last = stage.said(path)
        assert problems == [] and last.startswith("Signed with key")


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.name for kind in KINDS])
def test_the_tampering_is_found_or_named(stage, number):
    row = tried(stage, number, KINDS[number])

    assert row.found, f"{row.kind}: verified without a word"


def test_there_are_many_kinds_and_no_two_are_the_same():
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 20
