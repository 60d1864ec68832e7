"""The log loses no acknowledged event and never shows a torn one."""

import resource
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.errors import InfrastructureError
from agent.session import events as ev
from agent.storage.log import EventLog
from tests.support.dice import Dice, options, play

EVENTS = play(Dice(lambda n: n // 2), options(runs=2))[0]


def write(path, events):
    log = EventLog(path)
    for event in events:
        log.append(event)
    log.close()


def test_what_was_appended_is_read_back(tmp_path):
    write(tmp_path / "events.jsonl", EVENTS)
    assert list(EventLog(tmp_path / "events.jsonl").read()) == EVENTS


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_log_cut_anywhere_reads_as_a_prefix_and_goes_on(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    write(path, EVENTS[:6])
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = whole[:cut].count(b"\n")

    assert list(EventLog(path).read()) == EVENTS[:kept]
    write(path, EVENTS[kept:6])
    assert list(EventLog(path).read()) == EVENTS[:6]


def test_reading_does_not_touch_a_torn_tail(tmp_path):
    path = tmp_path / "events.jsonl"
    write(path, EVENTS[:2])
    with path.open("ab") as file:
        file.write(b'{"type": "lint_pa')
    before = path.read_bytes()
    list(EventLog(path).read())
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"lint_passed","at":1.0,"run":"1","attempt":1,"more":2}\n',
        b'{"type":"unheard_of","at":1.0}\n',
        b'{"type":"lint_passed","at":1.0,"run":"1","attempt":"1"}\n',
        b'{"type":"lint_passed","at":NaN,"run":"1","attempt":1}\n',
        b"not json\n",
    ],
)
def test_a_line_that_is_no_event_is_named_with_its_number(tmp_path, line):
    path = tmp_path / "events.jsonl"
    write(path, EVENTS[:1])
    with path.open("ab") as file:
        file.write(line)
    with pytest.raises(InfrastructureError, match="line 2"):
        list(EventLog(path).read())


def test_a_disk_that_is_full_is_said_and_loses_nothing(tmp_path):
    path = tmp_path / "events.jsonl"
    write(path, EVENTS[:2])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        with pytest.raises(InfrastructureError, match="make room"):
            EventLog(path).append(EVENTS[2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    write(path, EVENTS[2:4])
    assert list(EventLog(path).read()) == EVENTS[:4]


def test_every_event_survives_the_round_trip():
    for event in EVENTS:
        assert ev.ADAPTER.validate_json(ev.ADAPTER.dump_json(event)) == event


@pytest.mark.parametrize(
    "change",
    [lambda folder: shutil.rmtree(folder), lambda folder: folder.rename(folder.with_name("moved"))],
    ids=["removed", "moved"],
)
def test_a_session_that_is_taken_away_is_not_made_anew_by_its_log(tmp_path, change):
    (folder := tmp_path / "session").mkdir()
    log = EventLog(folder / "events.jsonl")
    log.append(EVENTS[0])
    change(folder)

    for write in (log.check, lambda: log.append(EVENTS[1])):
        with pytest.raises(InfrastructureError, match="was moved, removed or replaced"):
            write()
    assert not folder.exists()


def test_a_log_that_an_editor_replaced_is_not_written_past(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.append(EVENTS[0])
    (tmp_path / "new").write_bytes((tmp_path / "events.jsonl").read_bytes())
    (tmp_path / "new").rename(tmp_path / "events.jsonl")

    with pytest.raises(InfrastructureError, match="replaced"):
        log.append(EVENTS[1])
