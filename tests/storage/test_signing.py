"""The key of an installation: made once, kept from others, and nothing that it did not sign counts."""

import os
import subprocess
import sys

import pytest

from agent.core.errors import InfrastructureError
from agent.session import events as ev
from agent.storage.log import EventLog
from agent.storage.signing import FILE, VARIABLE, fingerprint, holds, own_public, own_signer
from tests.support import ROOT

EVENTS = [ev.ProcessStarted(at=float(n), pid=n, host="h") for n in range(1, 6)]


@pytest.fixture
def keys(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "keys"))
    return tmp_path / "keys"


def test_it_is_made_at_first_use_for_its_owner_alone(keys):
    assert own_public() == "" and not keys.exists()

    first, again = own_signer(), own_signer()

    assert first.public == again.public == own_public() and len(first.fingerprint) == 32
    assert (keys / FILE).stat().st_mode & 0o777 == 0o600 and keys.stat().st_mode & 0o077 == 0
    assert [p.name for p in keys.iterdir()] == [FILE]


def test_processes_that_start_at_once_end_with_one_key(keys):
    code = "from agent.storage.signing import own_signer; print(own_signer().public)"
    started = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)]

    assert len({process.communicate()[0] for process in started}) == 1


def test_a_signature_counts_for_these_bytes_this_purpose_and_this_key_alone(keys, tmp_path, monkeypatch):
    signer = own_signer()
    signature = signer.sign("statement", b"words")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "others"))
    other = own_signer()

    assert holds(signer.public, signature, "statement", b"words")
    for public, said, purpose, data in (
        (signer.public, signature, "statement", b"word"),
        (signer.public, signature, "event", b"words"),
        (other.public, signature, "statement", b"words"),
        (signer.public, "", "statement", b"words"),
        (signer.public, "\u00e9" * 86, "statement", b"words"),
        ("zz", signature, "statement", b"words"),
    ):
        assert not holds(public, said, purpose, data)
    assert fingerprint(signer.public) != fingerprint(other.public)


@pytest.mark.parametrize("spoilt", ["readable", "fifo", "link", "garbage"])
def test_a_key_that_is_spoilt_is_one_clear_line(keys, tmp_path, spoilt):
    own_signer()
    path = keys / FILE
    if spoilt == "readable":
        path.chmod(0o644)
    else:
        data = path.read_bytes()
        path.unlink()
        (tmp_path / "elsewhere").write_bytes(data)
        (tmp_path / "elsewhere").chmod(0o600)
        make = {
            "fifo": lambda: os.mkfifo(path, 0o600),
            "link": lambda: path.symlink_to(tmp_path / "elsewhere"),
            "garbage": lambda: path.write_bytes(b"no key"),
        }[spoilt]
        make()
        path.chmod(0o600) if spoilt == "garbage" else None

    with pytest.raises(InfrastructureError) as error:
        own_signer()
    assert "\n" not in str(error.value) and own_public() == ""


# ---------------------------------------------------------------- a log that is signed


def written(path, signer=None):
    log = EventLog(path, signer)
    for event in EVENTS:
        log.append(event)
    log.close()
    return EventLog(path)


def test_a_log_is_vouched_for_by_who_signed_its_last_line(keys, tmp_path):
    signer = own_signer()
    signed, plain = written(tmp_path / "signed.jsonl", signer), written(tmp_path / "plain.jsonl")

    assert list(signed.read()) == list(plain.read()) == EVENTS
    assert signed.vouched(signer.public) and not plain.vouched(signer.public)
    assert not signed.vouched("00" * 32)
    data = signed.path.read_bytes()
    signed.path.write_bytes(data.replace(b'"pid":5', b'"pid":6'))
    assert not signed.vouched(signer.public)


def test_a_log_of_an_older_version_is_read_and_goes_on_chained(keys, tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(ev.ADAPTER.dump_json(event) + b"\n" for event in EVENTS[:3]))
    log = EventLog(path, own_signer())
    for event in EVENTS[3:]:
        log.append(event)
    log.close()

    assert list(EventLog(path).read()) == EVENTS and EventLog(path).vouched(own_public())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(InfrastructureError, match="line 3: does not follow line 2"):
        list(EventLog(path).read())
