"""`make fuzz`, the replies: malformed ones through every action that reads one; and what was found by it, singly."""

import time

import pytest

from agent.core.exchange import Message, Reply
from agent.core.plan import Reflection
from agent.llm.answers import LONGEST, BadAnswer, ask_json, parse
from agent.llm.editing.coder import MAX_ECHO, AiderCoder
from agent.session import events as ev
from agent.session.policy import WriteSections
from agent.storage.log import EventLog
from tests.suites.fuzz.corpus import recorded
from tests.suites.fuzz.replies import fuzz
from tests.suites.fuzz.stage import Stage, unmet
from tests.support import sampling
from tests.support.whole import Script, block, fenced, plan

REPLIES = 2140  # there are; of each kind of action a sample is tried
OF_A_KIND = 40
SEED = 1


def few(cases, kind):
    return sampling.sample(cases, OF_A_KIND, f"replies: {kind}")


@pytest.fixture(scope="module")
def stage(tmp_path_factory, stages):
    stage = Stage(tmp_path_factory.mktemp("fuzz"), stages.cache)
    yield stage
    stage.close()


def test_every_action_that_reads_a_reply_is_found_by_playing(stage):
    assert unmet(stage) == set(), "these actions never came up: fuzz/stage.py must play a session that has them"
    assert len(stage.places) >= 11


@pytest.mark.timeout(1500)
def test_malformed_replies_end_in_an_event_with_a_reason(stage, say_at_the_end):
    report = fuzz(stage, recorded(), count=REPLIES, seed=SEED, tried=few)
    lines = list(report.lines())
    say_at_the_end(f"fuzz: {lines[-1]}")

    assert [(t.kind, t.how, t.why) for t in report.crashes] == []
    assert len(report.trials) == (REPLIES if sampling.everything() else OF_A_KIND * len(stage.places))
    assert len({(t.kind, t.reply) for t in report.trials}) == len(report.trials)
    assert {t.kind for t in report.trials} == set(stage.places)
    # Bent enough to be refused, not so much that nothing is ever taken: of all replies a fifth is accepted.
    taken = sum(t.outcome == "accepted" for t in report.trials)
    assert len(report.trials) / 10 < taken < len(report.trials) / 3
    for kind in stage.places if sampling.everything() else ():  # of some kinds only one in a hundred is refused
        assert {t.outcome for t in report.trials if t.kind == kind} & {"accepted"} or "mend" in kind
        assert sum(t.outcome != "accepted" for t in report.trials if t.kind == kind) >= 1


def test_a_refused_answer_is_an_event_with_its_reason_and_once_only(whole):
    it = whole({("plan", 1): "Let me think.", ("plan", 2): fenced(plan(1))}, runs=1, stop_after="plan")
    it.play()
    log = EventLog(it.paths.events)
    refused = [e for e in log.read() if isinstance(e, ev.AnswerRefused)]
    assert [(e.step, e.ordinal, e.role) for e in refused] == [("plan", 1, "planner")]
    assert "no valid JSON object" in refused[0].reason
    before_the_plan = [e for e in log.read() if not isinstance(e, ev.Planned | ev.ProcessStopped)]
    it.paths.events.write_bytes(b"".join(ev.ADAPTER.dump_json(e) + b"\n" for e in before_the_plan))
    it.play()  # reads the recorded answers once more
    assert len([e for e in log.read() if isinstance(e, ev.AnswerRefused)]) == 1


def test_an_overlong_answer_is_not_sent_back_whole():
    asked = []

    def ask(step, role, messages):
        asked.append(messages)
        return Reply("x" * 3_000_000 if len(asked) == 1 else '{"interpretation": "so", "completed": true}', "m")

    ask_json(ask, "s", "planner", [Message("user", "q")], Reflection)
    assert sum(len(m.content) for m in asked[1]) < 10_000
    assert f"at most {LONGEST} are read" in asked[1][-1].content


@pytest.mark.parametrize("text", ["```json" + "\n" * 50_000, "```" * 19_000, "```json\n{" * 5000, "{" * 60_000])
def test_reading_an_answer_takes_no_quadratic_time(text):
    started = time.process_time()
    with pytest.raises(BadAnswer):
        parse(text, Reflection)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("white", ["\n", "\t", " \n"])
def test_white_space_in_an_edit_takes_no_quadratic_time(tmp_path, white):
    (tmp_path / "a.py").write_text("x = 1\n")
    answers = [white.join(["so"] * 2) + white * 300_000 + block("a.py", "x = 2" + "\n" * 30_000, "x = 3"), "no"]
    coder = AiderCoder(lambda step, role, messages: Reply(answers.pop(0), "m"))
    started = time.process_time()
    result = coder.edit(tmp_path, ["a.py"], "Change x.", step="s", role="editor")
    assert result.refused == "mismatch"
    assert time.process_time() - started < 20


def test_a_model_sees_head_and_tail_of_its_own_overlong_edit(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    seen = []

    def ask(step, role, messages):
        seen.append(messages)
        return Reply(block("a.py", "y = 1", "z" * 1_000_000) if len(seen) == 1 else "no", "m")

    AiderCoder(ask).edit(tmp_path, ["a.py"], "Change x.", step="s", role="editor")
    assert sum(len(m.content) for m in seen[1]) < 3 * MAX_ECHO


def test_words_without_a_block_count_as_no_change_only_if_they_say_so(whole):
    words = {"paper.polish": "I would change a lot.", "paper.judge": "NO CHANGE"}
    it = whole(words, before=WriteSections, runs=1)
    it.model.script = Script(1, words, refuse={"step size": "scope"})
    it.play()
    passes = {e.phase: e.refused for e in EventLog(it.paths.events).read() if isinstance(e, ev.SectionsWritten)}
    assert passes["polish"] == "no-block"
    assert passes["judge"] == ""
