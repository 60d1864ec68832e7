"""An answer over the wire costs what it may cost, whatever it unpacks to and however long it lasts."""

import gzip
import itertools
import json
import time
import tracemalloc
import zlib

import httpx
import pytest

from agent.core.wire import Unbearable, transport, unpacked, why_unbearable
from agent.llm.faults import REPLY_TRIES
from tests.llm.test_model import Asked
from tests.support.fake_provider import Answer, FakeProvider, reply

BOMB = gzip.compress(bytes(400 << 20), 9)  # 400 kB
FAR = 1e12


def whole(chunks, encoding="", most=1000, until=FAR):
    return b"".join(unpacked(chunks, encoding, most, until))


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("", bytes), ("identity", bytes), ("gzip", gzip.compress), ("X-GZIP ", gzip.compress), ("deflate", zlib.compress)],
)
def test_a_body_comes_out_as_it_was_sent_in_whatever_pieces(encoding, pack):
    sent = bytes(range(256)) * 3
    packed = pack(sent)
    for size in (1, 7, len(packed)):
        assert whole((packed[i : i + size] for i in range(0, len(packed), size)), encoding) == sent
    assert whole([], encoding) == b""


@pytest.mark.parametrize(
    ("chunks", "encoding", "said"),
    [
        (itertools.repeat(b"x" * 100), "", "more than 1,000 bytes"),
        ([BOMB], "gzip", "more than 1,000 bytes"),
        ([gzip.compress(b"x" * 900)[:-9]], "gzip", "damaged"),
        ([b"plain"], "gzip", "damaged"),
        ([b"\x8b"], "br", "'br', which was not asked for"),
        ([b""], "gzip, gzip", "not asked for"),
    ],
    ids=["endless", "bomb", "torn", "not packed", "brotli", "packed twice"],
)
def test_a_body_that_nobody_can_bear_ends_at_its_bound(chunks, encoding, said):
    tracemalloc.start()
    with pytest.raises(Unbearable, match=said):
        whole(chunks, encoding)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_a_body_that_never_ends_meets_its_deadline_even_where_it_is_small():
    with pytest.raises(Unbearable, match="in time"):
        whole(itertools.repeat(b""), "", until=time.monotonic() + 0.05)


@pytest.mark.parametrize(
    "model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "ollama/qwen3", "deepseek/deepseek-chat"]
)
def test_every_kind_of_provider_is_bounded_and_the_try_counts_as_paid(model):
    asked = Asked([Answer(raw=BOMB, headers={"Content-Encoding": "gzip"})], model=model, timeout_s=30.0)
    assert "an answer of more than 33,554,432 bytes" in asked.error
    assert len(asked.history) == REPLY_TRIES


def test_a_packed_answer_is_a_reply_like_any_other():
    packed = Answer(raw=gzip.compress(json.dumps(reply("MCC").json).encode()), headers={"Content-Encoding": "gzip"})
    asked = Asked([packed])
    assert asked.reply and asked.reply.text == "MCC"


def test_a_client_that_is_closed_closes_nobody_else_s_transport():
    shared = transport(5.0, 100)
    with FakeProvider([Answer(json={"a": 1})]) as provider:
        for _ in range(2):
            with httpx.Client(transport=shared) as client:
                assert client.get(provider.url).json() == {"a": 1}
    assert why_unbearable(ValueError("x")) == ""
