"""agent.llm.playback: the same words for the same step, strict at both ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.errors import InfrastructureError, UserError
from agent.core.exchange import Call, Message
from agent.llm.calls import RecordedCalls
from agent.llm.playback import PlaybackModel, record_playback
from tests.support.scripted import ScriptedModel

QUESTION = [Message("user", "x" * 400)]


def test_a_reply_is_keyed_by_step_and_ordinal_and_not_by_the_prompt(tmp_path: Path):
    (tmp_path / "paper.method.write.2.md").write_text("Some {{ f1('tiered') }} text.\n")
    model = PlaybackModel(tmp_path)

    replies = [model.complete([Message("user", text)], Call("paper.method.write", 2, "writer")) for text in ("a", "b")]

    assert replies[0].text == replies[1].text == "Some {{ f1('tiered') }} text.\n"
    assert replies[0].model == "playback"
    assert replies[0].cost_usd == 0.0


def test_tokens_are_a_quarter_of_the_characters(tmp_path: Path):
    (tmp_path / "plan.1.md").write_text("y" * 40)
    reply = PlaybackModel(tmp_path).complete(QUESTION, Call("plan", 1, "planner"))

    assert (reply.tokens_in, reply.tokens_out) == (100, 10)


def test_a_missing_reply_names_step_ordinal_and_file(tmp_path: Path):
    with pytest.raises(InfrastructureError) as caught:
        PlaybackModel(tmp_path).complete(QUESTION, Call("run-2.edit-1", 3, "editor"))

    assert "step run-2.edit-1, call 3 (editor)" in str(caught.value)
    assert str(tmp_path / "run-2.edit-1.3.md") in str(caught.value)


def test_an_empty_reply_is_an_error(tmp_path: Path):
    (tmp_path / "plan.1.md").write_text("\n")
    with pytest.raises(InfrastructureError, match=r"plan\.1\.md is empty"):
        PlaybackModel(tmp_path).complete(QUESTION, Call("plan", 1, "planner"))


def test_what_nobody_asked_for_is_left_over_and_so_is_a_misnamed_file(tmp_path: Path):
    for name in ("plan.1.md", "plan.2.md", "run-1.edit-1.1.md", "review.md", "README.md", "notes.txt"):
        (tmp_path / name).write_text("text")

    assert PlaybackModel(tmp_path).leftover({("plan", 1), ("run-1.edit-1", 1)}) == ["plan.2.md", "review.md"]


def test_a_session_s_calls_become_a_playback_that_answers_the_same(tmp_path: Path):
    calls, played = tmp_path / "calls", tmp_path / "played"
    model = ScriptedModel(
        {
            ("plan", 1): "{}\n",
            ("run-1.edit-1", 1): "block\n\n",
            ("run-1.edit-1", 2): "mended",
            ("paper.results.typeset", 1): "another page",
        }
    )
    session = RecordedCalls(model, calls, lambda record: None, lambda: None)
    for step in ("plan", "run-1.edit-1", "run-1.edit-1", "paper.results.typeset"):
        session.ask(step, "planner", QUESTION)

    assert record_playback(calls, played) == 3

    assert PlaybackModel(played).complete(QUESTION, Call("run-1.edit-1", 1, "editor")).text == "block\n\n"
    assert PlaybackModel(played).leftover(set(model.asked)) == []
    with pytest.raises(UserError, match="holds replies already"):
        record_playback(calls, played)


def test_recording_from_a_folder_without_calls_is_the_user_s_error(tmp_path: Path):
    with pytest.raises(UserError, match="no recorded calls"):
        record_playback(tmp_path, tmp_path / "played")
