"""Ctrl-C: stops at once, says what keeps running and how to go on; a second one cancels the training too."""

import re
import signal

from tests.support import until
from tests.support.fake_provider import FakeProvider, reply
from tests.support.launched import answer, endless, start, supervisor_of


def test_the_first_stops_and_tells_and_the_second_cancels(tmp_path, idea):
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        child = start(tmp_path, idea, endless(tmp_path), provider)
        until(lambda: supervisor_of(tmp_path) is not None, seconds=60)
        child.send_signal(signal.SIGINT)
        said = []
        for line in child.stdout:
            said.append(line)
            if "Ctrl-C once more" in line:
                child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 130
    text = "".join(said)
    assert re.search(r"Stopped\. Go on with: python launch\.py --resume \S+_tiny_idea", text)
    assert "The training of run 0 goes on in the background" in text
    assert "is cancelled" in text
    assert "Traceback" not in text
    job = supervisor_of(tmp_path).parent
    until(lambda: (job / "result.json").exists(), seconds=60)
    assert '"cancelled"' in (job / "result.json").read_text()
