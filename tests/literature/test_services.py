"""The services as they are when they are ill: whatever they send, a search ends soon and with what can be believed."""

import gzip
import time
from email.utils import formatdate

import pytest

from agent.literature.fetch import BODY_BYTES, LONGEST_PAUSE_S, retry_after
from agent.literature.search import KEEP_S
from agent.literature.services import Service, services
from tests.support.fake_literature import Clock, World, atom, nested_json, openalex, scholar
from tests.support.fake_provider import Answer

QUERY = "sparse autoencoders"
BOMB = (
    '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]>"
)
BAD = {
    "server error": Answer(500, {}),
    "not found": Answer(404, {}),
    "forbidden": Answer(403, {}),
    "moved": Answer(301, {}, {"Location": "http://127.0.0.1:1/"}),
    "no bytes": Answer(raw=b""),
    "garbage": Answer(raw=bytes(range(256)) * 20),
    "wrong JSON": Answer(json=["a list"]),
    "no list": Answer(json={"data": "x", "results": 3}),
    "deep JSON": nested_json(200_000),
    "a big number": Answer(raw=b'{"data": ' + b"9" * 6000 + b"}"),
    "hang": Answer(json={}, hang_s=30),
    "slow drip": Answer(raw=b" " * 4000, drip_s=0.05),
    "cut": Answer(raw=b'{"data": []}' + b" " * 5000, cut=20),
    "huge": Answer(raw=b" " * (BODY_BYTES + 1)),
    "gzip bomb": Answer(raw=gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"}),
    "no gzip": Answer(raw=b"plain", headers={"Content-Encoding": "gzip"}),
}
BAD_XML = {
    "no XML": Answer(raw=b"{}"),
    "wrong XML": Answer(raw=b"<html/>"),
    "entity bomb": atom("&j;", BOMB),
    "UTF-16": Answer(raw=atom("x", BOMB).raw.decode().encode("utf-16")),
    "external entity": atom("&e;", '<!DOCTYPE e [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
}


@pytest.mark.parametrize("ill", BAD)
def test_a_service_that_is_ill_is_left_for_the_next_at_once_and_told(tmp_path, ill):
    world = World(tmp_path, semantic_scholar=BAD[ill], openalex=openalex())
    with world.server:
        started = time.monotonic()
        papers, source = (finder := world.online()).find(QUERY)
        took = time.monotonic() - started
        finder.find("something else")
    assert source == "openalex" and papers[0].title.startswith("Sparse Autoencoders")
    assert took < 25 and sum(world.clock.slept) < 25
    assert [line for line in world.said if line.startswith("Literature: semantic_scholar: ")] == world.said
    assert len(world.said) == 1
    assert world.asked.count("semantic_scholar") <= 3, "one that failed rests"


@pytest.mark.parametrize("ill", BAD_XML)
def test_xml_that_is_none_or_could_expand_is_refused(tmp_path, ill):
    world = World(tmp_path, arxiv=BAD_XML[ill])
    with world.server:
        papers, source = world.online().find(QUERY)
    assert source == "library" and {p.source for p in papers} == {"library"}


def test_each_service_is_read_as_it_answers(tmp_path):
    for name, answer, key, arxiv in (
        ("semantic_scholar", scholar(), "lovelace2024sparse", "2401.00001"),
        ("openalex", openalex(), "noe2023sparse", "2301.00002"),
        ("arxiv", atom(), "young2024sparse", "2401.00003"),
    ):
        world = World(tmp_path / name, **{name: answer})
        with world.server:
            papers, source = world.online().find(QUERY)
        found = papers[0]
        assert (source, found.key, found.arxiv, found.source) == (name, key, arxiv, name)
        assert found.abstract.startswith("We train") and found.retrieved == "2023-11-14T22:13:20Z"
        assert [p.source for p in papers[1:]] == ["library"], "what the library has on it joins"


def test_a_429_is_waited_out_as_long_as_it_asks(tmp_path):
    world = World(tmp_path, openalex=[Answer(429, {}, {"Retry-After": "7"}), Answer(503, {}), openalex()])
    with world.server:
        assert world.online().find(QUERY)[1] == "openalex"
    assert [round(s) for s in world.clock.slept] == [0, 7, 2]


def test_a_429_that_asks_for_too_long_is_left_and_the_next_process_still_knows(tmp_path):
    date = formatdate(1_700_000_000 + 600, usegmt=True)
    world = World(tmp_path, openalex=[Answer(429, {}, {"Retry-After": date}), openalex()], arxiv=atom())
    with world.server:
        assert world.online().find(QUERY)[1] == "arxiv"
        assert world.online().find("again")[1] == "arxiv"
        assert world.asked.count("openalex") == 1
        world.clock.now += 601
        assert world.online().find("a third time")[1] == "openalex"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        (" 12 ", 12),
        ("99999999999999999999", LONGEST_PAUSE_S),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        (formatdate(1000 + 5, usegmt=True), 5),
        (formatdate(10, usegmt=True), 0),
        ("Wed, 99 Foo 2020", None),
    ],
)
def test_retry_after_in_both_forms_and_in_none(text, seconds):
    assert retry_after(text, 1000.0) == seconds


def test_two_processes_keep_the_interval_between_them(tmp_path):
    world = World(tmp_path, openalex=openalex())
    with world.server:
        for query in ("one", "two", "three"):
            world.online().find(query)
    assert [round(s, 2) for s in world.clock.slept] == [0, 1, 1]


def test_a_clock_that_was_set_back_does_not_stop_the_queue_for_ever(tmp_path):
    world = World(tmp_path, openalex=openalex())
    (tmp_path / "openalex.next").write_text("9999999999")
    with world.server:
        assert world.online().find(QUERY)[1] == "library"
        world.clock.now += LONGEST_PAUSE_S + 1
        (tmp_path / "openalex.next").write_text("no number")
        assert world.online().find(QUERY)[1] == "openalex"


def test_without_network_the_library_is_used_from_the_first_failure_on(tmp_path):
    dead = tuple(Service(name, "http://127.0.0.1:1", 1.0) for name in ("semantic_scholar", "openalex", "arxiv"))
    world = World(tmp_path, openalex=openalex())
    finder = world.online(dead)
    started = time.monotonic()
    for query in ("one", "two", "sparse autoencoders"):
        papers, source = finder.find(query)
        assert source == "library"
    assert time.monotonic() - started < 15
    assert len(world.said) == 1 and "no network" in world.said[0]
    assert [p.key for p in papers] == ["olshausen1996emergence"]


def test_a_name_that_does_not_resolve_is_no_network(tmp_path):
    world = World(tmp_path, openalex=openalex())
    papers, source = world.online((Service("openalex", "http://nowhere.invalid", 1.0),)).find(QUERY)
    assert source == "library" and len(world.said) == 1


def test_an_answer_is_kept_for_days_and_not_for_ever(tmp_path):
    world = World(tmp_path, openalex=openalex())
    with world.server:
        for _ in range(3):
            assert world.online().find(QUERY)[1] == "openalex"
        assert len(world.asked) == 1
        world.clock.now += KEEP_S + 60
        world.online().find(QUERY)
        assert len(world.asked) == 2
    (file,) = (tmp_path / "answers").glob("*.json")
    file.write_text("{broken")
    assert world.online(world.services()).cache.read(file.name) is None


def test_what_is_empty_goes_on_to_the_next(tmp_path):
    world = World(
        tmp_path, semantic_scholar=Answer(json={"total": 0}), openalex=Answer(json={"results": []}), arxiv=atom()
    )
    with world.server:
        assert world.online().find(QUERY)[1] == "arxiv"
    assert world.said == []


def test_missing_fields_leave_a_work_out_and_duplicates_come_once(tmp_path):
    whole = scholar().json["data"][0]
    works = [
        whole,
        {**whole, "title": "SPARSE autoencoders for everything."},
        {**whole, "title": None},
        {},
        None,
        7,
        {**whole, "title": "No Author Here", "authors": []},
        {**whole, "title": "No Year Here", "year": "2024"},
        {**whole, "title": "Odd Parts", "externalIds": "x", "abstract": 3, "venue": None, "url": "javascript:x"},
    ]
    world = World(tmp_path, semantic_scholar=Answer(json={"data": works}))
    with world.server:
        papers = world.online().find(QUERY)[0]
    assert [p.title for p in papers if p.source != "library"] == ["Sparse Autoencoders for Everything", "Odd Parts"]
    assert (papers[1].doi, papers[1].abstract, papers[1].url) == ("", "", "")


def test_a_folder_that_cannot_be_written_is_no_crash(tmp_path):
    (tmp_path / "file").write_text("")
    world = World(tmp_path / "file", openalex=openalex(), arxiv=atom())
    with world.server:
        assert world.online().find(QUERY)[1] == "library"
    assert world.asked == [] and len(world.said) == 2


def test_keys_are_sent_and_said_nowhere(tmp_path):
    world = World(tmp_path, semantic_scholar=Answer(403, {}), openalex=Answer(500, {}))
    with world.server:
        world.online(world.services("secret-key-1")).find(QUERY)
        sent = world.server.history
    assert sent[0].headers["x-api-key"] == "secret-key-1" and "api_key=secret-key-1" in sent[-1].path
    assert "secret-key-1" not in " ".join(world.said)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or "secret-key-1" not in path.read_text() + path.name


def test_who_knows_us_is_asked_first():
    assert [s.name for s in services({})] == ["semantic_scholar", "openalex", "arxiv"]
    found = services({"OPENALEX_API_KEY": "k", "OPENALEX_MAILTO": "a@b.c"})
    assert [s.name for s in found] == ["openalex", "semantic_scholar", "arxiv"] and found[0].mail == "a@b.c"


def test_the_fake_clock_is_the_only_time_that_passes():
    clock = Clock()
    clock.sleep(3)
    assert clock() == 1_700_000_003.0
